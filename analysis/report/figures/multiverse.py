"""Specification curve: one hypothesis under every analysis its authors would defend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.bands import Scale
from seedlock.analysis.report.figures.rows import PER_FIGURE, Row, draw_rows, height_of
from seedlock.analysis.report.figures.style import BLUE, MUTED, ORANGE, SHADE, TINT, Caption, Figure, canvas, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHOICES = ("measure", "test", "scale", "items", "missing")
_CAPTION = Caption(
    look="Whether the verdict changes from row to row, and where the locked analysis, in orange, lies among them.",
    read=(
        "Each row is one analysis that the plan lists as defensible, by rising estimate, on its own scale. Tinted: the "
        "predicted band. Exploratory: only the locked analysis decides."
    ),
    otherwise="Were the finding a product of one choice, the rows with another choice would leave the tinted band.",
)


def multiverse_figures(results: Mapping[str, Any]) -> Iterator[Figure]:
    """One figure a hypothesis of the multiverse, at most thirty rows each."""
    bands = {h["id"]: h["bands"] for h in results["hypotheses"]}
    number = 0
    for curve in results.get("multiverse", []):
        known = [b for b in curve["branches"] if b["estimate"] is not None]
        for some in batched(known, PER_FIGURE):
            number += 1
            yield _figure(curve, some, bands[curve["id"]], slug=f"multiverse-{number}")


def _figure(
    curve: Mapping[str, Any], branches: Sequence[Mapping[str, Any]], bands: Sequence[Mapping[str, Any]], *, slug: str
) -> Figure:
    scale = _scale(branches, bands)
    varied = [choice for choice in CHOICES if len({str(b[choice]) for b in curve["branches"]}) > 1] or ["test"]
    tinted = [(band, TINT if band["name"] == curve["predicted"] else SHADE) for band in bands]
    rows = [Row(label=_label(b, varied), note=_note(b), draw=partial(_draw, b, tinted, scale)) for b in branches]
    said = "; ".join(f"{_label(b, varied)}: {_note(b)}" for b in branches)
    with canvas(height_of(rows)) as (figure, (axes,)):
        draw_rows(axes, rows, scale, kind="number", unit=f"{curve['id']}, each branch on its own scale")
        return finish(
            figure,
            slug=slug,
            title="Would another defensible analysis say the same? (exploratory)",
            caption=_CAPTION,
            alt=f"Specification curve of {curve['id']}. {said}.",
            data={"id": curve["id"], "predicted": curve["predicted"], "branches": list(branches)},
        )


def _scale(branches: Sequence[Mapping[str, Any]], bands: Sequence[Mapping[str, Any]]) -> Scale:
    ends = [end for b in branches for end in (b["estimate"], *(b["ci"] or ()))]
    ends += [band["upper"] for band in bands if band["upper"] is not None]
    margin = 0.06 * (max(ends) - min(ends)) or 0.05
    return Scale(low=min(ends) - margin, high=max(ends) + margin)


def _label(branch: Mapping[str, Any], varied: Sequence[str]) -> str:
    return ", ".join(str(branch[choice] or "all items") for choice in varied)


def _note(branch: Mapping[str, Any]) -> str:
    verdict = " or ".join(branch["verdict"])
    return f"locked: {verdict}" if branch["is_locked"] else verdict


def _draw(
    branch: Mapping[str, Any], tinted: Sequence[tuple[Mapping[str, Any], str]], scale: Scale, axes: Axes, y: float
) -> None:
    for band, colour in tinted:
        left = band["lower"] if band["lower"] is not None else scale.low
        right = band["upper"] if band["upper"] is not None else scale.high
        axes.fill_betweenx([y - 0.28, y + 0.12], left, right, color=colour, linewidth=0, zorder=1)
        if band["upper"] is not None:
            axes.plot([right, right], [y - 0.28, y + 0.12], color=MUTED, linewidth=0.8, zorder=2)
    colour = ORANGE if branch["is_locked"] else BLUE
    if branch["ci"] is not None:
        axes.plot(branch["ci"], [y - 0.08] * 2, color=colour, linewidth=2.0, solid_capstyle="butt", zorder=4)
    axes.plot([branch["estimate"]], [y - 0.08], "o", color=colour, markersize=4.5, zorder=5)
