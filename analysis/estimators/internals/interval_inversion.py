"""Edge tests for intervals that have no test of their own: the tail at which a limit meets the edge."""

from __future__ import annotations

from collections.abc import Callable

from scipy import optimize, stats

from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate
from seedlock.analysis.estimators.internals.t_interval import p_value

# norm.sf(37) is the smallest tail a float can hold.
LARGEST_Z = 37.0


def inverted_edges(
    estimate: float,
    limits: Callable[[float], tuple[float, float]],
    *,
    level: float,
    edges: tuple[float, ...],
    method: str,
    n_units: int,
    assumes: str,
) -> Estimate:
    """Build an estimate from limits that widen with the normal quantile.

    Parameters
    ----------
    limits
        z >= 0 -> (low, high), both equal to `estimate` at 0, never narrowing.
    """
    low, high = limits(float(stats.norm.isf((1 - level) / 2)))
    return Estimate(
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        ci_level=level,
        ci_method=method,
        n_units=n_units,
        edges=tuple(_edge(estimate, limits, edge) for edge in edges),
        assumes=assumes,
    )


def _edge(estimate: float, limits: Callable[[float], tuple[float, float]], edge: float) -> EdgeTest:
    side = 0 if edge < estimate else 1

    def gap(z: float) -> float:
        return limits(z)[side] - edge

    if edge == estimate:
        z = 0.0
    elif gap(0.0) * gap(LARGEST_Z) > 0:
        z = LARGEST_Z
    else:
        z = float(optimize.brentq(gap, 0.0, LARGEST_Z, xtol=1e-12))
    near, far = p_value(float(stats.norm.sf(z))), p_value(float(stats.norm.cdf(z)))
    return (
        EdgeTest(edge=edge, p_above=near, p_below=far) if side == 0 else EdgeTest(edge=edge, p_above=far, p_below=near)
    )
