"""Units as points: what each seed did, their mean, and where the next one would fall."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.bands import Scale
from seedlock.analysis.report.figures.forest import scale_groups
from seedlock.analysis.report.figures.rows import PER_FIGURE, TALL_ROW_IN, Row, draw_rows, height_of
from seedlock.analysis.report.figures.style import BLUE, INK, MUTED, ORANGE, Caption, Figure, canvas, finish
from seedlock.analysis.report.text.formats import Kind, hypothesis_kind, is_proportion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAPTION = Caption(
    look="The spread of the points: each is one unit of replication, however many answers it gave.",
    read=(
        "Each circle is one unit; circles that would touch are stacked. The thick line is the interval for the mean "
        "over units, the thin one where the next unit would fall. A short bar alone marks a level's mean."
    ),
    otherwise=(
        "Had the unit not mattered, the points would lie on top of each other; had there been no effect, the points of "
        "the levels would share one place."
    ),
)
VALUE_KEYS = ("value", "mean", "rate", "estimate", "difference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The units of one hypothesis, or of one of its levels, on one scale."""

    label: str
    note: str
    values: tuple[float, ...]
    estimate: float | None
    ci: list[float] | None
    next_unit_ci: list[float] | None


def unit_value(unit: Mapping[str, Any]) -> float | None:
    """The number of one unit, under whichever of its names the analysis gave it."""
    return next((float(unit[key]) for key in VALUE_KEYS if unit.get(key) is not None), None)


def unit_figures(results: Mapping[str, Any]) -> Iterator[Figure]:
    """One figure a scale: a row a hypothesis, or a row a level where units belong to levels."""
    number = 0
    for group in scale_groups(results):
        raw = group[0]["unit_text"] if group[0]["scale"] == "raw" else f"{group[0]['measure']}, on its own scale"
        for (kind, strips), unit in ((_whole(group), group[0]["unit_text"]), (_by_level(group), raw)):
            for some in batched(strips, PER_FIGURE):
                number += 1
                yield _figure(some, kind, unit=unit, slug=f"units-{number}")


def _levels(h: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(str(u["level"]) for u in h["units"] if u.get("level") is not None))


def _is_one_sample(h: Mapping[str, Any]) -> bool:
    """Whether its units lie on the scale of its estimate: one level, not rescaled."""
    return h["scale"] == "raw" and len(_levels(h)) <= 1


def _values(units: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    return tuple(value for unit in units if (value := unit_value(unit)) is not None)


def _whole(group: Sequence[Mapping[str, Any]]) -> tuple[Kind, list[Strip]]:
    strips = [
        Strip(
            label=h["id"],
            note=f"each point: {h['unit']}",
            values=_values(h["units"]),
            estimate=h["estimate"],
            ci=h["ci"],
            next_unit_ci=h["next_unit_ci"],
        )
        for h in group
        if _is_one_sample(h) and len(_values(h["units"])) > 1
    ]
    return hypothesis_kind(group[0]), strips


def _by_level(group: Sequence[Mapping[str, Any]]) -> tuple[Kind, list[Strip]]:
    strips = []
    for h in group:
        for level in () if _is_one_sample(h) else _levels(h) or ["all"]:
            values = _values([u for u in h["units"] if str(u.get("level", "all")) == level])
            if values:
                note = f"each point: {h['unit']}"
                strips.append(
                    Strip(
                        label=f"{h['id']} · {level}",
                        note=note,
                        values=values,
                        estimate=None,
                        ci=None,
                        next_unit_ci=None,
                    )
                )
    return ("percent" if is_proportion(group[0]) else "number"), strips


def _figure(strips: Sequence[Strip], kind: Kind, *, unit: str, slug: str) -> Figure:
    ends = [v for s in strips for v in (*s.values, *(s.ci or []), *(s.next_unit_ci or []))]
    margin = 0.06 * (max(ends) - min(ends)) or 0.05
    scale = Scale(low=min(ends) - margin, high=max(ends) + margin)
    rows = [Row(label=s.label, note=s.note, draw=partial(draw_strip, s, scale)) for s in strips]
    with canvas(height_of(rows, TALL_ROW_IN)) as (figure, (axes,)):
        draw_rows(axes, rows, scale, kind=kind, unit=unit, row_in=TALL_ROW_IN)
        return finish(
            figure,
            slug=slug,
            title="How much does the unit alone move the result?",
            caption=_CAPTION,
            alt="Strip plot of units: " + "; ".join(f"{s.label}, {len(s.values)} units" for s in strips) + ".",
            data={
                "unit": unit,
                "rows": [
                    {"label": s.label, "values": s.values, "mean": s.estimate, "ci": s.ci, "next": s.next_unit_ci}
                    for s in strips
                ],
            },
        )


def stacked(values: Sequence[float], width: float) -> list[int]:
    """How high each point is stacked so that no two within `width` of each other share a height."""
    tops: list[float] = []
    heights = dict.fromkeys(range(len(values)), 0)
    for i in sorted(range(len(values)), key=lambda i: values[i]):
        level = next((level for level, end in enumerate(tops) if values[i] - end >= width), len(tops))
        tops[level : level + 1] = [values[i]]
        heights[i] = level
    return [heights[i] for i in range(len(values))]


def draw_strip(strip: Strip, scale: Scale, axes: Axes, y: float) -> None:
    """Units as stacked circles over their mean, its interval and where the next unit would fall."""
    heights = stacked(strip.values, 0.02 * (scale.high - scale.low))
    step = min(0.1, 0.28 / max(1, max(heights, default=0)))
    lifted = [y - 0.06 + step * h for h in heights]
    axes.plot(
        strip.values, lifted, "o", markersize=4, markerfacecolor="none", markeredgecolor=ORANGE, markeredgewidth=0.9
    )
    if strip.estimate is None:
        middle = sum(strip.values) / len(strip.values)
        axes.plot([middle] * 2, [y - 0.3, y - 0.16], color=INK, linewidth=1.6)
        return
    if strip.next_unit_ci is not None:
        axes.plot(strip.next_unit_ci, [y - 0.35] * 2, color=MUTED, linewidth=0.9)
    if strip.ci is not None:
        axes.plot(strip.ci, [y - 0.24] * 2, color=BLUE, linewidth=2.2, solid_capstyle="butt")
    axes.plot([strip.estimate], [y - 0.24], "o", color=BLUE, markersize=4.5)
