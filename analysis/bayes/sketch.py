"""What each group's answers say of it alone, as a normal distribution: where the sampler's geometry starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedlock.analysis.bayes.cells import CellCounts, FloatArray
from seedlock.analysis.bayes.pieces import zero_sum_back


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogitSketch:
    """Each group's logit and the information its own answers carry about it, n p (1 - p), shape (G,)."""

    logit_G: FloatArray
    information_G: FloatArray


def sketch(cells: CellCounts) -> LogitSketch:
    """Approximate each group's likelihood by a normal one; half a success and half a failure are added."""
    n_G = cells.n_GI.sum(axis=1)
    rate_G = (cells.k_GI.sum(axis=1) + 0.5) / (n_G + 1.0)
    return LogitSketch(logit_G=np.log(rate_G / (1.0 - rate_G)), information_G=n_G * rate_G * (1.0 - rate_G))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemSketch:
    """Each level's item shifts, in free zero-sum coordinates (A, I - 1), and the typical item's information (A,)."""

    shift_AJ: FloatArray
    information_A: FloatArray


def sketch_items(cells: CellCounts) -> ItemSketch:
    """Approximate what a level's answers say of its items by one normal distribution a level."""
    levels = range(len(cells.design.levels))
    n_AI = np.stack([cells.n_GI[cells.design.level_G == a].sum(axis=0) for a in levels])
    k_AI = np.stack([cells.k_GI[cells.design.level_G == a].sum(axis=0) for a in levels])
    rate_AI = (k_AI + 0.5) / (n_AI + 1.0)
    logit_AI = np.log(rate_AI / (1.0 - rate_AI))
    shift_AJ = np.zeros((len(levels), n_AI.shape[1] - 1))
    for a in levels:
        zero_sum_back(logit_AI[a] - logit_AI[a].mean(), shift_AJ[a])
    information_A = np.median(n_AI * rate_AI * (1.0 - rate_AI), axis=1)
    return ItemSketch(shift_AJ=shift_AJ, information_A=np.maximum(information_A, 1e-9))
