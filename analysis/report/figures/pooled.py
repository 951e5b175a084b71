"""A synthesis: every effect on one scale, the mean as a diamond, and where the next true effect would fall."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from seedlock.analysis.report.figures.bands import Scale
from seedlock.analysis.report.figures.rows import Row, draw_rows, height_of
from seedlock.analysis.report.figures.style import BLUE, INK, MUTED, SHADE, TINT, Caption, Figure, canvas, finish
from seedlock.analysis.report.text.formats import Kind
from seedlock.analysis.results.synthesis import PooledEffect, SynthesisResults
from seedlock.prereg.english import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAPTION = Caption(
    look="Whether the diamond lies inside the tinted band, and how far the line below it reaches.",
    read=(
        "A square is one effect, larger the more it weighs, its line the interval of its own study over seeds. The "
        "diamond is the mean, as wide as its interval; the line below it holds the true effect of the next with the "
        "same confidence. Tinted: the predicted band; grey: the others; ticks: their edges."
    ),
    otherwise="The diamond would reach into a grey band or lie wholly in one.",
)


_PLOTTED = {"name", "estimate", "ci", "weight"}


def pooled_figure(results: SynthesisResults, kind: Kind) -> Figure:
    """Draw the forest of a synthesis."""
    scale = _scale(results)
    rows = [Row(label=e.name, note=e.decision, draw=partial(_effect, results, e)) for e in results.effects]
    rows.append(Row(label=f"mean over {plural(results.of)}", note=results.decision, draw=partial(_mean, results)))
    if results.spread is not None and results.spread.prediction is not None:
        rows.append(Row(label=f"the next {results.of}", note="prediction", draw=partial(_next, results)))
    with canvas(height_of(rows)) as (figure, (axes,)):
        draw_rows(axes, rows, scale, kind=kind, unit=results.unit_text)
        return finish(
            figure,
            slug="pooled",
            title="What do the studies say together, and what of the next?",
            caption=_CAPTION,
            alt=f"Forest of {results.k} effects with their mean. {results.decision}.",
            data={
                "unit": results.unit_text,
                "effects": [e.model_dump(mode="json", include=_PLOTTED) for e in results.effects],
                "mean": results.model_dump(mode="json", include={"estimate", "ci", "ci_level", "bands", "decision"}),
                "prediction": None if results.spread is None else results.spread.prediction,
            },
        )  # fmt: skip


def _scale(results: SynthesisResults) -> Scale:
    """The stretch that every estimate, interval and edge takes; a prediction may run out of it."""
    values = [edge for band in results.bands for edge in (band.lower, band.upper) if edge is not None]
    values += [end for effect in results.effects for end in effect.ci]
    values += results.ci or ()
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 1.0
    return Scale(low=low - margin, high=high + margin)


def _bands(results: SynthesisResults, axes: Axes, y: float) -> None:
    low, high = axes.get_xlim()
    for band in results.bands:
        left, right = (low if band.lower is None else band.lower), (high if band.upper is None else band.upper)
        colour = TINT if band.name == results.predicted else SHADE
        axes.fill_betweenx([y - 0.28, y + 0.12], left, right, color=colour, linewidth=0, zorder=1)
        if band.upper is not None:
            axes.plot([right, right], [y - 0.28, y + 0.12], color=MUTED, linewidth=0.8, zorder=2)


def _effect(results: SynthesisResults, effect: PooledEffect, axes: Axes, y: float) -> None:
    _bands(results, axes, y)
    axes.plot(effect.ci, [y - 0.08] * 2, color=INK, linewidth=1.0, solid_capstyle="butt", zorder=3)
    axes.plot([effect.estimate], [y - 0.08], "s", color=BLUE, markersize=3 + 6 * effect.weight**0.5, zorder=4)


def _mean(results: SynthesisResults, axes: Axes, y: float) -> None:
    _bands(results, axes, y)
    if results.ci is None or results.estimate is None:
        return
    middle = y - 0.08
    corners = [(results.ci[0], middle), (results.estimate, middle + 0.17)]
    corners += [(results.ci[1], middle), (results.estimate, middle - 0.17)]
    axes.fill(*zip(*corners, strict=True), color=BLUE, linewidth=0, zorder=4)


def _next(results: SynthesisResults, axes: Axes, y: float) -> None:
    _bands(results, axes, y)
    if results.spread is not None and results.spread.prediction is not None:
        low, high = axes.get_xlim()
        left, right = (min(max(end, low), high) for end in results.spread.prediction)
        axes.plot([left, right], [y - 0.08] * 2, color=BLUE, linewidth=1.6, solid_capstyle="butt", zorder=3)
