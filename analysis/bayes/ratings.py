"""The cumulative logit hierarchy of ratings: ready to sample, and read on the scale of the mean rating."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from seedlock.analysis.bayes.cells import FloatArray
from seedlock.analysis.bayes.priors import HierarchyPriors
from seedlock.analysis.bayes.problem import Layout, Problem, prior_arrays
from seedlock.analysis.bayes.rating_cells import CellRatings
from seedlock.analysis.bayes.ratings_density import rating_row, ratings_density
from seedlock.analysis.bayes.response import NEW_UNITS_PER_DRAW, Response, new_unit_centres, parameters, stacked

if TYPE_CHECKING:
    import xarray as xr

_LOGISTIC_VARIANCE = np.pi**2 / 3
_Z_Q = np.arange(-6.5, 6.51, 0.5)


def ratings_problem(cells: CellRatings, priors: HierarchyPriors, *, is_informed: bool) -> Problem:
    """Prepare the hierarchy of ratings; `is_informed=False` is the non-centred geometry.

    Level means sum to zero: where they lie together is where the cutpoints lie.
    """
    design, cuts = cells.design, len(cells.score_C) - 1
    levels = len(design.levels)
    pooled_C, estimate_G, information_G = _sketch(cells)
    information_G = information_G if is_informed else np.full_like(information_G, 1e-9)
    layout = Layout.of(level_mean=levels - 1, run_sd=1, cut=cuts, run=design.n_groups)
    n_GC = cells.n_GC.astype(np.float64)
    spread = (priors.level_mean.scale, priors.cutpoint.centre, priors.cutpoint.scale)
    given: tuple[Any, ...] = (n_GC, design.level_G, estimate_G, information_G, *prior_arrays(priors.run_sd), *spread)

    def log_density(x_D: FloatArray) -> tuple[float, FloatArray]:
        grad_D = np.empty_like(x_D)
        return ratings_density(x_D, grad_D, *given), grad_D

    def unpack(x_KD: FloatArray) -> dict[str, FloatArray]:
        free_KA = x_KD[:, : levels - 1]
        cut_KC = x_KD[:, layout.slices["cut"]].copy()
        cut_KC[:, 1:] = np.exp(cut_KC[:, 1:])
        part = {
            "level_mean": _zero_sum(free_KA),
            "run_sd": np.exp(x_KD[:, layout.slices["run_sd"].start]),
            "cutpoint": np.cumsum(cut_KC, axis=1),
        }
        mean_KG, sd_K1 = part["level_mean"][:, design.level_G], part["run_sd"][:, None]
        c = 1.0 + information_G * sd_K1**2
        z_KG = x_KD[:, layout.slices["run"]]
        u_KG = sd_K1 * information_G * (estimate_G - mean_KG) / c + z_KG / np.sqrt(c)
        part["run"] = mean_KG + sd_K1 * u_KG
        return part

    start_D = np.zeros(layout.size)
    start_D[layout.slices["run_sd"]] = np.log(0.5)
    start_D[layout.slices["cut"]] = np.concatenate([pooled_C[:1], np.log(np.diff(pooled_C))])
    return Problem(log_density=log_density, start_D=start_D, unpack=unpack)


def ratings_response(tree: xr.DataTree, cells: CellRatings, rng: np.random.Generator) -> Response:
    """Average the rating over new units for every draw; a level's number is its mean rating."""
    par, cut_KC = parameters(tree), stacked(tree, "cutpoint")
    centre_KA, sd_KA = par.level_mean_KA, par.unit_sd_KA
    weight_Q = np.exp(-0.5 * _Z_Q**2)
    weight_Q /= weight_Q.sum()
    mean_KA, square_KA = np.zeros_like(centre_KA), np.zeros_like(centre_KA)
    for z, weight in zip(_Z_Q, weight_Q, strict=True):
        rating_KA = mean_rating(centre_KA + sd_KA * z, cut_KC, cells.score_C)
        mean_KA += weight * rating_KA
        square_KA += weight * rating_KA**2
    run_KG = mean_rating(stacked(tree, "run"), cut_KC, cells.score_C)
    level_G = cells.design.level_G
    new_cut_MC = np.repeat(cut_KC, NEW_UNITS_PER_DRAW, axis=0)
    return Response(
        level_mean_KA=mean_KA,
        these_units_KA=np.stack([run_KG[:, level_G == a].mean(axis=1) for a in range(centre_KA.shape[1])], axis=1),
        new_unit_MA=mean_rating(new_unit_centres(par, rng), new_cut_MC, cells.score_C),
        unit_sd_KA=np.sqrt(np.maximum(square_KA - mean_KA**2, 0.0)),
        unit_sd_model_KA=sd_KA,
        icc_KA=sd_KA**2 / (sd_KA**2 + _LOGISTIC_VARIANCE),
    )


def mean_rating(logit_KA: FloatArray, cut_KC: FloatArray, score_C: FloatArray) -> FloatArray:
    """Mean score at each logit, shape (K, A): the lowest, and every step by the chance of passing its cutpoint."""
    rating_KA = np.full_like(logit_KA, score_C[0])
    for c, step in enumerate(np.diff(score_C)):
        rating_KA += step * expit(logit_KA - cut_KC[:, c, None])
    return rating_KA


def score_shares(logit_K: FloatArray, cut_KC: FloatArray) -> FloatArray:
    """Probability of each score at each draw's logit, shape (K, C)."""
    below_KC = expit(cut_KC - logit_K[:, None])
    edges = np.concatenate([np.zeros((len(logit_K), 1)), below_KC, np.ones((len(logit_K), 1))], axis=1)
    return np.diff(edges, axis=1)


def _sketch(cells: CellRatings) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pooled cutpoints, and each group's logit and information there; a little of the pool is added to each group."""
    n_GC = cells.n_GC.astype(np.float64)
    share_C = (n_GC.sum(axis=0) + 0.5) / (n_GC.sum() + 0.5 * n_GC.shape[1])
    below_C = np.cumsum(share_C)[:-1]
    cut_C = np.log(below_C / (1.0 - below_C))
    ignored = np.zeros_like(cut_C)
    logit_G, information_G = np.empty(len(n_GC)), np.empty(len(n_GC))
    for g, n_C in enumerate(n_GC + 0.5 * share_C):

        def slope(eta: float, n_C: FloatArray = n_C) -> float:
            return float(rating_row(n_C, eta, cut_C, ignored)[1])

        logit_G[g] = brentq(slope, -40.0, 40.0)
        information_G[g] = (slope(logit_G[g] - 1e-3) - slope(logit_G[g] + 1e-3)) / 2e-3
    return cut_C, logit_G, information_G


def _zero_sum(y_KA: FloatArray) -> FloatArray:
    """`pieces.zero_sum`, row by row."""
    n = y_KA.shape[1] + 1
    total = y_KA.sum(axis=1, keepdims=True)
    return np.concatenate([y_KA - total / (np.sqrt(n) + n), -total / np.sqrt(n)], axis=1)
