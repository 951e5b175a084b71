"""A share: the mean of one thing over the mean of another, both known in the same units."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats

from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels, band_p
from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import LEAST_P, p_value, require_level, require_spread
from seedlock.analysis.estimators.internals.units import (
    ROUNDING,
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
    _require_both_signs(lv.weight for lv in sample.levels)
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


def _require_both_signs(weights: Iterable[float]) -> None:
    if {math.copysign(1, weight) for weight in weights if weight != 0} != {1.0, -1.0}:
        raise NotThisDesign("a share needs levels of positive weight over levels of negative weight")


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


def _unit(above: str, below: str) -> str:
    return f"{above} as a share of {below}"


def _simulate(
    levels: Sequence[ManyLevels],
    *,
    level: float,
    edges: Sequence[float],
    limits: tuple[float, float],  # noqa: ARG001 - a share has no end
) -> Many:
    """Column u of every level is the same unit; no answer where the denominator cannot be told from 0."""
    _require_both_signs(lv.weight for lv in levels)
    over_KU, under_KU = (_side(levels, sign) for sign in (1.0, -1.0))
    n = over_KU.shape[1]
    top_K, bottom_K = over_KU.mean(axis=1), under_KU.mean(axis=1)
    off_over_KU, off_under_KU = over_KU - top_K[:, None], under_KU - bottom_K[:, None]
    v_top_K, v_bottom_K, both_K = (
        (a * b).sum(axis=1) / (n - 1) / n
        for a, b in ((off_over_KU, off_over_KU), (off_under_KU, off_under_KU), (off_over_KU, off_under_KU))
    )
    t = float(stats.t.ppf((1 + level) / 2, n - 1))
    lead_K = bottom_K * bottom_K - t * t * v_bottom_K
    answered_K = (lead_K > 0) & (np.abs(bottom_K) > sys.float_info.min)
    bottom_K, lead_K = np.where(answered_K, bottom_K, 1.0), np.where(answered_K, lead_K, 1.0)
    share_K = top_K / bottom_K
    middle_K = top_K * bottom_K - t * t * both_K
    root_K = np.sqrt(np.maximum(0.0, middle_K * middle_K - lead_K * (top_K * top_K - t * t * v_top_K)))
    magnitude_K = np.abs(over_KU).max(axis=1) + np.abs(share_K) * np.abs(under_KU).max(axis=1)
    left_KEU = over_KU[:, None, :] - np.asarray(edges)[None, :, None] * under_KU[:, None, :]
    mean_KE = np.sign(bottom_K)[:, None] * left_KEU.mean(axis=2)
    se_KE = left_KEU.std(axis=2, ddof=1) / np.sqrt(n)
    size_KE = magnitude_K[:, None] + np.abs(np.asarray(edges))[None, :] * np.abs(under_KU).max(axis=1)[:, None]
    answered_K &= ((se_KE > ROUNDING * size_KE) & (se_KE > sys.float_info.min)).all(axis=1)
    t_KE = mean_KE / np.where(answered_K[:, None], se_KE, 1.0)
    above_KE = np.clip(stats.t.sf(t_KE, n - 1), LEAST_P, 1.0)
    below_KE = np.clip(stats.t.cdf(t_KE, n - 1), LEAST_P, 1.0)
    return Many(
        estimate_K=np.where(answered_K, share_K, 0.0),
        low_K=np.where(answered_K, (middle_K - root_K) / lead_K, 0.0),
        high_K=np.where(answered_K, (middle_K + root_K) / lead_K, 0.0),
        has_answer_K=answered_K,
        p_KB=np.where(answered_K[:, None], band_p(above_KE, below_KE), 1.0),
    )


def _side(levels: Sequence[ManyLevels], sign: float) -> FloatArray:
    """Numerator or denominator of every unit, shape (K, U)."""
    kept = [abs(lv.weight) * lv.means_KU for lv in levels if lv.weight * sign > 0]
    return np.asarray(np.sum(kept, axis=0))


ESTIMATOR = Estimator(
    run=fieller,
    family="ratio of unit means",
    says="a share of two contrasts of unit means with Fieller's interval: units are matched by name across the levels",
    source=(Source(text="Fieller (1954), J. Royal Stat. Society B", doi="10.1111/j.2517-6161.1954.tb00159.x"),),
    is_paired=True,
    simulate=_simulate,
    unit_of_estimate=_unit,
)
