"""The t estimators of a plan for all simulated studies at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from seedlock.analysis.estimators.internals.t_interval import LEAST_P, ROUNDING
from seedlock.analysis.estimators.internals.units import FloatArray

T_TESTS = ("pooled_t", "welch_t", "paired_t", "one_sample_t")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyLevels:
    """Unit means of one level: its weight, and shape (K, U)."""

    weight: float
    means_KU: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """One hypothesis estimated in K studies.

    Parameters
    ----------
    has_answer_K
        False where the estimator refuses: too few units, or no spread.
    p_KB
        p of every band, lowest first; 1 where there is no answer.
    """

    estimate_K: FloatArray
    low_K: FloatArray
    high_K: FloatArray
    has_answer_K: NDArray[np.bool_]
    p_KB: FloatArray


def many_t(
    test: str,
    levels: Sequence[ManyLevels],
    *,
    level: float,
    edges: Sequence[float],
    limits: tuple[float, float],
) -> Many:
    """Estimate a contrast in K studies by the t method that `test` names.

    Parameters
    ----------
    levels
        Unit means a level; `paired_t` takes column u of every level as the same unit.
    level, edges, limits
        As for the estimators of `analysis.estimators`, whose numbers these are: a test holds them equal.
    """
    estimate_K, se_K, df_K, magnitude_K = _moments(test, levels)
    answered_K = (se_K > ROUNDING * magnitude_K) & (se_K > sys.float_info.min) & (df_K >= 1)
    se_K = np.where(answered_K, se_K, 1.0)
    df_K = np.where(answered_K, df_K, 1.0)
    once, back_K = np.unique(df_K, return_inverse=True)
    half_K = np.asarray(stats.t.isf((1 - level) / 2, once))[back_K] * se_K
    t_KE = (estimate_K[:, None] - np.asarray(edges)[None, :]) / se_K[:, None]
    above_KE = np.clip(stats.t.sf(t_KE, df_K[:, None]), LEAST_P, 1.0)
    below_KE = np.clip(stats.t.cdf(t_KE, df_K[:, None]), LEAST_P, 1.0)
    return Many(
        estimate_K=estimate_K,
        low_K=np.maximum(estimate_K - half_K, limits[0]),
        high_K=np.minimum(estimate_K + half_K, limits[1]),
        has_answer_K=answered_K,
        p_KB=np.where(answered_K[:, None], band_p(above_KE, below_KE), 1.0),
    )


def band_p(above_KE: FloatArray, below_KE: FloatArray) -> FloatArray:
    """Give every band its p from the t tests at every edge: `decide_bands` for K studies, shape (K, E + 1)."""
    above_KE = np.maximum.accumulate(above_KE, axis=1)
    below_KE = np.maximum.accumulate(below_KE[:, ::-1], axis=1)[:, ::-1]
    inner = np.minimum(above_KE[:, :-1] + above_KE[:, 1:], below_KE[:, :-1] + below_KE[:, 1:])
    return np.hstack([above_KE[:, :1], np.minimum(1.0, inner), below_KE[:, -1:]])


def _moments(test: str, levels: Sequence[ManyLevels]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Estimate, standard error, degrees of freedom and size of the data, each of shape (K,)."""
    magnitude_K = np.sum([abs(lv.weight) * np.abs(lv.means_KU).max(axis=1) for lv in levels], axis=0)
    if test == "paired_t":
        contrast_KU = np.sum([lv.weight * lv.means_KU for lv in levels if lv.weight != 0], axis=0)
        n = contrast_KU.shape[1]
        se_K = contrast_KU.std(axis=1, ddof=1) / np.sqrt(n)
        return contrast_KU.mean(axis=1), se_K, np.full(len(se_K), n - 1.0), magnitude_K
    used = [lv for lv in levels if lv.weight != 0] if test == "welch_t" else list(levels)
    estimate_K = np.sum([lv.weight * lv.means_KU.mean(axis=1) for lv in used], axis=0)
    sizes = [lv.means_KU.shape[1] for lv in used]
    ss = [((lv.means_KU - lv.means_KU.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) for lv in used]
    if test == "welch_t":
        parts = [lv.weight**2 * s / (n - 1) / n for lv, s, n in zip(used, ss, sizes, strict=True)]
        variance_K = np.sum(parts, axis=0)
        safe_K = np.where(variance_K > 0, variance_K, 1.0)
        df_K = 1 / np.maximum(
            np.sum([(p / safe_K) ** 2 / (n - 1) for p, n in zip(parts, sizes, strict=True)], axis=0), 1e-300
        )
        return estimate_K, np.sqrt(variance_K), df_K, magnitude_K
    df = float(sum(n - 1 for n in sizes))
    factor = sum(lv.weight**2 / n for lv, n in zip(used, sizes, strict=True))
    return estimate_K, np.sqrt(np.sum(ss, axis=0) / df * factor), np.full(len(estimate_K), df), magnitude_K
