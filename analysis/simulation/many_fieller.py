"""Fieller's share for all simulated studies at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from scipy import stats

from seedlock.analysis.estimators.internals.t_interval import LEAST_P, ROUNDING
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.simulation.many_t import Many, ManyLevels, band_p


def many_fieller(levels: Sequence[ManyLevels], *, level: float, edges: Sequence[float]) -> Many:
    """Estimate a share in K studies.

    Parameters
    ----------
    levels
        Unit means a level, shape (K, U) each, column u the same unit in every level; weights of both signs.
    level, edges
        As for `analysis.estimators.fieller`, whose numbers these are: a test holds them equal. Where that refuses
        (a denominator that cannot be told from 0, no spread), the study has no answer.
    """
    over_KU, under_KU = (_part(levels, sign) for sign in (1.0, -1.0))
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


def _part(levels: Sequence[ManyLevels], sign: float) -> FloatArray:
    """Numerator or denominator of every unit, shape (K, U)."""
    kept = [abs(lv.weight) * lv.means_KU for lv in levels if lv.weight * sign > 0]
    return np.asarray(np.sum(kept, axis=0))
