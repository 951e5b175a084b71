"""Cells: every rate or mean with the interval that respects clusters, the naive one thin beneath."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.bands import Scale
from seedlock.analysis.report.figures.rows import PER_FIGURE, Row, draw_rows, height_of
from seedlock.analysis.report.figures.style import BLUE, MUTED, Caption, Figure, canvas, finish
from seedlock.analysis.report.sections.cells import cell_spec
from seedlock.analysis.report.text.formats import Kind
from seedlock.prereg.verify.number_binding import format_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAPTION = Caption(
    look="How far cells of one arm differ from each other, against how far arms differ.",
    read=(
        "A dot is a cell's rate or mean, the thick line its interval with clusters counted as clusters. The thin grey "
        "line beneath counts every answer as independent: where it is much shorter, answers repeat each other."
    ),
    otherwise="Had the arms been alike, their cells would overlap in one cloud.",
)


def cell_figures(results: Mapping[str, Any]) -> Iterator[Figure]:
    """One figure a measure and set of keys, at most thirty rows each."""
    groups: dict[tuple[str, tuple[str, ...]], list[Mapping[str, Any]]] = {}
    for cell in results["cells"]:
        if cell["mean"] is not None:
            groups.setdefault((cell["measure"], tuple(cell["keys"])), []).append(cell)
    number = 0
    for group in groups.values():
        for some in batched(group, PER_FIGURE):
            number += 1
            yield _cells(some, slug=f"cells-{number}")


def _cells(cells: Sequence[Mapping[str, Any]], *, slug: str) -> Figure:
    kind: Kind = "percent" if cell_spec(cells[0]).startswith("percent") else "number"
    scale = _range(cells, is_rate=kind == "percent")
    rows = [Row(label=label_of(c), note=format_value(c["mean"], cell_spec(c)), draw=partial(_draw, c)) for c in cells]
    with canvas(height_of(rows)) as (figure, (axes,)):
        draw_rows(axes, rows, scale, kind=kind, unit=f"{cells[0]['measure']}, {cells[0]['unit_text']}")
        return finish(
            figure,
            slug=slug,
            title="What did each cell do?",
            caption=_CAPTION,
            alt="Cells: " + "; ".join(f"{row.label} {row.note}" for row in rows) + ".",
            data={"measure": cells[0]["measure"], "rows": [_plotted(c) for c in cells]},
        )


def label_of(cell: Mapping[str, Any]) -> str:
    """The cell's keys in one line."""
    return ", ".join(str(value) for value in cell["keys"].values() if value is not None) or "all"


def _range(cells: Sequence[Mapping[str, Any]], *, is_rate: bool) -> Scale:
    values = [v for c in cells for v in [c["mean"], *(c["ci"] or []), *(c["naive_ci"] or [])]]
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    if is_rate:
        return Scale(low=-0.02 if low - margin < 0 else low - margin, high=min(1.02, high + margin))
    return Scale(low=low - margin, high=high + margin)


def _draw(cell: Mapping[str, Any], axes: Axes, y: float) -> None:
    if cell["naive_ci"] is not None:
        axes.plot(cell["naive_ci"], [y - 0.2] * 2, color=MUTED, linewidth=1.0)
    if cell["ci"] is not None:
        axes.plot(cell["ci"], [y - 0.04] * 2, color=BLUE, linewidth=2.2, solid_capstyle="butt")
    axes.plot([cell["mean"]], [y - 0.04], "o", color=BLUE, markersize=4.5, clip_on=False)


def _plotted(cell: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("keys", "k", "n", "mean", "ci", "ci_level", "ci_method", "naive_ci", "naive_method")
    return {key: cell[key] for key in keys}
