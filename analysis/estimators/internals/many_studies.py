"""K simulated studies at once: unit means in, estimates and p-values of every band out."""

# ruff: noqa: N802  (properties carry their axis)

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from seedlock.analysis.estimators.internals.t_interval import LEAST_P
from seedlock.analysis.estimators.internals.units import ROUNDING, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyLevels:
    """Unit means of one level in K studies.

    Parameters
    ----------
    means_KU
        Shape (K, U).
    answers
        Answers behind one of them, where they are counted.
    x
        Number that the level stands at, in steps of a slope; NaN where it is none.
    are_strangers
        Its units share nothing with those of one name at other levels.
    """

    weight: float
    means_KU: FloatArray
    answers: float | None = None
    x: float = math.nan
    are_strangers: bool = False

    @property
    def n_units(self) -> int:
        """Units, the same in every study."""
        return int(self.means_KU.shape[1])

    @property
    def mean_K(self) -> FloatArray:
        """Mean over units, shape (K,)."""
        return np.asarray(self.means_KU.mean(axis=1))

    @property
    def ss_K(self) -> FloatArray:
        """Sum of squares about the mean, shape (K,)."""
        return np.asarray(((self.means_KU - self.mean_K[:, None]) ** 2).sum(axis=1))

    @property
    def has_spread_K(self) -> NDArray[np.bool_]:
        """Whether units differ by more than rounding error, shape (K,); `units.has_spread` in every study."""
        ss_K, size_K = self.ss_K, np.abs(self.means_KU).max(axis=1)
        return np.asarray((np.sqrt(ss_K) > ROUNDING * size_K) & (ss_K > sys.float_info.min))


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
    *,
    estimate_K: FloatArray,
    se_K: FloatArray,
    df_K: FloatArray,
    magnitude_K: FloatArray,
    level: float,
    edges: Sequence[float],
    limits: tuple[float, float],
) -> Many:
    """Everything a t method reports, for K studies: `t_interval.t_estimate` in one go.

    Parameters
    ----------
    estimate_K, se_K, df_K
        On the raw scale, shape (K,) each.
    magnitude_K
        Size of the data, to tell spread from rounding error.
    """
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


def two_sided_band_p(above_KE: FloatArray, below_KE: FloatArray) -> FloatArray:
    """Give every band its p from tests that are no tails of one t: an inner band pays twice, shape (K, E + 1)."""
    above_KE = np.maximum.accumulate(above_KE, axis=1)
    below_KE = np.maximum.accumulate(below_KE[:, ::-1], axis=1)[:, ::-1]
    inner = np.minimum(1.0, 2 * np.minimum(above_KE[:, 1:], below_KE[:, :-1]))
    return np.hstack([above_KE[:, :1], inner, below_KE[:, -1:]])


def magnitude(levels: Sequence[ManyLevels]) -> FloatArray:
    """Weighted size of the data of every study, shape (K,)."""
    return np.asarray(np.sum([abs(lv.weight) * np.abs(lv.means_KU).max(axis=1) for lv in levels], axis=0))


def contrast(levels: Sequence[ManyLevels]) -> FloatArray:
    """Weighted sum of the levels' means in every study, shape (K,)."""
    return np.asarray(np.sum([lv.weight * lv.mean_K for lv in levels], axis=0))
