"""NUTS by nutpie, and the checks that every posterior must pass before it says anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bayes.cells import FloatArray

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """Settings of one NUTS run. The same settings, data and machine give the same draws on any number of cores."""

    seed: int
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int = 2
    target_accept: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What diagnostics must reach. Vehtari et al. (2021), https://doi.org/10.1214/20-BA1221"""

    max_rhat: float = 1.01
    min_bulk_ess: float = 400.0
    min_tail_ess: float = 400.0
    max_divergences: int = 0
    min_bfmi: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """The worst diagnostic over every sampled number and every level mean, and whose it is.

    Parameters
    ----------
    rhat, bulk_ess, tail_ess
        Worst rank-normalised R-hat and effective sample sizes.
    worst
        The number that has the lowest bulk ESS.
    divergences
        Divergent transitions after warm-up, over all chains.
    bfmi
        Lowest Bayesian fraction of missing information over chains.
    outside_prior
        Observed unit means (as "level / unit") that the prior predictive hardly reaches.
    """

    rhat: float
    bulk_ess: float
    tail_ess: float
    worst: str
    divergences: int
    bfmi: float
    outside_prior: tuple[str, ...] = ()

    def reasons(self, rules: GateRules) -> tuple[str, ...]:
        """Every gate that does not hold, in words; empty when all do."""
        failed = [
            (not self.rhat < rules.max_rhat, f"R-hat {self.rhat:.3f}, needs < {rules.max_rhat}"),
            (
                not self.bulk_ess > rules.min_bulk_ess,
                f"bulk ESS {self.bulk_ess:.0f} ({self.worst}), needs > {rules.min_bulk_ess:.0f}",
            ),
            (not self.tail_ess > rules.min_tail_ess, f"tail ESS {self.tail_ess:.0f}, needs > {rules.min_tail_ess:.0f}"),
            (self.divergences > rules.max_divergences, f"{self.divergences} divergent transitions"),
            (not self.bfmi > rules.min_bfmi, f"BFMI {self.bfmi:.2f}, needs > {rules.min_bfmi}"),
            (bool(self.outside_prior), f"prior predictive does not reach {', '.join(self.outside_prior[:5])}"),
        ]
        return tuple(text for is_failed, text in failed if is_failed)


def sample(model: pm.Model, sampler: Sampler) -> xr.DataTree:
    """Compile a PyMC model for nutpie and sample it.

    Data are constants of the compiled graph: measured, a second model then compiles in 2 s against 5 s
    with shared variables, so a cache by shape would be slower for the handful of models in a study.
    """
    import nutpie

    return nutpie.sample(
        nutpie.compile_pymc_model(model),
        draws=sampler.draws,
        tune=sampler.tune,
        chains=sampler.chains,
        cores=sampler.cores,
        seed=sampler.seed,
        target_accept=sampler.target_accept,
        save_warmup=False,
        progress_bar=False,
    )


def diagnose(tree: xr.DataTree, derived: dict[str, FloatArray], outside_prior: tuple[str, ...]) -> Diagnostics:
    """Take the worst diagnostic over all sampled numbers and `derived` ones (shape (K, ...), chains in order)."""
    from arviz_stats.base import array_stats

    chains, draws = tree.posterior.sizes["chain"], tree.posterior.sizes["draw"]
    names, numbers = ["nothing"], [np.empty((chains, draws, 0))]
    arrays: dict[str, Any] = {name: array.to_numpy() for name, array in tree.posterior.data_vars.items()}
    arrays |= {name: array.reshape(chains, draws, -1) for name, array in derived.items()}
    for name, array in arrays.items():
        flat = array.reshape(chains, draws, -1)
        names += [f"{name}[{at}]" for at in range(flat.shape[-1])]
        numbers.append(flat)
    stacked = np.moveaxis(np.concatenate(numbers, axis=-1), -1, 0)
    bulk = np.asarray(array_stats.ess(stacked, method="bulk"))
    stats = tree.sample_stats
    return Diagnostics(
        rhat=float(np.max(array_stats.rhat(stacked))),
        bulk_ess=float(bulk.min()),
        tail_ess=float(np.min(array_stats.ess(stacked, method="tail", prob=(0.05, 0.95)))),
        worst=names[1 + int(bulk.argmin())],
        divergences=int(stats.diverging.to_numpy().sum()),
        bfmi=float(np.min(array_stats.bfmi(stats.energy.to_numpy()))),
        outside_prior=outside_prior,
    )
