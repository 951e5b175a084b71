"""Log density and gradient of the hierarchy of counts: the model of `model.pymc_counts`, informed geometry."""

from __future__ import annotations

import math

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray, IntArray
from seedlock.analysis.bayes.compiled import compiled
from seedlock.analysis.bayes.pieces import (
    beta_binomial_cell,
    binomial_row,
    informed,
    informed_back,
    informed_row,
    informed_row_back,
    level_means,
    positive_prior,
    zero_sum,
    zero_sum_back,
)


@compiled  # numba takes positional arguments; one plain loop reads better than five fragments of it
def counts_density(  # noqa: PLR0912, PLR0915, PLR0917
    x: FloatArray,
    grad: FloatArray,
    k_GI: FloatArray,
    n_GI: FloatArray,
    level_G: IntArray,
    estimate_G: FloatArray,
    information_G: FloatArray,
    item_estimate_AJ: FloatArray,
    item_information_A: FloatArray,
    family_P: IntArray,
    scale_P: FloatArray,
    df_P: FloatArray,
    level_mean_centre: float,
    level_mean_sd: float,
    n_units: int,
    n_run_sds: int,
    has_items: bool,
    is_overdispersed: bool,
) -> float:
    """Fill `grad` and return the log density, up to a constant, at the free vector `x`.

    Parameters
    ----------
    x, grad
        Laid out as `counts_layout` says; lengths D.
    k_GI, n_GI
        Counts, shape (G, I).
    level_G, estimate_G, information_G
        Each group's level, logit and information (`sketch`), shape (G,).
    item_estimate_AJ, item_information_A
        The same of items, in the free coordinates of `zero_sum`; empty without items.
    family_P, scale_P, df_P
        Priors of run, shared, item and overdispersion SD, in this order, shape (4,).
    n_units
        Paired units; 0 for nested ones.
    n_run_sds
        1, or one a level.
    """
    levels, groups, items = int(level_G.max()) + 1, level_G.size, k_GI.shape[1]
    grad[:] = 0.0
    # `0 + arm`: level means and their prior
    mean_A, departure_A = np.zeros(levels), np.zeros(levels)
    log_density = level_means(x, grad, level_mean_centre, level_mean_sd, n_units > 0, mean_A, departure_A)

    at_run_sd = levels
    at_shared_sd = at_run_sd + n_run_sds
    at_item_sd = at_shared_sd + (1 if n_units > 0 else 0)
    at_omega = at_item_sd + (levels if has_items else 0)
    at_item = at_omega + (1 if is_overdispersed else 0)
    at_unit = at_item + (levels * (items - 1) if has_items else 0)
    at_run = at_unit + n_units
    # priors of the SDs of `1|run` (or `arm|run`), `1|unit` and `arm|item`, and of omega (kappa = 1 / omega^2)
    for at in range(at_run_sd, at_item):
        which = 0 if at < at_shared_sd else 1 if at < at_item_sd else 2 if at < at_omega else 3
        value, slope = positive_prior(x[at], family_P[which], scale_P[which], df_P[which])
        log_density += value
        grad[at] += slope

    run_sd_A, item_sd_A = np.empty(levels), np.ones(levels)
    for a in range(levels):
        run_sd_A[a] = math.exp(x[at_run_sd + (a if n_run_sds > 1 else 0)])

    item_AI, d_item_AI = np.zeros((levels, items)), np.zeros((levels, items))
    free_J, d_free_J = np.empty(items - 1), np.empty(items - 1)
    # `(0 + arm | item)`: item shifts that sum to zero within a level
    if has_items:
        for a in range(levels):
            item_sd_A[a] = math.exp(x[at_item_sd + a])
            z_J = x[at_item + a * (items - 1) : at_item + (a + 1) * (items - 1)]
            log_density += informed_row(item_sd_A[a], item_estimate_AJ[a], item_information_A[a], z_J, free_J)
            zero_sum(free_J, item_AI[a])

    odds_AI = np.exp(item_AI)

    # `(1 | unit)`: what a paired unit carries through every level
    unit_S, share_S, pull_S = np.zeros(n_units), np.zeros(n_units), np.zeros(n_units)
    weight_G = np.zeros(groups)
    shared_sd = math.exp(x[at_shared_sd]) if n_units > 0 else 0.0
    for s in range(n_units):
        for a in range(levels):
            g = a * n_units + s
            weight_G[g] = 1.0 / (run_sd_A[a] ** 2 + 1.0 / information_G[g])
            share_S[s] += weight_G[g]
            pull_S[s] += weight_G[g] * (estimate_G[g] - departure_A[a])
        unit_S[s], value = informed(x[0], shared_sd, pull_S[s] / share_S[s], share_S[s], x[at_unit + s])
        log_density += value

    d_mean_A, d_departure_A, d_run_sd_A = np.zeros(levels), np.zeros(levels), np.zeros(levels)
    d_unit_S = np.zeros(n_units)
    omega = x[at_omega] if is_overdispersed else 0.0
    for g in range(groups):
        a = level_G[g]
        s = g % n_units if n_units > 0 else 0
        centre = unit_S[s] + departure_A[a] if n_units > 0 else mean_A[a]
        # `(1 | run)`, or `(0 + arm | run)` with an SD a level
        run, value = informed(centre, run_sd_A[a], estimate_G[g], information_G[g], x[at_run + g])
        log_density += value
        # `p(k, n)`: family beta_binomial, or binomial
        if is_overdispersed:
            d_run = 0.0
            for i in range(items):
                eta = run + item_AI[a, i]
                value, slope, d_omega = beta_binomial_cell(k_GI[g, i], n_GI[g, i], eta, omega)
                grad[at_omega] += d_omega
                log_density += value
                d_run += slope
                d_item_AI[a, i] += slope
        else:
            value, d_run = binomial_row(k_GI[g], n_GI[g], run, item_AI[a], odds_AI[a], d_item_AI[a])
            log_density += value
        d_centre, d_sd, _, _, d_z = informed_back(
            centre, run_sd_A[a], estimate_G[g], information_G[g], x[at_run + g], d_run
        )
        grad[at_run + g] += d_z
        d_run_sd_A[a] += d_sd
        if n_units > 0:
            d_unit_S[s] += d_centre
            d_departure_A[a] += d_centre
        else:
            d_mean_A[a] += d_centre

    # from here on derivatives, term by term in reverse: unit, item, run SD, arm
    for s in range(n_units):
        estimate = pull_S[s] / share_S[s]
        d_mean, d_sd, d_estimate, d_share, d_z = informed_back(
            x[0], shared_sd, estimate, share_S[s], x[at_unit + s], d_unit_S[s]
        )
        grad[0] += d_mean
        grad[at_shared_sd] += d_sd * shared_sd
        grad[at_unit + s] += d_z
        for a in range(levels):
            g = a * n_units + s
            d_pull = d_estimate / share_S[s]
            d_weight = d_share - d_pull * estimate + d_pull * (estimate_G[g] - departure_A[a])
            d_departure_A[a] -= d_pull * weight_G[g]
            d_run_sd_A[a] -= d_weight * 2.0 * run_sd_A[a] * weight_G[g] ** 2

    if has_items:
        for a in range(levels):
            d_free_J[:] = 0.0
            zero_sum_back(d_item_AI[a], d_free_J)
            of_level = slice(at_item + a * (items - 1), at_item + (a + 1) * (items - 1))
            d_sd = informed_row_back(
                item_sd_A[a], item_estimate_AJ[a], item_information_A[a], x[of_level], d_free_J, grad[of_level]
            )
            grad[at_item_sd + a] += d_sd * item_sd_A[a]
    for a in range(levels):
        grad[at_run_sd + (a if n_run_sds > 1 else 0)] += d_run_sd_A[a] * run_sd_A[a]
    if n_units > 0:
        zero_sum_back(d_departure_A, grad[1:levels])
    else:
        for a in range(levels):
            grad[a] += d_mean_A[a]
    return log_density
