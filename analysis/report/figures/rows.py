"""Figures made of rows: a label, and under it one line of the scale. Narrow enough for a telephone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.bands import Scale
from seedlock.analysis.report.figures.style import INK, MUTED, RULE
from seedlock.analysis.report.text.formats import Kind, exact_spec
from seedlock.analysis.report.text.pieces import shows_hidden
from seedlock.prereg.verify.number_binding import format_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN = 0.42
TALL_ROW_IN = 0.56
PER_FIGURE = 30
NOTE_LETTERS = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its label, a word on the right, and what is drawn under them."""

    label: str
    note: str
    draw: Callable[[Axes, float], None]


def height_of(rows: Sequence[Row], row_in: float = ROW_IN) -> float:
    """Height of the figure in inches."""
    return row_in * len(rows) + 0.62


def draw_rows(axes: Axes, rows: Sequence[Row], scale: Scale, *, kind: Kind, unit: str, row_in: float = ROW_IN) -> None:
    """Draw rows from the top down; the middle of row i lies at y = -i."""
    axes.set_xlim(scale.low, scale.high)
    axes.set_ylim(-len(rows) + 0.45, 0.75)
    for i, row in enumerate(rows):
        row.draw(axes, float(-i))
        axes.annotate(
            clipped(row.label, 52), (0, -i + 0.36), xycoords=("axes fraction", "data"), va="center", color=INK
        )
        axes.annotate(
            clipped(row.note, NOTE_LETTERS), (1, -i + 0.36), xycoords=("axes fraction", "data"), ha="right",
            va="center", color=MUTED, fontsize=7.5,
        )  # fmt: skip
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.grid(visible=True, axis="x", color=RULE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", nbins=6)
    label_ticks(axes, kind)
    axes.set_xlabel(clipped(f"difference, {unit}" if kind == "pp" else unit, 64))
    tall = height_of(rows, row_in)
    axes.figure.subplots_adjust(left=0.035, right=0.955, top=1 - 0.04 / tall, bottom=0.5 / tall)


def label_ticks(axes: Axes, kind: Kind) -> None:
    """Write the scale's ticks as the text writes its numbers."""
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415 - drawing only

    def write(value: float, _: Any) -> str:
        rounded = round(value, 10)
        return format_value(rounded, exact_spec(rounded, kind))

    axes.xaxis.set_major_formatter(FuncFormatter(write))


def clipped(text: str, length: int) -> str:
    """`text` on one line, cut where it would run over its neighbour."""
    line = " ".join(shows_hidden(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
