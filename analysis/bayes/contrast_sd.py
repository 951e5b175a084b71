"""How much a contrast differs between new units: the SD of the hypothesis's number, not of its levels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray, IntArray
from seedlock.analysis.bayes.hierarchy import HierarchyFit
from seedlock.analysis.bayes.logit_normal import rate_moments
from seedlock.analysis.bayes.response import NEW_UNITS_PER_DRAW, Parameters, parameters, stacked

_AT_MOST = 250
"""Draws used where paired units are crossed with items: every so-manieth."""
_NODES = 15


def contrast_sd(fit: HierarchyFit, weights: Mapping[str, float]) -> FloatArray:
    """SD of the weighted sum of level means over new units, given each draw's parameters, shape (K,).

    Parameters
    ----------
    weights
        Weight of each level; levels left out weigh 0.

    Notes
    -----
    Independent units: the levels' variances add, each with its squared weight. Paired units: what a unit carries
    through every level cancels as far as the weights do; for counts that is integrated over the unit (Gauss-Hermite).
    New items besides new units: from the new units of each draw.
    """
    weight_A = np.array([weights.get(level, 0.0) for level in fit.design.levels])
    if not fit.design.is_paired:
        return np.asarray(np.sqrt(fit.response.unit_sd_KA**2 @ weight_A**2))
    par = parameters(fit.tree)
    if "run" not in fit.tree.posterior:
        own_KA = fit.response.unit_sd_KA**2 - par.shared_sd_K[:, None] ** 2
        return np.asarray(np.sqrt(own_KA @ weight_A**2 + (weight_A.sum() * par.shared_sd_K) ** 2))
    if fit.items == "new":
        new_KQ = (fit.response.new_unit_MA @ weight_A).reshape(-1, NEW_UNITS_PER_DRAW)
        return np.asarray(new_KQ.std(axis=1, ddof=1))
    return _paired_counts(fit, par, weight_A)


def _paired_counts(fit: HierarchyFit, par: Parameters, weight_A: FloatArray) -> FloatArray:
    """Variance within a unit, averaged over units, and of a unit's expectation between them."""
    at_K: IntArray = np.arange(len(par.shared_sd_K))
    item_KAI = None
    if fit.design.items:
        at_K = at_K[:: max(1, len(at_K) // _AT_MOST)]
        item_KAI = stacked(fit.tree, "item_shift")[at_K]
    z_Q, share_Q = np.polynomial.hermite_e.hermegauss(_NODES)
    share_Q = share_Q / share_Q.sum()
    within_K, first_K, second_K = (np.zeros(len(at_K)) for _ in range(3))
    for z, share in zip(z_Q, share_Q, strict=True):
        mean_K = np.zeros(len(at_K))
        for a in np.flatnonzero(weight_A):
            centre_K = par.level_mean_KA[at_K, a] + par.shared_sd_K[at_K] * z
            own = rate_moments(centre_K, par.run_sd_KA[at_K, a], None if item_KAI is None else item_KAI[:, a])
            mean_K += weight_A[a] * own.mean_K
            within_K += share * (weight_A[a] * own.sd_K) ** 2
        first_K += share * mean_K
        second_K += share * mean_K**2
    return np.sqrt(within_K + np.maximum(second_K - first_K**2, 0.0))
