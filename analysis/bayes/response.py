"""From draws of the model's parameters to what is reported: level means, new units and spread on the response scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, Design, FloatArray
from seedlock.analysis.bayes.logit_normal import mean_rate, rate_moments
from seedlock.analysis.bayes.units_given import units_given

if TYPE_CHECKING:
    import xarray as xr

type ItemTarget = Literal["these", "new"]

NEW_UNITS_PER_DRAW = 4
_LOGISTIC_VARIANCE = np.pi**2 / 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """Draws on the scale of the measure; K posterior draws (chains in order), A levels, M = 4 K new units.

    Parameters
    ----------
    level_mean_KA
        Mean of each level over the population of units.
    these_units_KA
        Mean of each level over the units at hand.
    new_unit_MA
        One new unit a draw, from the hyperparameters; paired levels share the unit.
    unit_sd_KA
        SD between units on the response scale.
    unit_sd_model_KA
        The same on the model's scale (logit for counts).
    icc_KA
        Share of variance between units. Counts: on the logit scale, with the logistic variance pi^2/3 and
        items as the rest. Means: against the residual; None where unit means are all there is.
    """

    level_mean_KA: FloatArray
    these_units_KA: FloatArray
    new_unit_MA: FloatArray
    unit_sd_KA: FloatArray
    unit_sd_model_KA: FloatArray
    icc_KA: FloatArray | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameters:
    """Top-level draws, chains stacked; absent parts of the model are 0 or None."""

    level_mean_KA: FloatArray
    run_sd_KA: FloatArray
    shared_sd_K: FloatArray
    item_sd_KA: FloatArray | None

    @property
    def unit_sd_KA(self) -> FloatArray:  # noqa: N802 - the suffix names its axes
        """SD between units at a level: what they share across levels and what they do not."""
        return np.hypot(self.run_sd_KA, self.shared_sd_K[:, None])


def stacked(tree: xr.DataTree, name: str) -> FloatArray:
    """Return the draws of one variable, chains one after the other."""
    array = tree.posterior[name].to_numpy()
    return np.ascontiguousarray(array.reshape(-1, *array.shape[2:]))


def parameters(tree: xr.DataTree) -> Parameters:
    """Read the top-level parameters of either model."""
    names = set(tree.posterior.data_vars)
    level_mean_KA, run_sd = stacked(tree, "level_mean"), stacked(tree, "run_sd")
    run_sd_KA = np.broadcast_to(run_sd.reshape(len(run_sd), -1), level_mean_KA.shape)
    return Parameters(
        level_mean_KA=level_mean_KA,
        run_sd_KA=run_sd_KA,
        shared_sd_K=stacked(tree, "shared_sd") if "shared_sd" in names else np.zeros(len(run_sd)),
        item_sd_KA=stacked(tree, "item_sd") if "item_sd" in names else None,
    )


def counts_response(tree: xr.DataTree, cells: CellCounts, items: ItemTarget, rng: np.random.Generator) -> Response:
    """Average the logit-normal over new units (and items) for every draw.

    `items="these"` averages over the items at hand; "new" also integrates over items, and adds what the
    mean of the items at hand differs from the mean of all items.
    """
    design, par = cells.design, parameters(tree)
    item_KAI = at_hand_KAI = stacked(tree, "item_shift") if design.items else None
    new_MA = new_unit_centres(par, rng)
    centre_KA, spread_KA = par.level_mean_KA, par.unit_sd_KA
    item_sd_KA: FloatArray | None = None
    if items == "new" and par.item_sd_KA is not None:
        item_sd_KA, item_KAI = par.item_sd_KA, None
        shift_KA = item_sd_KA / np.sqrt(len(design.items)) * rng.standard_normal(centre_KA.shape)
        centre_KA, new_MA = centre_KA + shift_KA, new_MA + np.repeat(shift_KA, NEW_UNITS_PER_DRAW, axis=0)
    level_mean_KA, sd_KA = np.empty_like(centre_KA), np.empty_like(centre_KA)
    new_unit_MA = np.empty_like(new_MA)
    for a in range(len(design.levels)):
        if item_sd_KA is None:
            item_KI = None if item_KAI is None else item_KAI[:, a]
            moments = rate_moments(centre_KA[:, a], spread_KA[:, a], item_KI)
            level_mean_KA[:, a], sd_KA[:, a] = moments.mean_K, moments.sd_K
            item_MI = None if item_KI is None else np.repeat(item_KI, NEW_UNITS_PER_DRAW, axis=0)
            new_unit_MA[:, a] = mean_rate(new_MA[:, a], item_MI)
        else:
            whole = rate_moments(centre_KA[:, a], np.hypot(spread_KA[:, a], item_sd_KA[:, a]))
            level_mean_KA[:, a] = whole.mean_K
            item_sd_M = np.repeat(item_sd_KA[:, a], NEW_UNITS_PER_DRAW)
            new_unit_MA[:, a] = rate_moments(new_MA[:, a], item_sd_M).mean_K
            sd_KA[:, a] = _sd_over_units(new_unit_MA[:, a], whole.mean_K)
    return Response(
        level_mean_KA=level_mean_KA,
        these_units_KA=_these_units(tree, design, at_hand_KAI),
        new_unit_MA=new_unit_MA,
        unit_sd_KA=sd_KA,
        unit_sd_model_KA=spread_KA,
        icc_KA=spread_KA**2
        / (spread_KA**2 + _LOGISTIC_VARIANCE + (0.0 if par.item_sd_KA is None else par.item_sd_KA**2)),
    )


def means_response(tree: xr.DataTree, cells: CellMeans, rng: np.random.Generator) -> Response:
    """Read level means and new units off the normal hierarchy; the units at hand are drawn given the rest."""
    par = parameters(tree)
    nu_K = stacked(tree, "nu") if "nu" in tree.posterior else None
    residual_K = stacked(tree, "residual_sd") if cells.n_G is not None else None
    unit_KG = units_given(
        cells,
        level_mean_KA=par.level_mean_KA,
        run_sd_KA=par.run_sd_KA,
        shared_sd_K=par.shared_sd_K,
        residual_sd_K=residual_K,
        rng=rng,
    )
    heavy_K1 = 1.0 if nu_K is None else np.sqrt(nu_K / (nu_K - 2.0))[:, None]
    unit_sd_KA = np.hypot(par.run_sd_KA * heavy_K1, par.shared_sd_K[:, None])
    icc_KA = None if residual_K is None else par.unit_sd_KA**2 / (par.unit_sd_KA**2 + residual_K[:, None] ** 2)
    return Response(
        level_mean_KA=par.level_mean_KA,
        these_units_KA=_level_averages(unit_KG, cells.design),
        new_unit_MA=new_unit_centres(par, rng, nu_K),
        unit_sd_KA=unit_sd_KA,
        unit_sd_model_KA=unit_sd_KA,
        icc_KA=icc_KA,
    )


def new_unit_centres(par: Parameters, rng: np.random.Generator, nu_K: FloatArray | None = None) -> FloatArray:
    """Model-scale means of new units drawn from the hyperparameters, shape (M, A); Student-t where `nu_K` is given."""
    centre_MA = np.repeat(par.level_mean_KA, NEW_UNITS_PER_DRAW, axis=0)
    run_sd_MA = np.repeat(par.run_sd_KA, NEW_UNITS_PER_DRAW, axis=0)
    shared_sd_M = np.repeat(par.shared_sd_K, NEW_UNITS_PER_DRAW)
    shared_M = shared_sd_M * rng.standard_normal(len(shared_sd_M))
    z_MA = rng.standard_normal(centre_MA.shape)
    if nu_K is not None:
        nu_M1 = np.repeat(nu_K, NEW_UNITS_PER_DRAW)[:, None]
        z_MA = z_MA * np.sqrt(nu_M1 / rng.chisquare(np.broadcast_to(nu_M1, z_MA.shape)))
    return centre_MA + shared_M[:, None] + run_sd_MA * z_MA


def _these_units(tree: xr.DataTree, design: Design, item_KAI: FloatArray | None) -> FloatArray:
    """Average the rates of the units at hand, level by level."""
    run_KG = stacked(tree, "run")
    rate_KG = np.empty_like(run_KG)
    for g, a in enumerate(design.level_G):
        rate_KG[:, g] = mean_rate(run_KG[:, g], None if item_KAI is None else item_KAI[:, a])
    return _level_averages(rate_KG, design)


def _level_averages(of_KG: FloatArray, design: Design) -> FloatArray:
    return np.stack([of_KG[:, design.level_G == a].mean(axis=1) for a in range(len(design.levels))], axis=1)


def _sd_over_units(new_unit_M: FloatArray, mean_K: FloatArray) -> FloatArray:
    """Root mean square departure of the new units of a draw from the level mean."""
    departure_KQ = new_unit_M.reshape(len(mean_K), -1) - mean_K[:, None]
    return np.sqrt((departure_KQ**2).mean(axis=1))
