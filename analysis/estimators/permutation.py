"""Exact permutation of two arms over their units: no distribution is assumed, every assignment is counted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from seedlock.analysis.estimators.internals.estimator import Estimator, PlannedLevel, SmallestP, Source
from seedlock.analysis.estimators.internals.randomisation import MOST_ASSIGNMENTS, randomisation_estimate
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.units import (
    FloatArray,
    require_units,
    scale_limits,
    summarise,
    weighted_levels,
)
from seedlock.prereg.errors import NotThisDesign


def permutation(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the difference between two arms, with every assignment of units to arms counted.

    Parameters
    ----------
    sample
        Two levels with weights of equal size and opposite sign; U_1 and U_2 units.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure; each is tested by moving one arm by it.

    Returns
    -------
    Estimate
        The interval holds every constant effect that the one-sided tests do not reject.

    Raises
    ------
    Unattainable
        Fewer assignments than the level needs: 3 against 3 give p = .05 at best.
    NotThisDesign
        Not two opposed levels, or more assignments than can be counted.
    TooFewUnits
        A level with fewer than two units.
    NoSpread
        Units of a level do not differ, so that the interval has no width.
    NotFinite
        A unit mean is NaN or infinite.

    Notes
    -----
    Assumes that arms were assigned to seeds at random, and one effect for all. Exact: p is a count over the
    number of assignments, the observed one included. Each assignment's p turns at one effect size, so tests
    and interval come from one list of turning points. Pitman (1937), https://doi.org/10.2307/2984124
    """
    levels = weighted_levels(sample)
    if len(levels) != 2 or levels[0].weight != -levels[1].weight:
        found = ", ".join(f"{lv.name} x {lv.weight:g}" for lv in levels)
        raise NotThisDesign(f"permutation compares two arms with opposite weights; the contrast is {found}")
    summaries = [summarise(lv.name, lv.weight, lv.unit_means) for lv in levels]
    require_units(sample, summaries)
    plus, minus = sorted(levels, key=lambda lv: -lv.weight)
    first = plus.weight * np.array([plus.unit_means[u] for u in sorted(plus.unit_means)])
    second = plus.weight * np.array([minus.unit_means[u] for u in sorted(minus.unit_means)])
    if math.comb(len(first) + len(second), len(first)) > MOST_ASSIGNMENTS:
        raise NotThisDesign(
            f"{len(first)} against {len(second)} {sample.unit}s have more than {MOST_ASSIGNMENTS} assignments",
            then="name pooled_t in the plan: with this many units it needs no permutation",
        )
    return randomisation_estimate(
        estimate=math.fsum(first) / len(first) - math.fsum(second) / len(second),
        turns_K=_turning_points(first, second),
        magnitude=math.fsum(abs(s.weight) * s.magnitude for s in summaries),
        level=level,
        edges=edges,
        method=f"exact permutation of {sample.unit}s",
        what=f"{sample.unit} means",
        n_units=len(first) + len(second),
        limits=scale_limits(sample),
        assumes=f"arms assigned to {sample.unit}s at random; one effect for all",
    )


def _turning_points(first: FloatArray, second: FloatArray) -> FloatArray:
    """Effect at which each other assignment is as extreme as the observed one.

    Swapping sets A of the first arm and B of the second, k units each: the permuted difference less the
    observed one changes sign at the effect mean(A) - mean(B).
    """
    means = []
    for k in range(1, min(len(first), len(second)) + 1):
        mean_A = np.array([math.fsum(s) / k for s in itertools.combinations(first.tolist(), k)])
        mean_B = np.array([math.fsum(s) / k for s in itertools.combinations(second.tolist(), k)])
        means.append((mean_A[:, None] - mean_B[None, :]).ravel())
    return np.concatenate(means)


def _smallest_p(levels: Mapping[str, PlannedLevel]) -> SmallestP | None:
    sizes = [level.n_units for level in levels.values()]
    if len(sizes) != 2:
        return None
    return SmallestP(p=1 / math.comb(sum(sizes), sizes[0]), says=f"{sizes[0]} v {sizes[1]} units")


ESTIMATOR = Estimator(
    run=permutation,
    family="randomisation",
    says="an exact test and interval that count every assignment of units to arms",
    source=(Source(text="Pitman (1937), J. Royal Stat. Society Supplement", doi="10.2307/2984124"),),
    smallest_p=_smallest_p,
    spread="one",
)
