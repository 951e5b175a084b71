"""Pieces of a hierarchy's log density with their derivatives, shared by every likelihood; compiled."""

from __future__ import annotations

import math

from seedlock.analysis.bayes.cells import FloatArray
from seedlock.analysis.bayes.compiled import compiled

HALF_NORMAL, HALF_T, EXPONENTIAL = 0, 1, 2


@compiled
def positive_prior(log_s: float, family: int, scale: float, df: float) -> tuple[float, float]:
    """Log prior of s = exp(log_s) with its Jacobian, and the derivative in log s."""
    s = math.exp(log_s)
    if family == HALF_NORMAL:
        q = (s / scale) ** 2
        return -0.5 * q + log_s, 1.0 - q
    if family == HALF_T:
        q = (s / scale) ** 2 / df
        return -0.5 * (df + 1.0) * math.log1p(q) + log_s, 1.0 - (df + 1.0) * q / (1.0 + q)
    return -s / scale + log_s, 1.0 - s / scale


@compiled
def zero_sum(y: FloatArray, out: FloatArray) -> None:
    """Map n - 1 free numbers to n that sum to zero, by an orthonormal map (a Householder reflection)."""
    n = y.size + 1
    root = math.sqrt(n)
    total = 0.0
    for j in range(n - 1):
        total += y[j]
    shift = total / (root + n)
    for j in range(n - 1):
        out[j] = y[j] - shift
    out[n - 1] = -total / root


@compiled
def zero_sum_back(d_out: FloatArray, d_y: FloatArray) -> None:
    """Add the derivative of `zero_sum` to `d_y`."""
    n = d_out.size
    root = math.sqrt(n)
    total = 0.0
    for j in range(n - 1):
        total += d_out[j]
    d_total = -total / (root + n) - d_out[n - 1] / root
    for j in range(n - 1):
        d_y[j] += d_out[j] + d_total


@compiled
def level_means(  # noqa: PLR0917 - numba takes positional arguments
    x: FloatArray,
    grad: FloatArray,
    centre: float,
    sd: float,
    is_paired: bool,
    mean_A: FloatArray,
    departure_A: FloatArray,
) -> float:
    """Fill the level means from the head of `x`; add their prior's gradient and return its log density.

    Independent normal level means split exactly into their average, normal(centre, sd / sqrt A), and
    zero-sum departures of the same sd. Paired units move the average and leave departures alone, so for
    them `x` holds the average and the free departures: what is loosely known apart from what is tightly known.
    """
    levels = mean_A.size
    log_density = 0.0
    for a in range(levels):
        weight = math.sqrt(levels) if is_paired and a == 0 else 1.0
        about = 0.0 if is_paired and a > 0 else centre
        pull = weight * (x[a] - about) / sd
        log_density -= 0.5 * pull * pull
        grad[a] -= weight * pull / sd
        mean_A[a] = x[a]
    if is_paired:
        zero_sum(x[1:levels], departure_A)
        for a in range(levels):
            mean_A[a] = x[0] + departure_A[a]
    return log_density


@compiled
def informed(mean: float, sd: float, estimate: float, information: float, z: float) -> tuple[float, float]:
    """Latent x = mean + sd u and its log density in z; see `informed_back` for the idea.

    z is the standardised departure of x from its normal approximation given mean, sd and what the data say
    alone (`estimate`, with precision `information`): u = sd J (estimate - mean) / c + z / sqrt(c), c = 1 + J sd^2.
    With J = 0 this is the non-centred form, with large J the centred one; whenever the approximation is
    exact, z is standard normal and independent of mean and sd, so no funnel is left. The density is that of u
    times du/dz = c^(-1/2): nothing is approximated.
    """
    c = 1.0 + information * sd * sd
    u = sd * information * (estimate - mean) / c + z / math.sqrt(c)
    return mean + sd * u, -0.5 * u * u - 0.5 * math.log(c)


@compiled
def informed_back(  # noqa: PLR0917 - numba takes positional arguments
    mean: float, sd: float, estimate: float, information: float, z: float, d_x: float
) -> tuple[float, float, float, float, float]:
    """Derivatives of the whole log density in mean, sd, estimate, information and z, given that in x.

    Data-dependent centring: Papaspiliopoulos, Roberts & Skoeld (2007), https://doi.org/10.1214/088342307000000014
    """
    c = 1.0 + information * sd * sd
    root = math.sqrt(c)
    gap = estimate - mean
    u = sd * information * gap / c + z / root
    d_u = sd * d_x - u
    du_dc = -sd * information * gap / (c * c) - 0.5 * z / (c * root)
    d_c = d_u * du_dc - 0.5 / c
    d_gap = d_u * sd * information / c
    d_sd = d_x * u + d_u * information * gap / c + d_c * 2.0 * information * sd
    d_information = d_u * sd * gap / c + d_c * sd * sd
    return d_x - d_gap, d_sd, d_gap, d_information, d_u / root


