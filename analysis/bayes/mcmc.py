"""ArviZ's diagnostics on plain arrays, typed; chains and draws are the last two axes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray, IntArray


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


def most_suspect(draws_PCK: FloatArray, at_most: int) -> IntArray:
    """Index the numbers whose plain split R-hat is largest: a cheap screen before the rank-normalised one."""
    parameters, chains, draws = draws_PCK.shape
    half = draws // 2
    split = draws_PCK[:, :, : 2 * half].reshape(parameters, 2 * chains, half)
    within = split.var(axis=2, ddof=1).mean(axis=1)
    between = split.mean(axis=2).var(axis=1, ddof=1)
    return np.sort(np.argsort(-between / np.maximum(within, 1e-300), kind="stable")[:at_most])


def bfmi(energy_CK: FloatArray) -> FloatArray:
    """Bayesian fraction of missing information of each chain. Betancourt (2016), arXiv:1604.00695."""
    return np.asarray(_stats().bfmi(energy_CK), dtype=np.float64)


def highest_density(draws: FloatArray, level: float) -> tuple[float, float]:
    """Narrowest interval that holds `level` of the draws."""
    low, high = _stats().hdi(draws, level)
    return float(low), float(high)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Psis:
    """Leave-one-out density of each unit and the Pareto k of its weights, shape (U,)."""

    elpd_U: FloatArray
    pareto_k_U: FloatArray


def psis(log_likelihood_UCK: FloatArray) -> Psis:
    """Pareto-smoothed importance sampling, leaving out one unit at a time."""
    elpd, pareto_k, _ = _stats().loo(log_likelihood_UCK)
    return Psis(elpd_U=np.asarray(elpd, dtype=np.float64), pareto_k_U=np.asarray(pareto_k, dtype=np.float64))


def power_scaling(draws_CK: FloatArray, log_density_CK: FloatArray) -> float:
    """How fast a posterior moves when a component of the density is raised to a power near 1.

    Kallioinen et al. (2024), https://doi.org/10.1007/s11222-023-10366-5: above 0.05 the component matters.
    """
    stats, alphas = _stats(), (0.99, 1.01)
    lower, upper = (np.exp(stats.power_scale_lw(log_density_CK, alpha, axis=(-2, -1))) for alpha in alphas)
    return float(stats.power_scale_sense(draws_CK, lower, upper, *alphas))
