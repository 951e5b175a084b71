"""Generalised pivots for a contrast of rates within units that are the same run at every level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from seedlock.analysis.estimators.internals.rate_pivots import Pivots, logits_of, mean_rate, sobol
from seedlock.analysis.estimators.internals.units import FloatArray, contrast_limits


def paired_rate_pivots(
    rates_LKU: Sequence[FloatArray], weights: Sequence[float], answers: Sequence[float | None], *, points: int
) -> Pivots:
    """Say what K studies leave a weighted sum of mean rates to be, column u of every level being one unit.

    Parameters
    ----------
    rates_LKU
        Rate of every unit at each of L levels, shape (K, U) each, in [0, 1]; U > L.
    weights
        Of the levels, none of them 0.
    answers
        Scored answers behind a rate, on average, one number a level; None where not known.
    points
        N, a power of two. Quasi-random and fixed.

    Notes
    -----
    Logits of a unit's rates are taken as jointly normal. With V V' the Cholesky form of their sums of squares and Q
    that of a standard Wishart matrix (Bartlett), A* = V / Q is the pivot of the Cholesky form of their covariance, and
    mean - A* z / sqrt(U) that of their means (Weerahandi 1993, https://doi.org/10.1080/01621459.1993.10476355; for
    several normal variables Gamage, Mathew & Weerahandi 2004, Journal of Multivariate Analysis 88:177). The level whose
    rates differ most comes first: its pivots are then those that `rate_pivots` has for it alone. As there, a variance
    is never below the noise of counting, which is taken off before a rate's mean is, and on each side the wider of the
    pivot and of t on the contrasts stands.
    """
    draws = _draws(points, len(weights), rates_LKU[0].shape[1])
    n_units = rates_LKU[0].shape[1]
    order_LK = np.argsort([-rates_KU.std(axis=1) for rates_KU in rates_LKU], axis=0, kind="stable")
    found = [logits_of(rates_KU, n) for rates_KU, n in zip(rates_LKU, answers, strict=True)]
    logit_LKU, noise_LK = np.array([logit for logit, _ in found]), np.array([noise[:, 0] for _, noise in found])
    logit_LKU = np.take_along_axis(logit_LKU, order_LK[:, :, None], axis=0)
    noise_LK = np.take_along_axis(noise_LK, order_LK, axis=0)
    weight_LK = np.asarray(weights)[order_LK]
    root_KLN = _roots(logit_LKU, draws.inverse_NLL)
    pivot_KN, new_KN = np.zeros((2, logit_LKU.shape[1], points))
    for place, (root_KNL, noise_K) in enumerate(zip(root_KLN, noise_LK, strict=True)):
        size_KN = np.sqrt((root_KNL**2).sum(axis=2))
        along_KNL = np.divide(root_KNL, size_KN[:, :, None], out=np.zeros_like(root_KNL), where=size_KN[:, :, None] > 0)
        along_KNL[:, :, place] += size_KN == 0
        total_KN = np.maximum(size_KN, np.sqrt(noise_K)[:, None])
        mean_KN = logit_LKU[place].mean(axis=1)[:, None]
        mean_KN = mean_KN - (along_KNL * draws.z_NL).sum(axis=2) * total_KN / math.sqrt(n_units)
        sd_KN = np.sqrt(np.maximum(0.0, total_KN**2 - noise_K[:, None]))
        pivot_KN += weight_LK[place][:, None] * mean_rate(mean_KN, sd_KN)
        new_logit_KN = mean_KN + sd_KN * (along_KNL * draws.new_NL).sum(axis=2)
        new_KN += weight_LK[place][:, None] * special.expit(new_logit_KN)
    pivot_KN.sort(axis=1)
    t_KN = _t_points(np.sum([w * r for w, r in zip(weights, rates_LKU, strict=True)], axis=0), weights, points)
    return Pivots(low=np.minimum(pivot_KN, t_KN), high=np.maximum(pivot_KN, t_KN), new_unit=np.sort(new_KN, axis=1))


def _roots(logit_LKU: FloatArray, inverse_NLL: FloatArray) -> list[FloatArray]:
    """Rows of A* = V / Q, one a level, shape (K, N, L) each; V by orthogonalising deviations, which may be singular."""
    deviation_LKU = logit_LKU - logit_LKU.mean(axis=2, keepdims=True)
    axes: list[FloatArray] = []
    roots = []
    for own_KU in deviation_LKU:
        rest_KU = own_KU.copy()
        v_LK = []
        for axis_KU in axes:
            v_LK.append((own_KU * axis_KU).sum(axis=1))
            rest_KU = rest_KU - v_LK[-1][:, None] * axis_KU
        length_K = np.sqrt((rest_KU**2).sum(axis=1))
        axes.append(np.divide(rest_KU, length_K[:, None], out=np.zeros_like(rest_KU), where=length_K[:, None] > 1e-12))
        v_KL = np.stack([*v_LK, length_K], axis=1)
        roots.append(np.einsum("kl,nlm->knm", v_KL, inverse_NLL[:, : v_KL.shape[1], :]))
    return roots


def _t_points(contrast_KU: FloatArray, weights: Sequence[float], points: int) -> FloatArray:
    n_units = contrast_KU.shape[1]
    se_K1 = contrast_KU.std(axis=1, ddof=1, keepdims=True) / math.sqrt(n_units)
    t_N = stats.t.ppf((np.arange(points) + 0.5) / points, n_units - 1)
    return np.asarray(np.clip(contrast_KU.mean(axis=1, keepdims=True) + se_K1 * t_N, *contrast_limits(list(weights))))


class _Draws(NamedTuple):
    z_NL: FloatArray
    new_NL: FloatArray
    inverse_NLL: FloatArray
    """Inverse of Q: lower triangular, chi on the diagonal and standard normal below it."""


@cache
def _draws(points: int, n_levels: int, n_units: int) -> _Draws:
    below = [(i, j) for i in range(n_levels) for j in range(i)]
    inside = sobol(points, 3 * n_levels + len(below)) + 0.5 / points
    normal = stats.norm.ppf(inside)
    q_NLL = np.zeros((points, n_levels, n_levels))
    for level in range(n_levels):
        q_NLL[:, level, level] = np.sqrt(stats.chi2.ppf(inside[:, n_levels + level], n_units - 1 - level))
    for place, (i, j) in enumerate(below):
        q_NLL[:, i, j] = normal[:, 3 * n_levels + place]
    return _Draws(
        z_NL=normal[:, :n_levels], new_NL=normal[:, 2 * n_levels : 3 * n_levels], inverse_NLL=np.linalg.inv(q_NLL)
    )