@compiled
def informed_row(sd: float, estimate_J: FloatArray, information: float, z_J: FloatArray, x_J: FloatArray) -> float:
    """`informed` about 0 for numbers that share `sd` and `information`: fill `x_J`, return the log density."""
    c = 1.0 + information * sd * sd
    of_estimate, of_z = sd * sd * information / c, sd / math.sqrt(c)
    squares = 0.0
    for j in range(z_J.size):
        x_J[j] = of_estimate * estimate_J[j] + of_z * z_J[j]
        squares += x_J[j] * x_J[j]
    return -0.5 * squares / (sd * sd) - 0.5 * z_J.size * math.log(c)


@compiled
def informed_row_back(  # noqa: PLR0917 - numba takes positional arguments
    sd: float, estimate_J: FloatArray, information: float, z_J: FloatArray, d_x_J: FloatArray, d_z_J: FloatArray
) -> float:
    """`informed_back` for such numbers: add to `d_z_J`, return the derivative in sd."""
    c = 1.0 + information * sd * sd
    root = math.sqrt(c)
    of_estimate, of_z = sd * information / c, 1.0 / root
    dc_of_estimate, dc_of_z = -of_estimate / c, -0.5 / (c * root)
    d_sd, d_c = 0.0, -0.5 * z_J.size / c
    for j in range(z_J.size):
        u = of_estimate * estimate_J[j] + of_z * z_J[j]
        d_u = sd * d_x_J[j] - u
        d_z_J[j] += d_u * of_z
        d_c += d_u * (dc_of_estimate * estimate_J[j] + dc_of_z * z_J[j])
        d_sd += d_x_J[j] * u + d_u * information * estimate_J[j] / c
    return d_sd + d_c * 2.0 * information * sd


@compiled
def binomial_row(  # noqa: PLR0917 - numba takes positional arguments
    k_I: FloatArray, n_I: FloatArray, run: float, item_I: FloatArray, odds_I: FloatArray, d_item_I: FloatArray
) -> tuple[float, float]:
    """Log likelihood of a group's cells at logits run + item, and its derivative in run; adds that in items.

    `odds_I` is exp(item), so that no cell needs an exponential of its own; and n log(1 + o1) + n log(1 + o2) is
    n log((1 + o1)(1 + o2)), so that one logarithm serves many cells of the same n. Where odds could overflow,
    `binomial_row_far` takes over.
    """
    odds_run = math.exp(run)
    if not odds_run * odds_I.max() < 1e100:
        return binomial_row_far(k_I, n_I, run, item_I, d_item_I)
    total, d_run, product, n = 0.0, 0.0, 1.0, n_I[0]
    for i in range(k_I.size):
        other = 1.0 + odds_run * odds_I[i]
        slope = k_I[i] - n_I[i] + n_I[i] / other
        total += k_I[i] * (run + item_I[i])
        d_run += slope
        d_item_I[i] += slope
        if n_I[i] != n or product > 1e200:
            total -= n * math.log(product)
            product, n = 1.0, n_I[i]
        product *= other
    return total - n * math.log(product), d_run


@compiled
def binomial_row_far(
    k_I: FloatArray, n_I: FloatArray, run: float, item_I: FloatArray, d_item_I: FloatArray
) -> tuple[float, float]:
    """`binomial_row` cell by cell, safe at any logit."""
    total, d_run = 0.0, 0.0
    for i in range(k_I.size):
        eta = run + item_I[i]
        tail = math.exp(-abs(eta))
        share = 1.0 / (1.0 + tail) if eta >= 0.0 else tail / (1.0 + tail)
        total += k_I[i] * eta - n_I[i] * (max(eta, 0.0) + math.log1p(tail))
        d_run += k_I[i] - n_I[i] * share
        d_item_I[i] += k_I[i] - n_I[i] * share
    return total, d_run


@compiled
def rising(start: float, step: float, terms: int) -> tuple[float, float, float]:
    """Log of start (start + step) ... over `terms` factors, and its derivatives in start and step."""
    total, d_start, d_step, product = 0.0, 0.0, 0.0, 1.0
    for j in range(terms):
        factor = start + j * step
        product *= factor
        d_start += 1.0 / factor
        d_step += j / factor
        if not 1e-100 < product < 1e100:
            total += math.log(product)
            product = 1.0
    return total + math.log(product), d_start, d_step


@compiled
def beta_binomial_cell(k: float, n: float, eta: float, log_omega: float) -> tuple[float, float, float]:
    """Log likelihood of k of n, overdispersed; derivatives in eta and log omega.

    The rate scatters as beta with mean expit(eta) and concentration 1 / omega^2, so omega = 0 is the
    binomial. Rising factorials are summed term by term: stable for any concentration.
    """
    tail = math.exp(-abs(eta))
    rate = 1.0 / (1.0 + tail) if eta >= 0 else tail / (1.0 + tail)
    other = tail / (1.0 + tail) if eta >= 0 else 1.0 / (1.0 + tail)
    square = math.exp(2.0 * log_omega)
    of_k, per_rate_k, per_square_k = rising(rate, square, int(k))
    of_rest, per_rate_rest, per_square_rest = rising(other, square, int(n - k))
    of_n, _, per_square_n = rising(1.0, square, int(n))
    d_square = per_square_k + per_square_rest - per_square_n
    return of_k + of_rest - of_n, (per_rate_k - per_rate_rest) * rate * other, d_square * 2.0 * square
