"""What each group's answers say of it alone, as a normal distribution: where the sampler's geometry starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.bayes.cells import CellCounts, FloatArray


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


def are_items_well_measured(cells: CellCounts) -> bool:
    """Whether the typical item's answers at a level outweigh an item SD of 1 logit."""
    levels = range(len(cells.design.levels))
    n_AI = np.stack([cells.n_GI[cells.design.level_G == a].sum(axis=0) for a in levels])
    k_AI = np.stack([cells.k_GI[cells.design.level_G == a].sum(axis=0) for a in levels])
    rate_AI = (k_AI + 0.5) / (n_AI + 1.0)
    return float(np.median(n_AI * rate_AI * (1.0 - rate_AI))) > 1.0
