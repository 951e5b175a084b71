"""The slope within each unit, then t over units: for units that are the same run or seed at every dose."""

from __future__ import annotations

import math
from collections.abc import Mapping

from seedlock.analysis.estimators import paired_t
from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.points import Point, as_pull, by_unit, points
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import require_units, summarise
from seedlock.prereg.errors import Finding, NotThisDesign


def slope_t(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the mean over units of the least-squares slope within a unit, with U - 1 degrees of freedom.

    Parameters
    ----------
    sample
        Levels with `unit_x`: the number that each unit stands at there, in steps of the slope. Units may stand at
        different numbers, and at different numbers of them.
    level
        Two-sided confidence level.
    edges
        Band edges, in units of the measure per step.

    Returns
    -------
    Estimate
        `n_units` counts units; `unit_sd` is the SD of slopes between units; `prediction` is for one new unit's slope.
        Where every unit stands at the same numbers it is `paired_t` on the slope's weights to the last digit.

    Raises
    ------
    NotThisDesign
        A unit with fewer than two different numbers (every such unit is listed), or levels without numbers.
    TooFewUnits
        Fewer than two units.
    NoSpread
        Every unit has the same slope.
    NotFinite
        A mean or a number is NaN or infinite.

    Notes
    -----
    A slope a subject, then a t over subjects: Lorch & Myers (1990), https://doi.org/10.1037/0278-7393.16.1.149.
    Nothing is assumed of the noise within a unit, and a curve has as its slope that of the straight line nearest to it.
    """
    slopes = {unit: _dot(_weights(own), own) for unit, own in _with_slopes(sample).items()}
    summary = summarise("slope", 1.0, slopes)
    require_units(sample, [summary])
    variance = summary.ss / (summary.n - 1)
    return t_estimate(
        estimate=summary.mean,
        se=math.sqrt(variance / summary.n),
        df=summary.n - 1,
        magnitude=_magnitude(sample),
        level=level,
        edges=edges,
        method=f"t over slopes within {sample.unit}s",
        what=f"slopes within {sample.unit}s",
        n_units=summary.n,
        unit_sd=math.sqrt(variance),
        new_unit_se=math.sqrt(variance * (1 + 1 / summary.n)),
        assumes=f"{sample.unit}s are a sample",
    )


def _with_slopes(sample: Sample) -> dict[str, list[Point]]:
    units = by_unit(points(sample))
    flat = [unit for unit, own in units.items() if len({point.x for point in own}) < 2]
    if flat:
        raise NotThisDesign(
            f"{len(flat)} {sample.unit}(s) stand at one number and have no slope",
            *(Finding(where=f"{sample.unit} {unit!r}", found="one number", promised="two or more") for unit in flat),
        )
    return units


def _weights(own: list[Point]) -> list[float]:
    """A unit's slope as a weighted sum of its means."""
    centre = math.fsum(point.x for point in own) / len(own)
    about = math.fsum((point.x - centre) ** 2 for point in own)
    return [(point.x - centre) / about for point in own]


def _dot(weights: list[float], own: list[Point]) -> float:
    return math.fsum(weight * point.y for weight, point in zip(weights, own, strict=True))


def _magnitude(sample: Sample) -> float:
    """Size of the data that a slope is made of."""
    return max(
        math.fsum(abs(weight * point.y) for weight, point in zip(_weights(own), own, strict=True))
        for own in _with_slopes(sample).values()
    )


def _pull(sample: Sample) -> Mapping[str, Mapping[str, float]]:
    units = _with_slopes(sample)
    return as_pull(
        {
            (point.level, unit): weight / len(units)
            for unit, own in units.items()
            for weight, point in zip(_weights(own), own, strict=True)
        }
    )


ESTIMATOR = Estimator(
    run=slope_t,
    family="regression",
    says="a t interval on slopes within units: a line is fitted to each unit's own means",
    source=(Source(text="Lorch & Myers (1990), J. Experimental Psychology: LMC", doi="10.1037/0278-7393.16.1.149"),),
    is_paired=True,
    reads="dose",
    pull=_pull,
    simulate=paired_t.ESTIMATOR.simulate,
)
