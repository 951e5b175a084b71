"""Leave one out (PSIS): how well the hierarchy predicts a whole unit, or one cell, that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.special import betaln, expit, gammaln, logsumexp

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, FloatArray, IntArray
from seedlock.analysis.bayes.hierarchy import Cells, HierarchyFit
from seedlock.analysis.bayes.mcmc import psis
from seedlock.analysis.bayes.rating_cells import CellRatings
from seedlock.analysis.bayes.response import Parameters, parameters, stacked
from seedlock.analysis.bayes.sketch import sketch
from seedlock.prereg.errors import NotCounts

RELIABLE_K = 0.7
_AT_MOST = 1000
"""Draws used where a likelihood has many cells: every so-manieth of each chain."""
_STEP = 0.5
_Z_Q = np.arange(-6.0, 6.01, _STEP)
_LOG_WEIGHT_Q = np.full(_Z_Q.size, np.log(_STEP / np.sqrt(2.0 * np.pi)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeaveOneOut:
    """Expected log predictive density of what is left out.

    Parameters
    ----------
    elpd, se
        Sum over what is left out, and its standard error.
    elpd_U, pareto_k_U
        Each one's own, and the Pareto k of its importance weights: above 0.7 it is too influential for the
        approximation, and the posterior leans on it.
    names
        Units: "level / unit" for nested ones, the unit for paired ones. Cells: "level / unit / item".
    """

    elpd: float
    se: float
    elpd_U: FloatArray
    pareto_k_U: FloatArray
    names: tuple[str, ...]

    @property
    def is_reliable(self) -> bool:
        """Importance weights hold for at least half of what is left out: `elpd` is a number then."""
        return 2 * len(self.influential) <= len(self.names)

    @property
    def influential(self) -> tuple[str, ...]:
        """Those whose Pareto k exceeds 0.7, the worst first."""
        order = np.argsort(-self.pareto_k_U, kind="stable")
        return tuple(self.names[at] for at in order if not self.pareto_k_U[at] <= RELIABLE_K)


def leave_one_unit_out(fit: HierarchyFit, log_likelihood_KU: FloatArray) -> LeaveOneOut:
    """Estimate prediction of a new unit from each unit's likelihood with its own effects integrated out.

    Parameters
    ----------
    log_likelihood_KU
        From `unit_log_likelihood`.

    Notes
    -----
    Vehtari, Gelman & Gabry (2017), https://doi.org/10.1007/s11222-016-9696-4; integrated likelihoods:
    Merkle, Furr & Rabe-Hesketh (2019), https://doi.org/10.1007/s11336-019-09679-0
    """
    design = fit.design
    return _loo(fit, log_likelihood_KU, design.units if design.is_paired else _group_names(fit))


def leave_one_cell_out(fit: HierarchyFit, cells: Cells) -> LeaveOneOut:
    """Estimate prediction of one more cell (a unit's answers to one item) of the units at hand.

    Raises
    ------
    NotCounts
        No items: a unit is one cell, and leaving it out is leaving out the unit.
    """
    if not isinstance(cells, CellCounts) or not fit.design.items:
        raise NotCounts("a unit is one cell: leaving out the cell is leaving out the unit")
    at_K = thinned(fit)
    group_R, item_R = np.nonzero(cells.n_GI)
    level_R = fit.design.level_G[group_R]
    logit_KR = stacked(fit.tree, "run")[at_K][:, group_R] + stacked(fit.tree, "item_shift")[at_K][:, level_R, item_R]
    k_R, n_R = cells.k_GI[group_R, item_R], cells.n_GI[group_R, item_R]
    ways_R = gammaln(n_R + 1.0) - gammaln(k_R + 1.0) - gammaln(n_R - k_R + 1.0)
    if fit.likelihood == "beta-binomial":
        concentration_K1 = stacked(fit.tree, "overdispersion")[at_K][:, None] ** -2
        a_KR, b_KR = expit(logit_KR) * concentration_K1, expit(-logit_KR) * concentration_K1
        log_KR = ways_R + betaln(k_R + a_KR, n_R - k_R + b_KR) - betaln(a_KR, b_KR)
    else:
        log_KR = ways_R + k_R * logit_KR - n_R * np.logaddexp(0.0, logit_KR)
    groups = _group_names(fit)
    return _loo(
        fit, log_KR, tuple(f"{groups[g]} / {fit.design.items[i]}" for g, i in zip(group_R, item_R, strict=True))
    )


def unit_log_likelihood(fit: HierarchyFit, cells: Cells) -> FloatArray:
    """Log likelihood of each unit given the top-level parameters (and items) alone, shape (K, U).

    With items K counts `thinned` draws.

    Raises
    ------
    NotCounts
        Ratings, overdispersion, or paired units with items or heavy tails: their unit likelihood is not offered.
    """
    paired = fit.design.is_paired
    if (
        isinstance(cells, CellRatings)
        or fit.likelihood == "beta-binomial"
        or (paired and (fit.design.items or fit.likelihood == "student-t"))
    ):
        raise NotCounts(f"leaving out units is not offered for {fit.likelihood!r} with these cells")
    par = parameters(fit.tree)
    if isinstance(cells, CellCounts):
        return _crossed(fit, cells, par) if fit.design.items else _counts(cells, par)
    if fit.likelihood == "student-t":
        level_G = fit.design.level_G
        scale_KG, nu_K1 = par.run_sd_KA[:, level_G], stacked(fit.tree, "nu")[:, None]
        return np.asarray(stats.t.logpdf(cells.mean_G, nu_K1, par.level_mean_KA[:, level_G], scale_KG))
    return _means(cells, par, stacked(fit.tree, "residual_sd") if cells.n_G is not None else None)


def thinned(fit: HierarchyFit) -> IntArray:
    """Places of at most 1,000 draws, evenly along every chain."""
    chains, draws = fit.sampler.chains, fit.sampler.draws
    step = max(1, -(-chains * draws // _AT_MOST))
    return (np.arange(chains)[:, None] * draws + np.arange(0, draws, step)).ravel().astype(np.int64)


def _loo(fit: HierarchyFit, log_KU: FloatArray, names: tuple[str, ...]) -> LeaveOneOut:
    loo = psis(log_KU.T.reshape(log_KU.shape[1], fit.sampler.chains, -1))
    return LeaveOneOut(
        elpd=float(loo.elpd_U.sum()),
        se=float(np.sqrt(loo.elpd_U.size * loo.elpd_U.var(ddof=1))),
        elpd_U=loo.elpd_U,
        pareto_k_U=loo.pareto_k_U,
        names=names,
    )


def _group_names(fit: HierarchyFit) -> tuple[str, ...]:
    design = fit.design
    pairs = zip(design.level_G, design.unit_G, strict=True)
    return tuple(f"{design.levels[a]} / {design.units[u]}" for a, u in pairs)


def _crossed(fit: HierarchyFit, cells: CellCounts, par: Parameters) -> FloatArray:
    """Integrate each run on a grid around its own normal approximation, the items as drawn."""
    at_K, item_KAI = thinned(fit), stacked(fit.tree, "item_shift")[thinned(fit)]
    odds_KAI = np.exp(item_KAI)
    k_GI, n_GI = cells.k_GI.astype(np.float64), cells.n_GI.astype(np.float64)
    ways_G = (gammaln(n_GI + 1) - gammaln(k_GI + 1) - gammaln(n_GI - k_GI + 1)).sum(axis=1)
    log_KG = np.empty((at_K.size, fit.design.n_groups))
    for g, a in enumerate(fit.design.level_G):
        about = _own_logit(float(k_GI[g].sum()), n_GI[g], item_KAI[:, a].mean(axis=0))
        logit_KQ, log_KQ = _around(par.level_mean_KA[at_K, a], par.run_sd_KA[at_K, a], *about)
        log_KQ = log_KQ + k_GI[g].sum() * logit_KQ + _LOG_WEIGHT_Q
        for q, odds_K in enumerate(np.exp(logit_KQ.T)):
            log_KQ[:, q] -= np.log1p(odds_K[:, None] * odds_KAI[:, a]) @ n_GI[g]
        log_KG[:, g] = ways_G[g] + item_KAI[:, a] @ k_GI[g] + logsumexp(log_KQ, axis=1)
    return log_KG


def _own_logit(k: float, n_I: FloatArray, item_I: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logit at which a run's items would give its total, half an answer away from none and all; its information."""
    k = float(np.clip(k, 0.5, n_I.sum() - 0.5))
    logit = float(brentq(lambda x: float(n_I @ expit(x + item_I)) - k, -60.0, 60.0))
    rate_I = expit(logit + item_I)
    return np.array(logit), np.array(float(n_I @ (rate_I * (1.0 - rate_I))))


def _counts(cells: CellCounts, par: Parameters) -> FloatArray:
    """Integrate each run on a grid around its own normal approximation, then each paired unit likewise."""
    design, about = cells.design, sketch(cells)
    k_G, n_G = cells.k_GI[:, 0].astype(np.float64), cells.n_GI[:, 0].astype(np.float64)
    ways_G = gammaln(n_G + 1) - gammaln(k_G + 1) - gammaln(n_G - k_G + 1)

    def run(g: int, centre: FloatArray) -> FloatArray:
        """Log of the run-integrated likelihood of group g, at centres of shape (K,) or (K, Q)."""
        sd = par.run_sd_KA[:, design.level_G[g]].reshape(-1, *[1] * (centre.ndim - 1))
        logit, log_jacobian = _around(centre, sd, about.logit_G[g], about.information_G[g])
        cell = k_G[g] * logit - n_G[g] * np.logaddexp(0.0, logit) + log_jacobian
        return np.asarray(ways_G[g] + logsumexp(cell + _LOG_WEIGHT_Q, axis=-1))

    if not design.is_paired:
        return np.stack([run(g, par.level_mean_KA[:, design.level_G[g]]) for g in range(design.n_groups)], axis=1)
    average_K = par.level_mean_KA.mean(axis=1)
    departure_KA = par.level_mean_KA - average_K[:, None]
    of_units = []
    for s in range(len(design.units)):
        groups = np.flatnonzero(design.unit_G == s)
        weight_KA = 1.0 / (par.run_sd_KA**2 + 1.0 / about.information_G[groups])
        information_K = weight_KA.sum(axis=1)
        estimate_K = (weight_KA * (about.logit_G[groups] - departure_KA)).sum(axis=1) / information_K
        unit_KQ, log_KQ = _around(average_K, par.shared_sd_K, estimate_K, information_K)
        for a, g in enumerate(groups):
            log_KQ = log_KQ + run(int(g), unit_KQ + departure_KA[:, a, None])
        of_units.append(logsumexp(log_KQ + _LOG_WEIGHT_Q, axis=1))
    return np.stack(of_units, axis=1)


def _around(
    mean: FloatArray, sd: FloatArray, estimate: FloatArray, information: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """`pieces.informed` at every node, on a new last axis, and its log density without the normal constant."""
    mean, sd = np.asarray(mean)[..., None], np.asarray(sd)[..., None]
    estimate, information = np.asarray(estimate)[..., None], np.asarray(information)[..., None]
    c = 1.0 + information * sd**2
    u = sd * information * (estimate - mean) / c + _Z_Q / np.sqrt(c)
    return mean + sd * u, -0.5 * u**2 - 0.5 * np.log(c)


def _means(cells: CellMeans, par: Parameters, residual_sd_K: FloatArray | None) -> FloatArray:
    """Normal density of each unit's means, paired ones with the covariance they share (Sherman & Morrison)."""
    design = cells.design
    variance_KG = par.run_sd_KA[:, design.level_G] ** 2
    if cells.se_G is not None:
        variance_KG = variance_KG + cells.se_G**2
    elif cells.n_G is not None and residual_sd_K is not None:
        variance_KG = variance_KG + residual_sd_K[:, None] ** 2 / cells.n_G
    gap_KG = cells.mean_G - par.level_mean_KA[:, design.level_G]
    log_KG = -0.5 * (np.log(2.0 * np.pi * variance_KG) + gap_KG**2 / variance_KG)
    if not design.is_paired:
        return np.asarray(log_KG)
    of_unit_GS = np.equal.outer(design.unit_G, np.arange(len(design.units))).astype(np.float64)
    shared_K1 = par.shared_sd_K[:, None] ** 2
    inflation_KS = 1.0 + shared_K1 * ((1.0 / variance_KG) @ of_unit_GS)
    pull_KS = (gap_KG / variance_KG) @ of_unit_GS
    return np.asarray(log_KG @ of_unit_GS + 0.5 * (shared_K1 * pull_KS**2 / inflation_KS - np.log(inflation_KS)))
