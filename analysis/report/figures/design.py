"""A picture of the design: models x arms x seeds, items and answers of each run, and what is replicated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seedlock.analysis.report.figures.style import BLUE, INK, MUTED, SHADE, TINT, Caption, Figure, canvas, finish
from seedlock.analysis.simulation.assumptions import assume
from seedlock.analysis.simulation.layout import Layout, lay_out
from seedlock.prereg.base.canonical import write_atomic
from seedlock.prereg.plan.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN = 0.26
MOST_SEEDS_DRAWN = 16
_CAPTION = Caption(
    look="How many dots a row has: that, and not the number of answers, is how often an arm is replicated.",
    read="Each dot is one training run. Each run answers every item as often as the last line has it.",
    otherwise="A design that replicates over items or answers alone would have one dot a row.",
)


def design_picture(plan: Plan, items: dict[str, int] | None = None) -> Figure:
    """Draw a plan's design.

    Parameters
    ----------
    items
        Item set -> items counted in its file.
    """
    assumed = assume(plan, items)
    layout = lay_out(plan, assumed)
    rows = list(dict.fromkeys((run.model, run.arm) for run in layout.runs))
    seeds = {row: sum((run.model, run.arm) == row for run in layout.runs) for row in rows}
    sets = ", ".join(f"{n} items{f' ({name})' if name else ''}" for name, n in assumed.items.items())
    answers = "1 answer" if assumed.draws == 1 else f"{assumed.draws} answers"
    each = f"every run: {sets} x {answers} an item"
    units = unit_lines(layout)
    with canvas(ROW_IN * (len(rows) + len(units) + 3.5)) as (figure, (axes,)):
        _draw(axes, rows, seeds, each, units)
        figure.subplots_adjust(left=0.02, right=0.98, top=0.99, bottom=0.01)
        return finish(
            figure,
            slug="design",
            title="What is replicated?",
            caption=_CAPTION,
            alt=f"Design: {len(layout.runs)} runs in {len(rows)} rows of model and arm; {each}. " + "; ".join(units),
            data={
                "runs": [{"model": m, "arm": a, "seeds": seeds[m, a]} for m, a in rows],
                "items": {name or "all": n for name, n in assumed.items.items()},
                "draws": assumed.draws,
                "units": list(units),
            },
        )


def unit_lines(layout: Layout) -> tuple[str, ...]:
    """For each kind of unit, the hypotheses that replicate over it and how many units a level has."""
    found: dict[str, list[str]] = {}
    for target in layout.targets:
        counts = [level.item_groups or len(level.units) for level in target.levels]
        spelled = " v ".join(map(str, counts)) if counts else "none"
        found.setdefault(f"unit: {target.estimand.unit}, {spelled}", []).append(target.id)
    return tuple(f"{what}: {_few(ids)}" for what, ids in found.items())


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids) if len(ids) <= 4 else f"{', '.join(ids[:3])} and {len(ids) - 3} more"


def _draw(
    axes: Axes, rows: list[tuple[str, str]], seeds: dict[tuple[str, str], int], each: str, units: Sequence[str]
) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) + len(units) + 2.5, -1)
    models = list(dict.fromkeys(model for model, _ in rows))
    for y, (model, arm) in enumerate(rows):
        shade = TINT if models.index(model) % 2 == 0 else SHADE
        axes.fill_between([0, 1], y - 0.48, y + 0.48, color=shade, linewidth=0)
        is_first = rows.index(next(row for row in rows if row[0] == model)) == y
        axes.text(0.01, y, model[:18] if is_first else "", va="center", color=INK)
        axes.text(0.26, y, arm[:22], va="center", color=INK)
        n = seeds[model, arm]
        for i in range(min(n, MOST_SEEDS_DRAWN)):
            axes.plot([0.6 + 0.02 * i], [y], "o", color=BLUE, markersize=4)
        axes.text(0.99, y, f"{n} seeds" if n != 1 else "1 run", va="center", ha="right", color=MUTED, fontsize=7.5)
    axes.text(0.01, len(rows) + 0.3, each, va="center", color=INK)
    for i, line in enumerate(units):
        axes.text(0.01, len(rows) + 1.3 + i, line[:96], va="center", color=MUTED, fontsize=7.5)


def write_picture(figure: Figure, folder: Path) -> tuple[Path, Path]:
    """Write design.svg and design.png; returns their paths."""
    svg, png = folder / f"{figure.slug}.svg", folder / f"{figure.slug}.png"
    write_atomic(svg, figure.svg.encode())
    write_atomic(png, figure.png)
    return svg, png
