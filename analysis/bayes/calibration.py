"""Simulation-based calibration at a planned design: the engine fitted to data whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, Design, FloatArray, IntArray
from seedlock.analysis.bayes.hierarchy import fit_hierarchy
from seedlock.analysis.bayes.models import Likelihood
from seedlock.analysis.bayes.priors import HierarchyPriors
from seedlock.analysis.bayes.response import stacked
from seedlock.analysis.bayes.sampling import GateRules
from seedlock.prereg.errors import BadInput, Refusal

RANKS = 99
BINS = 10
FEWEST = 20
DOUBT = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Ranks of the truth among thinned posterior draws, uniform on 0..99 when the posterior is right.

    Parameters
    ----------
    ranks
        Quantity -> one rank a simulation.
    p_values
        Quantity -> chi-square test of uniformity in ten bins.
    simulations
        Simulated data sets that could be fitted.
    unsound
        Those of them whose fit failed a gate; their ranks are kept, for a fit may not choose its data.
    refused
        Data sets that the engine refused (a prior draw may leave units without spread).
    """

    ranks: dict[str, IntArray]
    p_values: dict[str, float]
    simulations: int
    unsound: int
    refused: int

    @property
    def is_calibrated(self) -> bool:
        """No quantity's ranks are uneven, at 1% over all quantities together (Bonferroni)."""
        return min(self.p_values.values()) > DOUBT / len(self.p_values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planned:
    """The cells a plan will have: counts where `n_GI` is given (shape (G, I)), else one mean a unit."""

    design: Design
    likelihood: Likelihood
    n_GI: IntArray | None = None


def calibrate(
    planned: Planned,
    *,
    priors: HierarchyPriors,
    simulations: int,
    seed: int,
    draws: int = 500,
    cores: int = 2,
    rules: GateRules | None = None,
    stepped: Callable[[int], None] = lambda _: None,
) -> Calibration:
    """Draw parameters from the priors, data from the parameters, fit, and rank the truth.

    Parameters
    ----------
    planned
        Binomial counts or Gaussian unit means.
    priors
        Of the plan: the truths are drawn from them. For means in units of the outcome's SD, about 0.
    simulations
        At least 20, two a bin.
    seed
        Of every random number.
    draws
        Kept a chain in each fit, and thinned to 99 in all for the ranks.
    rules
        Gates of each fit; those of an analysis, if not given.
    stepped
        Called after every simulation.

    Raises
    ------
    BadInput
        Too few simulations to see anything, or a likelihood that is not simulated.

    Notes
    -----
    Talts et al. (2018), https://doi.org/10.48550/arXiv.1804.06788. Quantities: each level mean, the run SD,
    of pairs the shared SD, and each item SD; logits for counts.
    """
    if simulations < FEWEST:
        raise BadInput(f"{simulations} simulations cannot show calibration; ask for at least {FEWEST}")
    if planned.likelihood not in {"binomial", "gaussian"}:
        raise BadInput(f"calibration simulates binomial and gaussian hierarchies, not {planned.likelihood}")
    if planned.n_GI is None:
        priors = priors.in_unit(1.0, 0.0)
    ranks: dict[str, list[int]] = {}
    unsound, refused = 0, 0
    for simulation in range(simulations):
        rng = np.random.default_rng([seed, simulation])
        truth, cells = _simulate(planned, priors, rng)
        try:
            fit = fit_hierarchy(
                cells,
                likelihood=planned.likelihood,
                seed=seed + simulation,
                priors=priors,
                draws=draws,
                cores=cores,
                rules=rules,
            )
        except Refusal:
            refused += 1
            continue
        unsound += not fit.is_sound
        for name, value in truth.items():
            drawn_KP = stacked(fit.tree, name).reshape(fit.sampler.chains * fit.sampler.draws, -1)
            thinned_RP = drawn_KP[np.linspace(0, len(drawn_KP) - 1, RANKS).astype(int)]
            for at, below in enumerate((thinned_RP < value).sum(axis=0)):
                ranks.setdefault(f"{name}[{at}]" if value.size > 1 else name, []).append(int(below))
        stepped(simulation + 1)
    found = {name: np.array(of_name, dtype=np.int64) for name, of_name in ranks.items()}
    return Calibration(
        ranks=found,
        p_values={name: uniformity(r) for name, r in found.items()},
        simulations=simulations - refused,
        unsound=unsound,
        refused=refused,
    )


def uniformity(ranks: IntArray) -> float:
    """Chi-square p-value of ten equal bins."""
    counts = np.bincount(ranks // ((RANKS + 1) // BINS), minlength=BINS)
    return float(stats.chisquare(counts).pvalue)


def _simulate(
    planned: Planned, priors: HierarchyPriors, rng: np.random.Generator
) -> tuple[dict[str, FloatArray], CellCounts | CellMeans]:
    """One truth and its data."""
    design = planned.design
    truth = {
        "level_mean": priors.level_mean.draw(rng, len(design.levels)),
        "run_sd": priors.run_sd.draw(rng, 1),
    }
    centre_G = truth["level_mean"][design.level_G]
    if design.is_paired:
        truth["shared_sd"] = priors.shared_sd.draw(rng, 1)
        centre_G = centre_G + (truth["shared_sd"] * rng.standard_normal(len(design.units)))[design.unit_G]
    run_G = centre_G + truth["run_sd"] * rng.standard_normal(design.n_groups)
    if planned.n_GI is None:
        return truth, CellMeans(design=design, mean_G=run_G)
    logit_GI = run_G[:, None]
    if design.items:
        truth["item_sd"] = priors.item_sd.draw(rng, len(design.levels))
        shift_AI = rng.standard_normal((len(design.levels), len(design.items)))
        shift_AI = truth["item_sd"][:, None] * (shift_AI - shift_AI.mean(axis=1, keepdims=True))
        logit_GI = logit_GI + shift_AI[design.level_G]
    return truth, CellCounts(design=design, k_GI=rng.binomial(planned.n_GI, expit(logit_GI)), n_GI=planned.n_GI)
