"""Does the prior predictive reach what was observed? Units simulated from the priors alone, with numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, Design, FloatArray
from seedlock.analysis.bayes.priors import HierarchyPriors
from seedlock.analysis.bayes.rating_cells import CellRatings

_SIMULATIONS = 4000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriorPredictive:
    """Unit means simulated from the priors, and the observed ones that lie beyond them.

    Parameters
    ----------
    unit_sd_M
        Prior draws of the SD between units, on the model's scale.
    low, high
        The central 99.9% of simulated unit means.
    outside
        Observed units (as "level / unit") beyond that range.
    """

    unit_sd_M: FloatArray
    low: float
    high: float
    outside: tuple[str, ...]


def prior_predictive(
    cells: CellCounts | CellMeans | CellRatings, priors: HierarchyPriors, rng: np.random.Generator
) -> PriorPredictive:
    """Simulate one new unit a prior draw, with its sampling noise, and compare the observed unit means.

    Parameters
    ----------
    cells
        The data, whose group sizes set the sampling noise.
    priors
        In the measure's own unit.
    """
    design = cells.design
    unit_sd_M = priors.run_sd.draw(rng, _SIMULATIONS)
    if design.is_paired:
        unit_sd_M = np.hypot(unit_sd_M, priors.shared_sd.draw(rng, _SIMULATIONS))
    centre_M = priors.level_mean.draw(rng, _SIMULATIONS) + unit_sd_M * rng.standard_normal(_SIMULATIONS)
    if isinstance(cells, CellCounts):
        n_G = cells.n_GI.sum(axis=1)
        simulated_M = rng.binomial(int(n_G.min()), expit(centre_M)) / int(n_G.min())
        observed_G = cells.k_GI.sum(axis=1) / n_G
    elif isinstance(cells, CellRatings):
        simulated_M, observed_G = _ratings(cells, priors, centre_M, rng), cells.mean_G
    else:
        simulated_M = centre_M + _noise_sd(cells, priors, rng) * rng.standard_normal(_SIMULATIONS)
        observed_G = cells.mean_G
    low, high = (float(edge) for edge in np.quantile(simulated_M, [0.0005, 0.9995]))
    beyond = (observed_G < low) | (observed_G > high)
    return PriorPredictive(unit_sd_M=unit_sd_M, low=low, high=high, outside=_names(design, beyond))


def _ratings(cells: CellRatings, priors: HierarchyPriors, centre_M: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Mean rating of the smallest unit at prior cutpoints."""
    cut_MC = np.sort(priors.cutpoint.draw(rng, (_SIMULATIONS, len(cells.score_C) - 1)), axis=1)
    below_MC = expit(cut_MC - centre_M[:, None])
    share_MC = np.diff(below_MC, axis=1, prepend=0.0, append=1.0)
    n = int(cells.n_GC.sum(axis=1).min())
    return np.asarray(rng.multinomial(n, share_MC) @ cells.score_C / n)


def _noise_sd(cells: CellMeans, priors: HierarchyPriors, rng: np.random.Generator) -> FloatArray | float:
    """Sampling SD of a unit mean under the prior."""
    if cells.se_G is not None:
        return float(cells.se_G.max())
    if cells.n_G is not None:
        return priors.residual_sd.draw(rng, _SIMULATIONS) / float(np.sqrt(cells.n_G.min()))
    return 0.0


def _names(design: Design, which_G: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[str, ...]:
    return tuple(
        f"{design.levels[design.level_G[g]]} / {design.units[design.unit_G[g]]}" for g in np.flatnonzero(which_G)
    )
