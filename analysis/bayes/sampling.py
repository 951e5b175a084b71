"""NUTS by nutpie, and the checks that every posterior must pass before it says anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedlock.analysis.bayes.cells import Design, FloatArray
from seedlock.analysis.bayes.mcmc import bfmi, bulk_ess, most_suspect, rhat, tail_ess
from seedlock.analysis.bayes.problem import Problem, coordinates

if TYPE_CHECKING:
    import xarray as xr

AXES: Mapping[str, tuple[str, ...]] = {
    "level_mean": ("level",),
    "run_sd": ("level",),
    "item_sd": ("level",),
    "item_shift": ("level", "item"),
    "run": ("group",),
    "unit_centre": ("unit",),
    "cutpoint": ("cut",),
}
"""Axes of the named parameters."""
_SCREENED = 48
"""Numbers of one variable (360 items, say) that get the full diagnostics: those a plain split R-hat likes least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """Settings of one NUTS run. The same settings, data and machine give the same draws on any number of cores."""

    seed: int
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int = 2
    target_accept: float = 0.95

    @property
    def options(self) -> dict[str, Any]:
        """The same, as nutpie calls them."""
        return {**asdict(self), "save_warmup": False, "progress_bar": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What diagnostics must reach. Vehtari et al. (2021), https://doi.org/10.1214/20-BA1221."""

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


def sample(problem: Problem, sampler: Sampler, design: Design) -> xr.DataTree:
    """Draw from a problem's posterior; groups `posterior` (named parameters) and `sample_stats`.

    The density is compiled ahead (`compiled.py`), not through PyMC: measured, PyMC's graph took 10-40 s to
    compile for posteriors that sample in one. `model.py` keeps the PyMC and bambi form of each model,
    and tests hold the two equal.
    """
    import nutpie  # noqa: PLC0415 - seconds of start-up that only a Bayesian analysis should pay

    start_D = problem.start_D
    raw = nutpie.sample(
        nutpie.compiled_pyfunc.from_pyfunc(
            start_D.size,
            lambda: problem.log_density,
            lambda *_: lambda x_D: {"free": x_D},
            [np.dtype(np.float64)],
            [(start_D.size,)],
            ["free"],
            make_initial_point_fn=lambda seed: start_D + np.random.default_rng(seed).uniform(-0.5, 0.5, start_D.size),
        ),
        **sampler.options,
    )
    free = raw.posterior["free"].to_numpy()
    return named_tree(problem.unpack(free.reshape(-1, start_D.size)), raw, design)


def named_tree(named: Mapping[str, FloatArray], raw: Any, design: Design) -> xr.DataTree:
    """Put named draws (first axis chains times draws, chains in order) beside the sampler's own statistics."""
    import arviz_base  # noqa: PLC0415 - seconds of start-up that only a Bayesian analysis should pay

    chains, draws = raw.posterior.sizes["chain"], raw.posterior.sizes["draw"]
    posterior = {name: array.reshape(chains, draws, *array.shape[1:]) for name, array in named.items()}
    kept = ("diverging", "energy", "depth", "step_size", "n_steps", "mean_tree_accept", "logp")
    stats = {name: raw.sample_stats[name].to_numpy() for name in kept}
    dims = {name: _axes(name, array.ndim - 1) for name, array in named.items() if name in AXES}
    used = {axis for axes in dims.values() for axis in axes}
    coords = {axis: labels for axis, labels in coordinates(design).items() if axis in used}
    return arviz_base.from_dict({"posterior": posterior, "sample_stats": stats}, coords=coords, dims=dims)


def _axes(name: str, n: int) -> list[str]:
    """Axes beyond the draws; an SD that all levels share has none."""
    return list(AXES[name])[:n]


def diagnose(tree: xr.DataTree, derived: dict[str, FloatArray], outside_prior: tuple[str, ...]) -> Diagnostics:
    """Take the worst diagnostic over the sampled numbers and the `derived` ones (shape (K, ...), chains in order)."""
    chains, draws = tree.posterior.sizes["chain"], tree.posterior.sizes["draw"]
    names: list[str] = []
    numbers: list[FloatArray] = []
    arrays: dict[str, Any] = {name: array.to_numpy() for name, array in tree.posterior.data_vars.items()}
    for name, array in (arrays | derived).items():
        draws_PCK = np.moveaxis(array.reshape(chains, draws, -1), -1, 0)
        chosen = most_suspect(draws_PCK, _SCREENED)
        names += [f"{name}[{at}]" for at in chosen]
        numbers.append(draws_PCK[chosen])
    stacked = np.concatenate(numbers)
    bulk = bulk_ess(stacked)
    stats = tree.sample_stats
    return Diagnostics(
        rhat=float(np.max(rhat(stacked))),
        bulk_ess=float(bulk.min()),
        tail_ess=float(np.min(tail_ess(stacked))),
        worst=names[int(bulk.argmin())],
        divergences=int(stats.diverging.to_numpy().sum()),
        bfmi=float(np.min(bfmi(stats.energy.to_numpy()))),
        outside_prior=outside_prior,
    )
