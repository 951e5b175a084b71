"""K simulated studies of rates by generalised pivots, a block of studies at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels, contrast, two_sided_band_p
from seedlock.analysis.estimators.internals.rate_pivots import Pivots, tail_ends, tails

BLOCK = 500
"""Studies at once: each holds thousands of points, and simulations may have a million studies."""


def many_by_pivots(
    used: Sequence[ManyLevels],
    pivots_of: Callable[[Sequence[ManyLevels]], Pivots],
    answers_of: Callable[[Sequence[ManyLevels]], NDArray[np.bool_]],
    *,
    level: float,
    edges: Sequence[float],
    limits: tuple[float, float],
) -> Many:
    """Intervals and p-values of every study.

    Parameters
    ----------
    used
        Levels of weight.
    pivots_of
        What a block of studies leaves their weighted sum to be.
    answers_of
        Whether the method answers, shape (K,) of a block.
    """
    blocks = []
    for start in range(0, len(used[0].means_KU), BLOCK):
        some = [replace(lv, means_KU=lv.means_KU[start : start + BLOCK]) for lv in used]
        pivots, has_answer_K = pivots_of(some), answers_of(some)
        low_K, high_K = tail_ends(pivots.low, pivots.high, (1 - level) / 2)
        above_KE, below_KE = (
            np.stack(found, axis=1) for found in zip(*(tails(pivots, edge) for edge in edges), strict=True)
        )
        p_KB = two_sided_band_p(above_KE, below_KE)
        blocks.append(
            Many(
                estimate_K=contrast(some),
                low_K=np.maximum(low_K, limits[0]),
                high_K=np.minimum(high_K, limits[1]),
                has_answer_K=has_answer_K,
                p_KB=np.where(has_answer_K[:, None], p_KB, 1.0),
            )
        )
    whole = {field.name: np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Many)}
    return Many(**whole)
