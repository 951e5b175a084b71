"""Generalised pivots for a mean rate whose units differ on the logit scale: an interval that respects 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special, stats

from seedlock.analysis.estimators.internals.units import FloatArray

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pivots:
    """What the mean rate of one level may be, in K studies: N equally likely values, in order, shape (K, N) each.

    Parameters
    ----------
    low, high
        For the lower and the upper end: on each side the more cautious of t on the rates and the pivot on logits.
    new_unit
        The rate of one more unit, without the noise of counting its answers.
    """

    low: FloatArray
    high: FloatArray
    new_unit: FloatArray


def rate_pivots(rates_KU: FloatArray, answers: float | None, *, points: int) -> Pivots:
    """Say what K studies of one level leave its mean rate to be.

    Parameters
    ----------
    rates_KU
        Rate of every unit, shape (K, U), in [0, 1]; strictly inside where `answers` is None.
    answers
        Scored answers behind a rate, on average; None where not known, and then no noise of counting is taken off.
    points
        N, a power of two. Quasi-random and fixed: the same input gives the same output.

    Notes
    -----
    Logits of unit rates are taken as normal, mean m and SD s, with half an answer added to hits and misses. The pivots
    m* = mean - Z T / sqrt(U) and T^2 = ss / chi2(U - 1) are exact for m and the total variance (Weerahandi 1993,
    https://doi.org/10.1080/01621459.1993.10476355; for a lognormal mean Krishnamoorthy & Mathew 2003,
    https://doi.org/10.1016/S0378-3758(02)00153-2). T^2 is never below the noise c of counting, and s*^2 = T^2 - c; the
    mean rate is that of expit(m* + s* z) over standard normal z. At low rates the pivot's lower end is too high, where
    counts are few, and t's upper end too low, where units are skewed: taking the wider side of the two covers both.
    """
    z_N, chi_N, new_N = _points(points, rates_KU.shape[1] - 1)
    n_units, mean_K1 = rates_KU.shape[1], rates_KU.mean(axis=1, keepdims=True)
    logit_KU, noise_K1 = logits_of(rates_KU, answers)
    ss_K1 = logit_KU.var(axis=1, keepdims=True) * n_units
    total_KN = np.maximum(ss_K1 / chi_N, noise_K1)
    mean_KN = logit_KU.mean(axis=1, keepdims=True) - z_N * np.sqrt(total_KN / n_units)
    sd_KN = np.sqrt(np.maximum(0.0, total_KN - noise_K1))
    pivot_KN = np.sort(mean_rate(mean_KN, sd_KN), axis=1)
    se_K1 = rates_KU.std(axis=1, ddof=1, keepdims=True) / np.sqrt(n_units)
    t_KN = np.clip(mean_K1 + se_K1 * stats.t.ppf((np.arange(points) + 0.5) / points, n_units - 1), 0.0, 1.0)
    return Pivots(
        low=np.minimum(pivot_KN, t_KN),
        high=np.maximum(pivot_KN, t_KN),
        new_unit=np.sort(special.expit(mean_KN + sd_KN * new_N), axis=1),
    )


def logits_of(rates_KU: FloatArray, answers: float | None) -> tuple[FloatArray, FloatArray]:
    """Logits of unit rates, shape (K, U), and the variance that counting adds to them, shape (K, 1)."""
    mean_K1 = rates_KU.mean(axis=1, keepdims=True)
    if answers is None:
        return np.asarray(special.logit(rates_KU)), np.zeros_like(mean_K1)
    middle_K1 = (mean_K1 * answers + 0.5) / (answers + 1)
    logit_KU = np.log((rates_KU * answers + 0.5) / ((1 - rates_KU) * answers + 0.5))
    return logit_KU, 1 / (answers * middle_K1 * (1 - middle_K1))


def combined(levels: list[Pivots], weights: list[float]) -> Pivots:
    """What a weighted sum of independent levels may be; each level's cautious side by the sign of its weight."""
    points = levels[0].low.shape[1]
    order_LN = (sobol(points, len(levels)).T * points).astype(int)
    low, high = (
        np.sort(
            np.sum(
                [
                    weight * getattr(level, side if weight > 0 else other)[:, order_N]
                    for level, weight, order_N in zip(levels, weights, order_LN, strict=True)
                ],
                axis=0,
            ),
            axis=1,
        )
        for side, other in (("low", "high"), ("high", "low"))
    )
    return Pivots(low=low, high=high, new_unit=levels[0].new_unit)


def tail_ends(low_KN: FloatArray, high_KN: FloatArray, tail: float) -> tuple[FloatArray, FloatArray]:
    """Ends that leave at most `tail` beyond them, shape (K,) each: the inversion of `tails`.

    No edge has a p below 1 / N, so with a `tail` below it there are no ends: they are infinite.
    """
    points, n_studies = low_KN.shape[1], low_KN.shape[0]
    if tail * points < 1:
        return np.full(n_studies, -np.inf), np.full(n_studies, np.inf)
    cut = min(int(tail * points), points // 2)
    return low_KN[:, cut], high_KN[:, points - 1 - cut]


def tails(pivots: Pivots, edge: float) -> tuple[FloatArray, FloatArray]:
    """One-sided p against "at most `edge`" and "at least `edge`", shape (K,) each; never below 1 / N."""
    points = pivots.low.shape[1]
    above = (pivots.low <= edge).sum(axis=1) / points
    below = (pivots.high >= edge).sum(axis=1) / points
    return np.maximum(above, 1 / points), np.maximum(below, 1 / points)


def mean_rate(mean_KN: FloatArray, sd_KN: FloatArray) -> FloatArray:
    """Mean of expit(mean + sd z) over standard normal z, by quadrature."""
    found = np.zeros_like(mean_KN)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        found += weight * special.expit(mean_KN + node * sd_KN)
    return found


@cache
def _points(points: int, df: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Normal, chi-square and normal quantiles of a Sobol sequence, shape (N,) each."""
    inside = sobol(points, 3) + 0.5 / points
    return stats.norm.ppf(inside[:, 0]), stats.chi2.ppf(inside[:, 1], df), stats.norm.ppf(inside[:, 2])


@cache
def sobol(points: int, dimensions: int) -> FloatArray:
    """The first N points, unscrambled: every column holds each of 0, 1/N, ..., 1 - 1/N once."""
    return np.asarray(stats.qmc.Sobol(dimensions, scramble=False).random(points))
