"""A rank correlation within each unit, then t over units on Fisher's scale: what Spearman's and Kendall's share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from seedlock.analysis.estimators.internals.points import Point, by_unit, points
from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import FloatArray, require_units, summarise
from seedlock.prereg.errors import BadInput, Finding, NoSpread, NotThisDesign

LEAST_NUMBERS = 4
"""Fewer different numbers give too few ranks: three points are in order by chance one time in six."""
LEAST_UNITS = 3


def over_units(
    sample: Sample,
    correlation: Callable[[FloatArray, FloatArray], float],
    *,
    half_step: Callable[[int], float],
    level: float,
    edges: tuple[float, ...],
    name: str,
) -> Estimate:
    """Average a correlation over units on Fisher's scale, and carry the interval back to [-1, 1].

    Parameters
    ----------
    correlation
        Of x and y, shape (points,) each.
    half_step
        Points of a unit -> half the distance from 1 to the next value that the correlation can have; 1 is read as
        that much less, for its z is infinite.
    edges
        Band edges, within (-1, 1).

    Raises
    ------
    NotThisDesign
        A unit with fewer than four different numbers, or levels without numbers.
    TooFewUnits
        Fewer than three units.
    NoSpread
        A unit whose means do not differ has no ranks; or every unit has the same correlation.
    BadInput
        An edge that no correlation can lie beyond.
    NotFinite
        A mean or a number is NaN or infinite.
    """
    bad = [edge for edge in edges if not -1 < edge < 1]
    if bad:
        raise BadInput("a correlation lies between -1 and 1, and so do its bands", _edge_fault(bad[0]))
    units = _checked(sample)
    z = {unit: _fisher(correlation, half_step, own) for unit, own in units.items()}
    summary = summarise("correlation", 1.0, z)
    require_units(sample, [summary], least=LEAST_UNITS)
    variance = summary.ss / (summary.n - 1)
    on_z = t_estimate(
        estimate=summary.mean,
        se=math.sqrt(variance / summary.n),
        df=summary.n - 1,
        magnitude=max(1.0, summary.magnitude),
        level=level,
        edges=tuple(map(math.atanh, edges)),
        method=f"t over {name} within {sample.unit}s on Fisher's scale",
        what=f"correlations within {sample.unit}s",
        n_units=summary.n,
        new_unit_se=math.sqrt(variance * (1 + 1 / summary.n)),
        assumes=f"{sample.unit}s are a sample",
    )
    return _back(on_z, edges)


def _edge_fault(edge: float) -> Finding:
    return Finding(where="bands", found=f"an edge at {edge:g}", promised="edges between -1 and 1")


def _checked(sample: Sample) -> dict[str, list[Point]]:
    units = by_unit(points(sample))
    short = {unit: n for unit, own in units.items() if (n := len({point.x for point in own})) < LEAST_NUMBERS}
    if short:
        raise NotThisDesign(
            f"a rank correlation needs {LEAST_NUMBERS} different numbers in every {sample.unit}",
            *(
                Finding(where=f"{sample.unit} {unit!r}", found=f"{n} numbers", promised=f"at least {LEAST_NUMBERS}")
                for unit, n in short.items()
            ),
        )
    flat = [unit for unit, own in units.items() if len({point.y for point in own}) < 2]
    if flat:
        raise NoSpread(
            f"{len(flat)} {sample.unit}(s) have the same mean at every number: no ranks, no correlation",
            *(
                Finding(where=f"{sample.unit} {unit!r}", found="one mean", promised="means that differ")
                for unit in flat
            ),
        )
    return units


def _fisher(
    correlation: Callable[[FloatArray, FloatArray], float], half_step: Callable[[int], float], own: list[Point]
) -> float:
    r = correlation(np.array([point.x for point in own]), np.array([point.y for point in own]))
    most = 1 - half_step(len(own))
    return math.atanh(min(most, max(-most, r)))


def _back(on_z: Estimate, edges: tuple[float, ...]) -> Estimate:
    assert on_z.prediction is not None  # noqa: S101 - it was asked for
    low, high = on_z.prediction
    return replace(
        on_z,
        estimate=math.tanh(on_z.estimate),
        ci_low=math.tanh(on_z.ci_low),
        ci_high=math.tanh(on_z.ci_high),
        prediction=(math.tanh(low), math.tanh(high)),
        se=None,
        edges=tuple(
            EdgeTest(edge=edge, p_above=test.p_above, p_below=test.p_below, t=test.t)
            for edge, test in zip(edges, on_z.edges, strict=True)
        ),
    )


def unit_text(name: str) -> Callable[[str, str], str]:
    """Unit of a correlation, whatever its levels."""
    return lambda _top, _bottom: name


def pull_of_line(sample: Sample) -> Mapping[str, Mapping[str, float]]:
    """Which way each mean moves the correlation: up beyond the middle of its unit's numbers, down before it."""
    units = by_unit(points(sample))
    found: dict[str, dict[str, float]] = {}
    for unit, own in units.items():
        centre = math.fsum(point.x for point in own) / len(own)
        for point in own:
            found.setdefault(point.level, {})[unit] = point.x - centre
    return found
