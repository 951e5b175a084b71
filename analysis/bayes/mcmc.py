"""ArviZ's diagnostics on plain arrays, typed; chains and draws are the last two axes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from analysis.bayes.cells import FloatArray


def _stats() -> Any:
    """ArviZ's array layer, which ships no types and loads in half a second."""
    return import_module("arviz_stats.base").array_stats


def bulk_ess(draws_CK: FloatArray) -> FloatArray:
    """Effective sample size for the centre. Vehtari et al. (2021), https://doi.org/10.1214/20-BA1221."""
    return np.asarray(_stats().ess(draws_CK, method="bulk"), dtype=np.float64)


def tail_ess(draws_CK: FloatArray) -> FloatArray:
    """Effective sample size for the 5% and 95% quantiles, the smaller."""
    return np.asarray(_stats().ess(draws_CK, method="tail", prob=(0.05, 0.95)), dtype=np.float64)


def rhat(draws_CK: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat."""
    return np.asarray(_stats().rhat(draws_CK), dtype=np.float64)


def bfmi(energy_CK: FloatArray) -> FloatArray:
    """Bayesian fraction of missing information of each chain. Betancourt (2016), arXiv:1604.00695."""
    return np.asarray(_stats().bfmi(energy_CK), dtype=np.float64)


def highest_density(draws: FloatArray, level: float) -> tuple[float, float]:
    """Narrowest interval that holds `level` of the draws."""
    low, high = _stats().hdi(draws, level)
    return float(low), float(high)
