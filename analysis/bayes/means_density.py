"""Log densities and gradients of the hierarchies of unit means: normal units integrated out, or Student-t units."""

from __future__ import annotations

import math

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray, IntArray
from seedlock.analysis.bayes.compiled import compiled
from seedlock.analysis.bayes.pieces import informed, informed_back, level_means, positive_prior, zero_sum_back


@compiled  # numba takes positional arguments; one plain loop reads better than five fragments of it
def gaussian_density(  # noqa: PLR0915, PLR0917
    x: FloatArray,
    grad: FloatArray,
    mean_G: FloatArray,
    level_G: IntArray,
    known_variance_G: FloatArray,
    n_G: FloatArray,
    residual_df: float,
    residual_squares: float,
    family_P: IntArray,
    scale_P: FloatArray,
    df_P: FloatArray,
    level_mean_centre: float,
    level_mean_sd: float,
    n_units: int,
    n_run_sds: int,
    has_residual: bool,
) -> float:
    """Fill `grad` and return the log density of unit means, every unit integrated out.

    A group's mean is normal about its level's with variance run SD^2 + `known_variance_G`
    [+ residual SD^2 / n]; the within-unit squares inform the residual SD. The means of a paired unit share
    shared SD^2; determinant and inverse of that covariance are Sherman & Morrison's. `x` holds level means,
    log run SD (one, or one a level), log shared SD (paired), log residual SD. Priors: run, shared, residual.
    """
    levels, groups = int(level_G.max()) + 1, level_G.size
    grad[:] = 0.0
    # `mean ~ 0 + arm`: level means and their prior
    mean_A, departure_A = np.zeros(levels), np.zeros(levels)
    log_density = level_means(x, grad, level_mean_centre, level_mean_sd, n_units > 0, mean_A, departure_A)
    at_run_sd = levels
    at_shared_sd = at_run_sd + n_run_sds
    at_residual_sd = at_shared_sd + (1 if n_units > 0 else 0)
    # priors of `sigma` (one, or `sigma ~ 0 + arm`), of the SD of `1|unit`, and of answers within a unit
    for at in range(at_run_sd, x.size):
        which = 0 if at < at_shared_sd else 1 if at < at_residual_sd else 2
        value, slope = positive_prior(x[at], family_P[which], scale_P[which], df_P[which])
        log_density += value
        grad[at] += slope
    residual_variance = math.exp(2.0 * x[at_residual_sd]) if has_residual else 0.0
    if has_residual:
        log_density -= residual_df * x[at_residual_sd] + 0.5 * residual_squares / residual_variance
        grad[at_residual_sd] += residual_squares / residual_variance - residual_df

    # family gaussian: each run's mean about its level's, with variance sigma^2 and its own sampling noise
    variance_G, d_variance_G, d_gap_G = np.empty(groups), np.empty(groups), np.empty(groups)
    for g in range(groups):
        run_variance = math.exp(2.0 * x[at_run_sd + (level_G[g] if n_run_sds > 1 else 0)])
        variance = run_variance + known_variance_G[g] + (residual_variance / n_G[g] if has_residual else 0.0)
        gap = mean_G[g] - mean_A[level_G[g]]
        log_density -= 0.5 * (math.log(variance) + gap * gap / variance)
        variance_G[g] = variance
        d_variance_G[g] = 0.5 * (gap * gap / variance - 1.0) / variance
        d_gap_G[g] = -gap / variance
    # `(1 | unit)`, integrated out
    shared_variance = math.exp(2.0 * x[at_shared_sd]) if n_units > 0 else 0.0
    for s in range(n_units):
        precision, pull = 0.0, 0.0
        for a in range(levels):
            g = a * n_units + s
            precision += 1.0 / variance_G[g]
            pull += (mean_G[g] - mean_A[a]) / variance_G[g]
        inflation = 1.0 + shared_variance * precision
        share = shared_variance / inflation
        log_density += 0.5 * (share * pull * pull - math.log(inflation))
        slope = 0.5 * (pull * pull / (inflation * inflation) - precision / inflation)
        grad[at_shared_sd] += slope * 2.0 * shared_variance
        for a in range(levels):
            g = a * n_units + s
            gap = mean_G[g] - mean_A[a]
            d_precision = -0.5 * share * (share * pull * pull + 1.0)
            d_variance_G[g] -= (d_precision + share * pull * gap) / variance_G[g] ** 2
            d_gap_G[g] += share * pull / variance_G[g]

    # derivatives of sigma and of level means
    d_mean_A = np.zeros(levels)
    for g in range(groups):
        a = level_G[g]
        at = at_run_sd + (a if n_run_sds > 1 else 0)
        grad[at] += d_variance_G[g] * 2.0 * math.exp(2.0 * x[at])
        if has_residual:
            grad[at_residual_sd] += d_variance_G[g] * 2.0 * residual_variance / n_G[g]
        d_mean_A[a] -= d_gap_G[g]
    if n_units > 0:
        grad[0] += d_mean_A.sum()
        zero_sum_back(d_mean_A, grad[1:levels])
    else:
        for a in range(levels):
            grad[a] += d_mean_A[a]
    return log_density


