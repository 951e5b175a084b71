"""Replication units as numbers: what every seed-level estimator reads from a `Sample`."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.prereg.errors import BadInput, Finding, NoSpread, NotFinite, NotPaired, TooFewUnits

type FloatArray = NDArray[np.float64]

# A standard error this far below the data is rounding error: averaging n answers loses about n * 1e-16.
ROUNDING = 1e-11

# Beyond this a squared deviation overflows; no measure of a completion comes near it.
LARGEST = 1e150


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSummary:
    """One level's units, reduced to what t methods need.

    Parameters
    ----------
    name, weight
        Of the level.
    n
        Number of units.
    mean
        Mean over units, each unit weighing the same.
    ss
        Sum of squared deviations from that mean.
    magnitude
        Largest absolute unit mean: the scale against which rounding error is judged.
    """

    name: str
    weight: float
    n: int
    mean: float
    ss: float
    magnitude: float


def summarise(name: str, weight: float, values: Mapping[str, float]) -> UnitSummary:
    """Reduce unit means to count, mean and sum of squares, whatever order they come in.

    Raises
    ------
    NotFinite
        A unit mean is NaN, infinite or too large to square.
    """
    refuse_non_finite(name, values)
    mean = math.fsum(values.values()) / len(values)
    return UnitSummary(
        name=name,
        weight=weight,
        n=len(values),
        mean=mean,
        ss=math.fsum((value - mean) ** 2 for value in values.values()),
        magnitude=max(abs(value) for value in values.values()),
    )


def refuse_non_finite(name: str, values: Mapping[str, float]) -> None:
    """Raise `NotFinite` naming every unit whose value is not a usable number."""
    bad = [
        Finding(where=f"level {name!r}, unit {unit!r}", found=str(value), promised="a finite number")
        for unit, value in sorted(values.items())
        if not (abs(value) <= LARGEST)
    ]
    if bad:
        raise NotFinite(f"{len(bad)} unit mean(s) are not finite", *bad)


def weighted_levels(sample: Sample) -> tuple[Level, ...]:
    """Return the levels that take part in the contrast (weight not 0), checked for range.

    Raises
    ------
    BadInput
        Every weight is zero, or a rate lies outside [0, 1].
    """
    levels = tuple(level for level in sample.levels if level.weight != 0)
    if not levels:
        raise BadInput("every weight of the contrast is zero: there is nothing to estimate")
    if sample.is_proportion:
        bad = [
            Finding(where=f"level {level.name!r}, unit {unit!r}", found=str(value), promised="a rate in [0, 1]")
            for level in levels
            for unit, value in sorted(level.unit_means.items())
            if value < 0 or value > 1
        ]
        if bad:
            raise BadInput("the measure is declared a yes/no rate, and is not one", *bad)
    return levels


def require_units(sample: Sample, summaries: list[UnitSummary], *, least: int = 2) -> None:
    """Raise `TooFewUnits` naming every level with fewer than `least` units."""
    short = [
        Finding(where=f"level {s.name!r}", found=f"{s.n} {sample.unit}(s)", promised=f"at least {least}")
        for s in summaries
        if s.n < least
    ]
    if short:
        raise TooFewUnits(f"no standard error with fewer than {least} {sample.unit}s a level", *short)


def unit_contrasts(sample: Sample) -> dict[str, float]:
    """Return the contrast within each unit: unit label -> weighted sum over levels.

    Raises
    ------
    NotPaired
        A unit is present in one level and absent from another; every such unit is listed.
    NotFinite
        A unit mean is NaN or infinite.
    """
    levels = weighted_levels(sample)
    for level in levels:
        refuse_non_finite(level.name, level.unit_means)
    everywhere = sorted(set().union(*(level.unit_means for level in levels)))
    unmatched = [
        Finding(
            where=f"{sample.unit} {unit!r}",
            found="only in " + ", ".join(level.name for level in levels if unit in level.unit_means),
            promised="in " + ", ".join(level.name for level in levels),
        )
        for unit in everywhere
        if not all(unit in level.unit_means for level in levels)
    ]
    if unmatched:
        raise NotPaired(f"{len(unmatched)} {sample.unit}(s) have no partner in another level", *unmatched)
    return {unit: math.fsum(level.weight * level.unit_means[unit] for level in levels) for unit in everywhere}


def scale_limits(sample: Sample) -> tuple[float, float]:
    """Return the least and greatest value the estimand can take; infinite where the measure has no ends.

    Ends that a unit mean lies beyond are only the ones that missing answers are bounded by, and cut nothing.
    """
    ends = (0.0, 1.0) if sample.is_proportion else sample.limits
    levels = [level for level in sample.levels if level.weight != 0]
    if ends is None or any(not ends[0] <= x <= ends[1] for level in levels for x in level.unit_means.values()):
        return -math.inf, math.inf
    return contrast_limits([level.weight for level in levels], ends)


def contrast_limits(weights: Sequence[float], ends: tuple[float, float] = (0.0, 1.0)) -> tuple[float, float]:
    """Return the least and greatest value of a weighted sum of means between `ends`; rates lie between 0 and 1."""
    products = [sorted(weight * end for end in ends) for weight in weights]
    return math.fsum(low for low, _ in products), math.fsum(high for _, high in products)


def has_spread(ss: float, *, magnitude: float) -> bool:
    """Whether a sum of squares is more than rounding error of values of this size."""
    return math.sqrt(ss) > ROUNDING * magnitude and ss > sys.float_info.min


def refuse_flat(sample: Sample, summaries: list[UnitSummary], *, then: str = "") -> None:
    """Refuse levels without spread: they would lend a precision that nothing measured.

    Raises
    ------
    NoSpread
        A level of the contrast whose units all gave the same number; every such level is named.
    """
    flat = [
        Finding(
            where=f"level {s.name!r}", found=f"{s.n} {sample.unit}s, all {s.mean:.6g}", promised="units that differ"
        )
        for s in summaries
        if not has_spread(s.ss, magnitude=s.magnitude)
    ]
    if flat:
        raise NoSpread("a level without spread is no evidence of precision", *flat, then=then)
