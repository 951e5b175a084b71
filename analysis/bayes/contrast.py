"""Read a contrast off a sound fit: bands, SESOI, ROPE and the same for a new unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray
from seedlock.analysis.bayes.hierarchy import HierarchyFit
from seedlock.analysis.bayes.mcmc import bulk_ess, highest_density, tail_ess
from seedlock.prereg.errors import BadInput, DiagnosticsFailed, Finding, NotFinite


@dataclass(frozen=True, slots=True, kw_only=True)
class BandPosterior:
    """Posterior probability that the estimand lies in [lower, upper)."""

    lower: float
    upper: float
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An interval that holds `level` of the posterior."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContrastPosterior:
    """Draws of one weighted sum of level means, on the response scale.

    Parameters
    ----------
    mean_K
        Over the population of units: the estimand.
    these_units_K
        Over the units at hand only.
    new_unit_M
        One new unit at each level: the same unit where units are paired, independent ones otherwise.
    n_units
        Units that carry the inference.
    bulk_ess, tail_ess
        Of `mean_K`.
    """

    mean_K: FloatArray
    these_units_K: FloatArray
    new_unit_M: FloatArray
    n_units: int
    bulk_ess: float
    tail_ess: float


def contrast(fit: HierarchyFit, weights: Mapping[str, float]) -> ContrastPosterior:
    """Weigh level means into the planned contrast.

    Parameters
    ----------
    fit
        A fit; only a sound one is read.
    weights
        Weight of each level; levels left out weigh 0.

    Raises
    ------
    DiagnosticsFailed
        The fit, or this contrast's own draws, failed a gate.
    BadInput
        A level the fit does not have, or no weight at all.
    """
    if fit.reasons:
        raise DiagnosticsFailed(f"the {fit.likelihood} seed hierarchy gives no verdict: {'; '.join(fit.reasons)}")
    weight_A = _weights(fit, weights)
    response = fit.response
    mean_K = response.level_mean_KA @ weight_A
    by_chain_CK = mean_K.reshape(fit.sampler.chains, -1)
    bulk, tail = float(bulk_ess(by_chain_CK)), float(tail_ess(by_chain_CK))
    rules = fit.rules
    if not (bulk > rules.min_bulk_ess and tail > rules.min_tail_ess):
        raise DiagnosticsFailed(f"the contrast's own draws mix badly: bulk ESS {bulk:.0f}, tail ESS {tail:.0f}")
    return ContrastPosterior(
        mean_K=mean_K,
        these_units_K=response.these_units_KA @ weight_A,
        new_unit_M=response.new_unit_MA @ weight_A,
        n_units=fit.design.n_units,
        bulk_ess=bulk,
        tail_ess=tail,
    )


def band_posteriors(draws: FloatArray, edges: Sequence[float]) -> tuple[BandPosterior, ...]:
    """Posterior probability of every band that `edges` cut; they sum to 1.

    Parameters
    ----------
    draws
        Any shape, in the unit of `edges`.
    edges
        Strictly increasing; a draw on an edge counts to the band above it.
    """
    if not np.isfinite(draws).all() or not draws.size:
        raise NotFinite("band probabilities need finite draws")
    if any(not low < high for low, high in pairwise(edges)):
        raise BadInput(
            "band edges must increase", Finding(where="bands", found=str(list(edges)), promised="increasing")
        )
    counts = np.bincount(np.digitize(draws.ravel(), edges), minlength=len(edges) + 1)
    bounds = [-math.inf, *edges, math.inf]
    return tuple(
        BandPosterior(lower=low, upper=high, probability=int(count) / draws.size)
        for (low, high), count in zip(pairwise(bounds), counts, strict=True)
    )


def prob_above(draws: FloatArray, threshold: float) -> float:
    """Posterior probability of exceeding a threshold (the SESOI, say)."""
    return float((draws > threshold).mean())


def eti(draws: FloatArray, level: float = 0.95) -> Interval:
    """Equal-tailed interval."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level)


def hdi(draws: FloatArray, level: float = 0.95) -> Interval:
    """Highest-density interval (a single one)."""
    low, high = highest_density(draws, level)
    return Interval(low=low, high=high, level=level)


def _weights(fit: HierarchyFit, weights: Mapping[str, float]) -> FloatArray:
    unknown = sorted(set(weights) - set(fit.design.levels))
    if unknown or not any(weights.values()) or not all(map(math.isfinite, weights.values())):
        raise BadInput(
            "the contrast does not fit the levels",
            Finding(where="contrast", found=str(dict(weights)), promised=f"levels {list(fit.design.levels)}"),
        )
    return np.array([weights.get(name, 0.0) for name in fit.design.levels])
