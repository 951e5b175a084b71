"""Posterior beside prior of the SD between units, which shows whether the data spoke or the prior."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

import numpy as np

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.report.figures.bands import Scale
from seedlock.analysis.report.figures.density import Density, density_of
from seedlock.analysis.report.figures.rows import PER_FIGURE, Row, draw_rows, height_of
from seedlock.analysis.report.figures.style import BLUE, INK, MUTED, Caption, Figure, canvas, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAPTION = Caption(
    look="Whether the filled curve (posterior) differs from the outline (prior).",
    read=(
        "The filled curve is the SD between units after the data, the grey outline before them; the short bar is the "
        "median."
    ),
    otherwise="Had the data held nothing about the spread, filled curve and outline would be the same.",
)


def unit_sd_figures(results: Mapping[str, Any], posteriors: Mapping[str, PosteriorDraws]) -> Iterator[Figure]:
    """One figure a unit of the SD."""
    groups: dict[str, list[tuple[str, PosteriorDraws]]] = {}
    for h in results["hypotheses"]:
        draws = posteriors.get(h["id"])
        if draws is not None and draws.unit_sd_K is not None and np.ptp(draws.unit_sd_K) > 0:
            groups.setdefault(draws.unit_sd_unit, []).append((h["id"], draws))
    number = 0
    for unit, group in groups.items():
        for some in batched(group, PER_FIGURE):
            number += 1
            yield _figure(some, unit=unit, slug=f"unit-sd-{number}")


def _figure(group: Sequence[tuple[str, PosteriorDraws]], *, unit: str, slug: str) -> Figure:
    tops = [float(np.quantile(draws.unit_sd_K, 0.995)) for _, draws in group if draws.unit_sd_K is not None]
    scale = Scale(low=0.0, high=1.15 * max(tops))
    rows, data = [], []
    for name, draws in group:
        if draws.unit_sd_K is None:
            continue
        after = density_of(draws.unit_sd_K, lowest=0.0)
        before = density_of(draws.unit_sd_prior_K, lowest=0.0) if draws.unit_sd_prior_K is not None else None
        middle = float(np.median(draws.unit_sd_K))
        rows.append(Row(label=name, note="", draw=partial(_draw, after, before, middle)))
        data.append({"id": name, "median": middle, "posterior": _curve(after), "prior": _curve(before)})
    with canvas(height_of(rows)) as (figure, (axes,)):
        draw_rows(axes, rows, scale, kind="number", unit=f"SD between units, {unit}".rstrip(", "))
        return finish(
            figure,
            slug=slug,
            title="How large is the spread between units?",
            caption=_CAPTION,
            alt="Posterior and prior of the SD between units for " + ", ".join(name for name, _ in group) + ".",
            data={"unit": unit, "rows": data},
        )


def _draw(after: Density | None, before: Density | None, middle: float, axes: Axes, y: float) -> None:
    floor, tall = y - 0.34, 0.52
    peak = max((float(curve.y.max()) for curve in (after, before) if curve is not None), default=1.0)
    if after is not None:
        axes.fill_between(after.x, floor, floor + tall * after.y / peak, color=BLUE, alpha=0.45, linewidth=0)
    if before is not None:
        axes.plot(before.x, floor + tall * before.y / peak, color=MUTED, linewidth=1.0)
    axes.plot([middle, middle], [floor, floor + 0.14], color=INK, linewidth=1.4)


def _curve(density: Density | None) -> dict[str, list[float]] | None:
    if density is None:
        return None
    return {"x": [round(float(v), 6) for v in density.x], "density": [round(float(v), 6) for v in density.y]}
