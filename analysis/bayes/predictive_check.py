"""Does the fitted hierarchy make data like these? New units replicated at every draw, against the observed spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from seedlock.analysis.bayes.cells import CellCounts, FloatArray
from seedlock.analysis.bayes.hierarchy import Cells, HierarchyFit
from seedlock.analysis.bayes.rating_cells import CellRatings
from seedlock.analysis.bayes.ratings import score_shares
from seedlock.analysis.bayes.response import parameters, stacked


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveCheck:
    """One statistic of a level's unit means, observed and replicated.

    `p` is the share of replications at least as large as observed (ties count half); near 0 or 1 the model
    does not make data like these. It is conservative, not uniform: Gelman, Meng & Stern (1996).
    """

    level: str
    statistic: str
    observed: float
    replicated_mean: float
    p: float


def predictive_checks(fit: HierarchyFit, cells: Cells, rng: np.random.Generator) -> tuple[PredictiveCheck, ...]:
    """Replicate every unit as a new one, with its sampling noise, and compare SD, smallest and largest unit mean.

    Parameters
    ----------
    fit, cells
        A posterior and the data behind it.
    rng
        Of the replications.
    """
    design = fit.design
    observed_G = cells.k_GI.sum(axis=1) / cells.n_GI.sum(axis=1) if isinstance(cells, CellCounts) else cells.mean_G
    replicated_KG = _replicate(fit, cells, rng)
    found = []
    for a, level in enumerate(design.levels):
        of_level = design.level_G == a
        for name, statistic in (("sd", _sd), ("smallest", np.min), ("largest", np.max)):
            seen = float(statistic(observed_G[of_level]))
            made_K = np.asarray(np.apply_along_axis(statistic, 1, replicated_KG[:, of_level]))
            p = float(np.mean(made_K > seen) + 0.5 * np.mean(made_K == seen))
            found.append(
                PredictiveCheck(level=level, statistic=name, observed=seen, replicated_mean=float(made_K.mean()), p=p)
            )
    return tuple(found)


def _replicate(fit: HierarchyFit, cells: Cells, rng: np.random.Generator) -> FloatArray:
    """Unit means of one replicated data set a draw, every unit a new one, shape (K, G)."""
    design, par = fit.design, parameters(fit.tree)
    z_KG = rng.standard_normal((len(par.level_mean_KA), design.n_groups))
    if fit.likelihood == "student-t":
        nu_KG = np.broadcast_to(stacked(fit.tree, "nu")[:, None], z_KG.shape)
        z_KG = z_KG * np.sqrt(nu_KG / rng.chisquare(nu_KG))
    unit_KS = par.shared_sd_K[:, None] * rng.standard_normal((len(z_KG), len(design.units)))
    centre_KG = par.level_mean_KA[:, design.level_G] + unit_KS[:, design.unit_G]
    true_KG = centre_KG + par.run_sd_KA[:, design.level_G] * z_KG
    if isinstance(cells, CellCounts):
        return _answers(fit, cells, true_KG, rng)
    if isinstance(cells, CellRatings):
        return _ratings(fit, cells, true_KG, rng)
    if cells.se_G is not None:
        return true_KG + cells.se_G * rng.standard_normal(true_KG.shape)
    if cells.n_G is not None:
        residual_K1 = stacked(fit.tree, "residual_sd")[:, None]
        return true_KG + residual_K1 / np.sqrt(cells.n_G) * rng.standard_normal(true_KG.shape)
    return true_KG


def _answers(fit: HierarchyFit, cells: CellCounts, logit_KG: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Rate of success over a unit's scored answers, item by item."""
    omega_K = stacked(fit.tree, "overdispersion") if fit.likelihood == "beta-binomial" else None
    item_KAI = (
        stacked(fit.tree, "item_shift") if fit.design.items else np.zeros((len(logit_KG), len(fit.design.levels), 1))
    )
    rate_KG = np.empty_like(logit_KG)
    for g, a in enumerate(fit.design.level_G):
        p_KI = expit(logit_KG[:, g, None] + item_KAI[:, a])
        if omega_K is not None:
            concentration_K1 = omega_K[:, None] ** -2
            p_KI = rng.beta(p_KI * concentration_K1, (1.0 - p_KI) * concentration_K1)
        rate_KG[:, g] = rng.binomial(cells.n_GI[g], p_KI).sum(axis=1) / cells.n_GI[g].sum()
    return rate_KG


def _ratings(fit: HierarchyFit, cells: CellRatings, logit_KG: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Mean rating over a unit's answers."""
    cut_KC = stacked(fit.tree, "cutpoint")
    mean_KG = np.empty_like(logit_KG)
    for g, n in enumerate(cells.n_GC.sum(axis=1)):
        mean_KG[:, g] = rng.multinomial(n, score_shares(logit_KG[:, g], cut_KC)) @ cells.score_C / n
    return mean_KG


def _sd(values: FloatArray) -> float:
    return float(np.std(values, ddof=1))
