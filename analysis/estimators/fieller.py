"""A share: the mean of one thing over the mean of another, both known in the same units."""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy import stats

from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import p_value, require_level, require_spread
from seedlock.analysis.estimators.internals.units import (
    FloatArray,
    require_units,
    summarise,
    unit_contrasts,
    weighted_levels,
)
from seedlock.prereg.errors import NoDenominator, NotThisDesign


def fieller(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate (levels of positive weight) / (levels of negative weight), each a weighted mean over the same units.

    Parameters
    ----------
    sample
        Levels whose units carry the same labels, U units; positive weights make the numerator, negative ones (by size)
        the denominator.
    level
        Two-sided confidence level.
    edges
        Shares, without a unit.

    Returns
    -------
    Estimate
        With the interval of all shares r that a t test of "numerator - r x denominator = 0" keeps, U - 1 df, and with
        that test at every edge. `se` is of first order.

    Raises
    ------
    NotThisDesign
        No level of positive or of negative weight.
    NoDenominator
        The denominator cannot be told from 0 at this level: a share of nothing is not defined.
    NotPaired, TooFewUnits, NoSpread, NotFinite
        As `paired_t`.

    Notes
    -----
    Fieller (1954), https://doi.org/10.1111/j.2517-6161.1954.tb00159.x
    """
    require_level(level)
    if {math.copysign(1, lv.weight) for lv in weighted_levels(sample)} != {1.0, -1.0}:
        raise NotThisDesign("a share needs levels of positive weight over levels of negative weight")
    over_U, under_U = _parts(sample)
    n = len(over_U)
    require_units(sample, [summarise("share", 1.0, {str(u): float(x) for u, x in enumerate(over_U)})])
    top, bottom = float(over_U.mean()), float(under_U.mean())
    cov = np.cov(np.stack([over_U, under_U]), ddof=1) / n
    v_top, v_bottom, both = float(cov[0, 0]), float(cov[1, 1]), float(cov[0, 1])
    t = float(stats.t.ppf((1 + level) / 2, n - 1))
    if t * t * v_bottom >= bottom * bottom or abs(bottom) <= sys.float_info.min:
        raise NoDenominator(f"the mean below the line, {bottom:.4g}, cannot be told from 0 over {n} {sample.unit}s")
    low, high = _interval(top, bottom, (v_top, v_bottom, both), t)
    share = top / bottom
    magnitude = float(np.abs(over_U).max() + abs(share) * np.abs(under_U).max())
    return Estimate(
        estimate=share,
        ci_low=low,
        ci_high=high,
        ci_level=level,
        ci_method=f"Fieller over {sample.unit}s",
        n_units=n,
        se=_se(share, bottom, (v_top, v_bottom, both)),
        df=n - 1,
        edges=tuple(_edge(edge, over_U, under_U, magnitude, sample.unit) for edge in edges),
        assumes=f"{sample.unit}s are a sample, with both means from each; their errors are normal",
    )


def _parts(sample: Sample) -> tuple[FloatArray, FloatArray]:
    """Numerator and denominator of every unit, shape (U,), in label order."""
    levels = weighted_levels(sample)
    labels = sorted(unit_contrasts(sample))

    def weighted(sign: float) -> FloatArray:
        kept = [lv for lv in levels if lv.weight * sign > 0]
        return np.array([math.fsum(abs(lv.weight) * lv.unit_means[unit] for lv in kept) for unit in labels])

    return weighted(1.0), weighted(-1.0)


def _interval(top: float, bottom: float, cov: tuple[float, float, float], t: float) -> tuple[float, float]:
    """Both roots of (top - r bottom)^2 = t^2 var(top - r bottom)."""
    v_top, v_bottom, both = cov
    a = bottom * bottom - t * t * v_bottom
    b = top * bottom - t * t * both
    c = top * top - t * t * v_top
    root = math.sqrt(max(0.0, b * b - a * c))
    return (b - root) / a, (b + root) / a


def _se(share: float, bottom: float, cov: tuple[float, float, float]) -> float:
    v_top, v_bottom, both = cov
    return math.sqrt(max(0.0, v_top - 2 * share * both + share * share * v_bottom)) / abs(bottom)


def _edge(edge: float, over_U: FloatArray, under_U: FloatArray, magnitude: float, unit: str) -> EdgeTest:
    """One t test that the share is the edge; a negative denominator turns the sides round."""
    left_U = math.copysign(1.0, float(under_U.mean())) * (over_U - edge * under_U)
    se = float(left_U.std(ddof=1)) / math.sqrt(len(left_U))
    require_spread(se, magnitude=magnitude + abs(edge) * float(np.abs(under_U).max()), what=f"shares of {unit}s")
    t = float(left_U.mean()) / se
    df = len(left_U) - 1
    return EdgeTest(
        edge=edge, p_above=p_value(float(stats.t.sf(t, df))), p_below=p_value(float(stats.t.cdf(t, df))), t=t
    )
