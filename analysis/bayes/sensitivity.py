"""How much a contrast leans on its priors: power-scaling of top-level priors, without refitting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray
from seedlock.analysis.bayes.contrast import ContrastPosterior
from seedlock.analysis.bayes.hierarchy import HierarchyFit
from seedlock.analysis.bayes.mcmc import power_scaling
from seedlock.analysis.bayes.response import stacked
from seedlock.analysis.bayes.units_left_out import thinned

THRESHOLD = 0.05

type Diagnosis = Literal["prior and data conflict", "the prior decides", "the data decide", "the prior matters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Power-scaling sensitivity of a contrast to each top-level prior and to the likelihood.

    `likelihood` is None where a unit's likelihood is not offered. `diagnosis` reads: "prior and data conflict"
    where both matter, "the prior decides" where only priors do, "the prior matters" where priors do and
    the likelihood is not known, otherwise "the data decide".
    """

    priors: dict[str, float]
    likelihood: float | None
    diagnosis: Diagnosis


def prior_sensitivity(
    fit: HierarchyFit, log_likelihood_KU: FloatArray | None, contrast: ContrastPosterior
) -> Sensitivity:
    """Raise each top-level prior, and the unit likelihood, to powers near 1 and watch the contrast.

    Priors of runs and items given their SDs are part of the model, not of the prior belief, and stay.

    Parameters
    ----------
    log_likelihood_KU
        From `units_left_out.unit_log_likelihood`, or None where that refused.
    """
    chains = fit.sampler.chains
    draws_CK = contrast.mean_K.reshape(chains, -1)
    found = {name: power_scaling(draws_CK, log_K.reshape(chains, -1)) for name, log_K in log_priors(fit).items()}
    likelihood: float | None = None
    if log_likelihood_KU is not None:
        of_all = len(log_likelihood_KU) == contrast.mean_K.size
        at_K = np.arange(contrast.mean_K.size) if of_all else thinned(fit)
        log_K = log_likelihood_KU.sum(axis=1)
        likelihood = power_scaling(contrast.mean_K[at_K].reshape(chains, -1), log_K.reshape(chains, -1))
    return Sensitivity(priors=found, likelihood=likelihood, diagnosis=_diagnosis(max(found.values()), likelihood))


def _diagnosis(prior: float, likelihood: float | None) -> Diagnosis:
    if prior <= THRESHOLD:
        return "the data decide"
    if likelihood is None:
        return "the prior matters"
    return "prior and data conflict" if likelihood > THRESHOLD else "the prior decides"


def log_priors(fit: HierarchyFit) -> dict[str, FloatArray]:
    """Log density of each top-level prior at every draw, shape (K,)."""
    found: dict[str, FloatArray] = {}
    for name in ("level_mean", "run_sd", "shared_sd", "item_sd", "residual_sd", "overdispersion", "cutpoint"):
        if name in fit.tree.posterior:
            draws = stacked(fit.tree, name)
            log_density = getattr(fit.priors, name).log_density(draws)
            found[name] = np.ascontiguousarray(log_density.reshape(len(draws), -1).sum(axis=1))
    return found
