"""Log density and gradient of the cumulative logit hierarchy: the model of `model.pymc_ratings`, informed geometry."""

from __future__ import annotations

import math

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray, IntArray
from seedlock.analysis.bayes.compiled import compiled
from seedlock.analysis.bayes.pieces import informed, informed_back, positive_prior, zero_sum, zero_sum_back


@compiled
def rating_row(n_C: FloatArray, eta: float, cut_C: FloatArray, d_cut_C: FloatArray) -> tuple[float, float]:
    """Log likelihood of a group's ratings at logit `eta`, and its derivative there; adds that in the cutpoints.

    P(score c) = F(b) - F(a) with b, a the cutpoints above and below, less eta, is
    F(b) (1 - F(a)) (1 - exp(a - b)): no digits are lost far out.
    """
    total, d_eta = 0.0, 0.0
    last = cut_C.size
    for c in range(n_C.size):
        n = n_C[c]
        if n == 0.0:
            continue
        d_b, d_a = 0.0, 0.0
        if c < last:
            b = cut_C[c] - eta
            tail = math.exp(-abs(b))
            total += n * (min(b, 0.0) - math.log1p(tail))
            d_b = tail / (1.0 + tail) if b >= 0.0 else 1.0 / (1.0 + tail)
        if c > 0:
            a = cut_C[c - 1] - eta
            tail = math.exp(-abs(a))
            total += n * (min(-a, 0.0) - math.log1p(tail))
            d_a = -(1.0 / (1.0 + tail) if a >= 0.0 else tail / (1.0 + tail))
        if 0 < c < last:
            gap = cut_C[c] - cut_C[c - 1]
            total += n * math.log(-math.expm1(-gap))
            steep = 1.0 / math.expm1(gap)
            d_b += steep
            d_a -= steep
        if c < last:
            d_cut_C[c] += n * d_b
        if c > 0:
            d_cut_C[c - 1] += n * d_a
        d_eta -= n * (d_a + d_b)
    return total, d_eta


@compiled  # numba takes positional arguments
def ratings_density(  # noqa: PLR0917
    x: FloatArray,
    grad: FloatArray,
    n_GC: FloatArray,
    level_G: IntArray,
    estimate_G: FloatArray,
    information_G: FloatArray,
    family_P: IntArray,
    scale_P: FloatArray,
    df_P: FloatArray,
    level_mean_sd: float,
    cut_centre: float,
    cut_sd: float,
) -> float:
    """Fill `grad` and return the log density, up to a constant, at the free vector `x`.

    Parameters
    ----------
    x, grad
        Free departures of level means (A - 1, `zero_sum`), log run SD, first cutpoint, logs of the gaps to the
        others, standardised runs.
    n_GC
        Ratings, shape (G, C).
    level_G, estimate_G, information_G
        Each group's level, logit and information at the pooled cutpoints, shape (G,).
    family_P, scale_P, df_P
        Prior of the run SD, shape (1,).
    """
    # `C(arm, Sum)`: level means that sum to zero, and their prior
    levels, cuts = int(level_G.max()) + 1, n_GC.shape[1] - 1
    at_sd, at_cut = levels - 1, levels
    at_run = at_cut + cuts
    grad[:] = 0.0
    log_density = 0.0
    for a in range(levels - 1):
        log_density -= 0.5 * (x[a] / level_mean_sd) ** 2
        grad[a] -= x[a] / level_mean_sd**2
    mean_A, d_mean_A = np.zeros(levels), np.zeros(levels)
    zero_sum(x[: levels - 1], mean_A)
    # prior of the SD of `1|run`
    value, slope = positive_prior(x[at_sd], family_P[0], scale_P[0], df_P[0])
    log_density += value
    grad[at_sd] += slope
    run_sd = math.exp(x[at_sd])

    # `threshold`: cutpoints in order, and their prior
    cut_C, d_cut_C = np.empty(cuts), np.zeros(cuts)
    cut_C[0] = x[at_cut]
    for c in range(1, cuts):
        cut_C[c] = cut_C[c - 1] + math.exp(x[at_cut + c])
        log_density += x[at_cut + c]
        grad[at_cut + c] += 1.0
    for c in range(cuts):
        pull = (cut_C[c] - cut_centre) / cut_sd
        log_density -= 0.5 * pull * pull
        d_cut_C[c] -= pull / cut_sd

    # `(1 | run)` and the response `score`, family cumulative
    d_run_sd = 0.0
    for g in range(level_G.size):
        a, z = level_G[g], x[at_run + g]
        run, value = informed(mean_A[a], run_sd, estimate_G[g], information_G[g], z)
        log_density += value
        value, d_run = rating_row(n_GC[g], run, cut_C, d_cut_C)
        log_density += value
        d_centre, d_sd, _, _, d_z = informed_back(mean_A[a], run_sd, estimate_G[g], information_G[g], z, d_run)
        grad[at_run + g] += d_z
        d_run_sd += d_sd
        d_mean_A[a] += d_centre
    grad[at_sd] += d_run_sd * run_sd
    zero_sum_back(d_mean_A, grad[: levels - 1])
    above = 0.0
    for c in range(cuts - 1, 0, -1):
        above += d_cut_C[c]
        grad[at_cut + c] += above * math.exp(x[at_cut + c])
    grad[at_cut] += above + d_cut_C[0]
    return log_density
