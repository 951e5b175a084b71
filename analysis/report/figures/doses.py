"""Unit means over the numbers they stand at: what a slope, a rank correlation or an adjusted contrast is made from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.style import BLUE, INK, MUTED, ORANGE, SHADE, Caption, Figure, canvas, finish
from seedlock.analysis.report.text.formats import is_proportion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 40
"""Units that get a line of their own; of more only the points are drawn."""
LOGS = {"log2": 2, "log10": 10}

_READ = {
    "slope": (
        "A point is one unit's mean at one number; a thin line joins the points of one unit. The thick line has the "
        "estimated slope through the mean of all points, the grey wedge the slopes of its interval."
    ),
    "correlation": "A point is one unit's mean at one number; a thin line joins the points of one unit.",
    "adjusted": "A point is one unit's mean, beside its own mean of the covariate; levels differ in shape and colour.",
}
_LOOK = {
    "slope": "Whether the thin lines rise or fall together, and whether a straight line does them justice.",
    "correlation": "Whether the thin lines rise or fall together, each in its own way.",
    "adjusted": "Whether levels overlap in the covariate: where they do not, the adjustment reaches beyond the data.",
}
_OTHERWISE = {
    "slope": "Had the number not mattered, the thin lines would cross each other without direction.",
    "correlation": "Had the number not mattered, the thin lines would cross each other without direction.",
    "adjusted": "Had the covariate explained the difference, the levels' points would lie along one line.",
}
SHAPES = ("o", "s", "^", "D", "v")


def dose_figures(results: Mapping[str, Any]) -> Iterator[Figure]:
    """One figure a hypothesis over numbers that has an estimate."""
    drawn = [h for h in results["hypotheses"] if h.get("dose") and h["estimate"] is not None and _points(h)]
    for number, h in enumerate(drawn, start=1):
        yield _figure(h, slug=f"doses-{number}")


def _points(h: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [unit for unit in h["units"] if unit.get("number") is not None and unit["mean"] is not None]


def _figure(h: Mapping[str, Any], *, slug: str) -> Figure:
    dose, points = h["dose"], _points(h)
    factor = 100.0 if is_proportion(h) else 1.0
    own = h["unit_text"].partition(" per ")[0] if dose["kind"] == "slope" else h["measure"]
    with canvas(3.0) as (figure, (axes,)):
        if dose["kind"] == "adjusted":
            _levels(axes, points, factor)
        else:
            _units(axes, points, factor)
        if dose["kind"] == "slope" and h["scale"] == "raw":
            _line(axes, h, points, factor)
        if dose["scale"] in LOGS:
            axes.set_xscale("log", base=LOGS[dose["scale"]])
            axes.set_xticks(numbers := sorted({round(p["number"], 9) for p in points}), [f"{n:g}" for n in numbers])
            axes.minorticks_off()
        axes.set_xlabel(dose["of"], color=INK)
        axes.set_ylabel("percent" if factor != 1 else own, color=INK)
        figure.tight_layout()
        return finish(
            figure,
            slug=slug,
            title=f"How does {h['measure']} go with {dose['of']}?",
            caption=Caption(look=_LOOK[dose["kind"]], read=_READ[dose["kind"]], otherwise=_OTHERWISE[dose["kind"]]),
            alt=f"Unit means of {h['id']} over {dose['of']}, {len(points)} points. {h['decision']}.",
            data={"id": h["id"], "dose": dose, "points": points},
        )


def _units(axes: Axes, points: list[Mapping[str, Any]], factor: float) -> None:
    by_unit: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        by_unit.setdefault(str(point["unit"]), []).append((point["number"], factor * point["mean"]))
    style = "-" if len(by_unit) <= MOST_LINES else ""
    for own in by_unit.values():
        x, y = zip(*sorted(own), strict=True)
        axes.plot(x, y, f"o{style}", color=MUTED, linewidth=0.7, markersize=3.5, markeredgecolor=ORANGE)


def _levels(axes: Axes, points: list[Mapping[str, Any]], factor: float) -> None:
    for place, level in enumerate(dict.fromkeys(str(point["level"]) for point in points)):
        own = [(p["number"], factor * p["mean"]) for p in points if str(p["level"]) == level]
        x, y = zip(*own, strict=True)
        colour, shape = (BLUE, ORANGE, INK, MUTED)[place % 4], SHAPES[place % len(SHAPES)]
        axes.plot(x, y, shape, color=colour, markersize=4.5, markerfacecolor="none", label=level)
    axes.legend(frameon=False, fontsize=7)


def _step(dose: Mapping[str, Any], number: float) -> float:
    """A number in steps of the slope."""
    along = number if dose["scale"] == "linear" else math.log(number, LOGS[dose["scale"]])
    return float(along / dose["per"])


def _line(axes: Axes, h: Mapping[str, Any], points: list[Mapping[str, Any]], factor: float) -> None:
    """The estimated slope, and those of its interval, through the mean of all points."""
    x = [_step(h["dose"], p["number"]) for p in points]
    at, height = sum(x) / len(x), factor * sum(p["mean"] for p in points) / len(points)
    ends = (min(x), max(x))
    shown = [min(p["number"] for p in points), max(p["number"] for p in points)]

    def through(slope: float) -> list[float]:
        return [height + factor * slope * (end - at) for end in ends]

    if h["ci"] is not None:
        low, high = through(h["ci"][0]), through(h["ci"][1])
        axes.fill_between(shown, low, high, color=SHADE, linewidth=0, zorder=0)
    axes.plot(shown, through(h["estimate"]), color=BLUE, linewidth=2.0, zorder=3)
