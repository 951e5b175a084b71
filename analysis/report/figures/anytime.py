"""Looks at any time: estimate and confidence sequence over the units, with the bands behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.style import BLUE, INK, MUTED, SHADE, TINT, Caption, Figure, canvas, finish
from seedlock.analysis.report.text.formats import hypothesis_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAPTION = Caption(
    look="Whether the bars have left every band but one, and stay out of the others.",
    read=(
        "A dot is the estimate with so many units of every level, its bar the confidence sequence: all bars hold the "
        "truth together as often as the level says. No bar: no data could exclude anything yet. Tinted: the predicted "
        "band; grey: the others."
    ),
    otherwise="Had the claim been false, the bars would have kept, or come into, a grey band.",
)


def anytime_figures(results: Mapping[str, Any]) -> Iterator[Figure]:
    """One figure a hypothesis whose looks need no schedule."""
    with_course = [h for h in results["hypotheses"] if (h.get("anytime") or {}).get("points")]
    for number, h in enumerate(with_course, start=1):
        yield _course(h, slug=f"anytime-{number}")


def _course(h: Mapping[str, Any], *, slug: str) -> Figure:
    points = [point for point in h["anytime"]["points"] if point["estimate"] is not None]
    factor = 1.0 if hypothesis_kind(h) == "number" else 100.0
    with canvas(2.6) as (figure, (axes,)):
        _bands(axes, h, points, factor)
        for point in points:
            if point["ci"] is not None:
                low, high = (factor * end for end in point["ci"])
                axes.plot([point["units"]] * 2, [low, high], color=BLUE, linewidth=2.2, solid_capstyle="butt", zorder=3)
            axes.plot(point["units"], factor * point["estimate"], "o", color=BLUE, markersize=4.5, zorder=4)
        axes.set_xticks([point["units"] for point in points])
        axes.set_xlabel(f"{h['unit']}s of every level", color=INK)
        axes.set_ylabel({"pp": "percentage points", "percent": "percent"}.get(hypothesis_kind(h), h["unit_text"]))
        figure.tight_layout()
        return finish(
            figure,
            slug=slug,
            title="What would each look have shown?",
            caption=_CAPTION,
            alt=f"Estimate and confidence sequence of {h['id']} over {h['unit']}s. {h['decision']}.",
            data={"id": h["id"], "anytime": h["anytime"]},
        )


def _bands(axes: Axes, h: Mapping[str, Any], points: list[Mapping[str, Any]], factor: float) -> None:
    """The bands as stripes, over the stretch that estimates, edges and the narrowest bars take."""
    edges = [band["upper"] for band in h["bands"] if band["upper"] is not None]
    bars = [point["ci"] for point in points if point["ci"] is not None]
    held = [*edges, *(point["estimate"] for point in points), *(bars[-1] if bars else [])]
    margin = 0.35 * (max(held) - min(held)) or 1.0
    low, high = factor * (min(held) - margin), factor * (max(held) + margin)
    for band in h["bands"]:
        bottom = low if band["lower"] is None else factor * band["lower"]
        top = high if band["upper"] is None else factor * band["upper"]
        axes.axhspan(bottom, top, color=TINT if band["name"] == h["predicted"] else SHADE, linewidth=0, zorder=1)
        if band["upper"] is not None:
            axes.axhline(top, color=MUTED, linewidth=0.8, zorder=2)
    axes.set_ylim(low, high)
