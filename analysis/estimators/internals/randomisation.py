"""Exact tests whose assignments each turn at one effect size: p-values and interval from the turning points."""

from __future__ import annotations

import math

import numpy as np

from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate
from seedlock.analysis.estimators.internals.t_interval import cut, require_level
from seedlock.analysis.estimators.internals.units import ROUNDING, FloatArray
from seedlock.prereg.errors import NoSpread, Unattainable

MOST_ASSIGNMENTS = 1_000_000


def randomisation_estimate(
    *,
    estimate: float,
    turns_K: FloatArray,
    magnitude: float,
    level: float,
    edges: tuple[float, ...],
    method: str,
    what: str,
    n_units: int,
    limits: tuple[float, float],
    assumes: str,
) -> Estimate:
    """Turn the turning points of all other assignments into tests and an interval.

    Parameters
    ----------
    turns_K
        Shape (K,): for each assignment but the observed, the least effect at which it is at least as high.
    magnitude
        Size of the data; turning points closer to an edge than rounding error count against rejection.

    Raises
    ------
    Unattainable
        1 / (K + 1), the smallest p there is, exceeds (1 - level) / 2.
    NoSpread
        All turning points coincide: an interval without width.
    """
    require_level(level)
    assignments = len(turns_K) + 1
    tail = (1 - level) / 2
    # The smallest p may equal the tail in decimal and miss it in binary.
    rejected = math.floor(tail * assignments * (1 + 1e-12))
    if rejected < 1:
        raise Unattainable(
            f"the smallest p of {assignments} assignments is {1 / assignments:.4g}, above the {tail:.4g} that "
            f"a {level:.4g} interval and its tests need",
            then="plan more units, a larger alpha, or another method",
        )
    tolerance = ROUNDING * magnitude
    ordered_K = np.sort(turns_K)
    if ordered_K[-1] - ordered_K[0] <= tolerance:
        raise NoSpread(f"{what} do not differ within a level: the interval has no width")
    low, high = cut(float(ordered_K[rejected - 1]), float(ordered_K[-rejected]), limits)
    return Estimate(
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        ci_level=level,
        ci_method=f"{method}, {assignments} assignments, smallest p {1 / assignments:.3g}",
        n_units=n_units,
        edges=tuple(
            EdgeTest(
                edge=edge,
                p_above=(1 + int(np.searchsorted(ordered_K, edge + tolerance, side="right"))) / assignments,
                p_below=(assignments - int(np.searchsorted(ordered_K, edge - tolerance, side="left"))) / assignments,
            )
            for edge in edges
        ),
        assumes=assumes,
    )