@compiled
def student_density(  # noqa: PLR0912, PLR0915, PLR0917
    x: FloatArray,
    grad: FloatArray,
    mean_G: FloatArray,
    level_G: IntArray,
    family_P: IntArray,
    scale_P: FloatArray,
    df_P: FloatArray,
    level_mean_centre: float,
    level_mean_sd: float,
    n_units: int,
    n_run_sds: int,
) -> float:
    """Fill `grad` and return the log density of unit means that scatter as Student-t about their level (or unit).

    `x` holds level means, log run scale (one, or one a level), log shared SD (paired), log (nu - 2), and
    the standardised paired units. nu - 2 is gamma(2, 0.1), so that the spread between units is finite:
    after Juarez & Steel (2010), https://doi.org/10.1198/jbes.2009.07145
    """
    levels, groups = int(level_G.max()) + 1, level_G.size
    grad[:] = 0.0
    # `mean ~ 0 + arm`: level means and their prior
    mean_A, departure_A = np.zeros(levels), np.zeros(levels)
    log_density = level_means(x, grad, level_mean_centre, level_mean_sd, n_units > 0, mean_A, departure_A)
    at_run_sd = levels
    at_shared_sd = at_run_sd + n_run_sds
    at_nu = at_shared_sd + (1 if n_units > 0 else 0)
    at_unit = at_nu + 1
    # priors of `sigma` (one, or `sigma ~ 0 + arm`) and of the SD of `1|unit`
    for at in range(at_run_sd, at_nu):
        which = 0 if at < at_shared_sd else 1
        value, slope = positive_prior(x[at], family_P[which], scale_P[which], df_P[which])
        log_density += value
        grad[at] += slope
    # prior of `nu`: 2 + gamma(2, 0.1)
    beyond_two = math.exp(x[at_nu])
    nu = 2.0 + beyond_two
    log_density += 2.0 * x[at_nu] - 0.1 * beyond_two
    grad[at_nu] += 2.0 - 0.1 * beyond_two
    half = 0.5 * (nu + 1.0)
    constant = math.lgamma(half) - math.lgamma(0.5 * nu) - 0.5 * math.log(nu)
    step = 1e-5 * nu
    up, down = nu + step, nu - step
    d_constant = (
        math.lgamma(0.5 * (up + 1.0))
        - math.lgamma(0.5 * up)
        - math.lgamma(0.5 * (down + 1.0))
        + math.lgamma(0.5 * down)
    ) / (2.0 * step) - 0.5 / nu

    # `(1 | unit)`: what a paired unit carries through every level
    unit_S, d_unit_S = np.zeros(n_units), np.zeros(n_units)
    shared_sd = math.exp(x[at_shared_sd]) if n_units > 0 else 0.0
    weight_A = np.empty(levels)
    for a in range(levels):
        weight_A[a] = math.exp(-2.0 * x[at_run_sd + (a if n_run_sds > 1 else 0)])
    information = float(weight_A.sum())
    for s in range(n_units):
        pull = 0.0
        for a in range(levels):
            pull += weight_A[a] * (mean_G[a * n_units + s] - departure_A[a])
        unit_S[s], value = informed(x[0], shared_sd, pull / information, information, x[at_unit + s])
        log_density += value

    # family t: each run's mean about its level's (or its unit's)
    d_mean_A = np.zeros(levels)
    d_log_run_A = np.zeros(levels)
    for g in range(groups):
        a = level_G[g]
        s = g % n_units if n_units > 0 else 0
        gap = mean_G[g] - (unit_S[s] + departure_A[a] if n_units > 0 else mean_A[a])
        q = gap * gap * weight_A[a] / nu
        log_density += constant + 0.5 * math.log(weight_A[a]) - half * math.log1p(q)
        heavy = half / (1.0 + q)
        d_log_run_A[a] += 2.0 * heavy * q - 1.0
        grad[at_nu] += (d_constant - 0.5 * math.log1p(q) + heavy * q / nu) * beyond_two
        d_centre = 2.0 * heavy * gap * weight_A[a] / nu
        d_mean_A[a] += d_centre
        if n_units > 0:
            d_unit_S[s] += d_centre
    for s in range(n_units):
        pull = 0.0
        for a in range(levels):
            pull += weight_A[a] * (mean_G[a * n_units + s] - departure_A[a])
        estimate = pull / information
        d_mean, d_sd, d_estimate, d_information, d_z = informed_back(
            x[0], shared_sd, estimate, information, x[at_unit + s], d_unit_S[s]
        )
        grad[0] += d_mean
        grad[at_shared_sd] += d_sd * shared_sd
        grad[at_unit + s] += d_z
        for a in range(levels):
            off = mean_G[a * n_units + s] - departure_A[a] - estimate
            d_weight = d_information + d_estimate * off / information
            d_log_run_A[a] -= 2.0 * d_weight * weight_A[a]
            d_mean_A[a] -= d_estimate * weight_A[a] / information
    for a in range(levels):
        grad[at_run_sd + (a if n_run_sds > 1 else 0)] += d_log_run_A[a]
    if n_units > 0:
        zero_sum_back(d_mean_A, grad[1:levels])
    else:
        for a in range(levels):
            grad[a] += d_mean_A[a]
    return float(log_density)
