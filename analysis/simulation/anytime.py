"""Looks at any time in many simulated studies at once; a test holds them equal to the analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels, two_sided_band_p
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.inference.anytime import anytime_p, critical_t


def anytime_many(
    many: Many, levels: Sequence[ManyLevels], *, is_paired: bool, alpha: float, edges: Sequence[float], effect: float
) -> Many:
    """Give K studies, estimated by a t test with one variance, the intervals and p that hold at every look.

    Parameters
    ----------
    many
        The t test's own; studies without an answer stay without one.
    alpha, effect
        As for `analysis.inference.anytime`. Where no data reach `alpha` yet, no study has an answer.
    """
    se_K, df, size = _paired(levels) if is_paired else _pooled(levels)
    critical = critical_t(alpha=alpha, df=df, size=size, effect=effect)
    if not np.isfinite(critical):
        none_K = np.zeros(len(se_K), dtype=bool)
        return replace(many, has_answer_K=none_K, p_KB=np.ones_like(many.p_KB))
    se_K = np.where(many.has_answer_K & (se_K > 0), se_K, 1.0)
    t_KE = (many.estimate_K[:, None] - np.asarray(edges)[None, :]) / se_K[:, None]
    above_KE, below_KE = (anytime_p(sign * t_KE, df=df, size=size, effect=effect) for sign in (1.0, -1.0))
    return replace(
        many,
        low_K=many.estimate_K - critical * se_K,
        high_K=many.estimate_K + critical * se_K,
        p_KB=np.where(many.has_answer_K[:, None], two_sided_band_p(above_KE, below_KE), 1.0),
    )


def _paired(levels: Sequence[ManyLevels]) -> tuple[FloatArray, float, float]:
    """Standard error, df and effective size of the mean contrast within units."""
    contrast_KU = np.sum([lv.weight * lv.means_KU for lv in levels if lv.weight], axis=0)
    units = contrast_KU.shape[1]
    return np.asarray(contrast_KU.std(axis=1, ddof=1) / np.sqrt(units)), units - 1.0, float(units)


def _pooled(levels: Sequence[ManyLevels]) -> tuple[FloatArray, float, float]:
    """The same of a contrast of levels with one variance."""
    df = float(sum(lv.n_units - 1 for lv in levels))
    size = 1 / sum(lv.weight**2 / lv.n_units for lv in levels)
    mse_K = np.sum([lv.ss_K for lv in levels], axis=0) / df
    return np.asarray(np.sqrt(mse_K / size)), df, size
