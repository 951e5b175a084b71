"""Power of the equivalence test at the planned seeds, computed before the lock."""

from __future__ import annotations

import math

from scipy import integrate, stats

from seedlock.prereg.errors import BadInput, TooFewUnits

MOST_SEEDS = 10_000


def tost_power(
    *,
    sesoi: float,
    seed_sd: float,
    seeds: int,
    alpha: float,
    true_effect: float = 0.0,
    weights: tuple[float, ...] = (1.0, -1.0),
) -> float:
    """Compute the probability that TOST finds the contrast inside +/- `sesoi`.

    Parameters
    ----------
    sesoi, seed_sd, true_effect
        In one unit, `seed_sd` being the SD between seeds at a level.
    seeds
        At every level, at least 2.
    alpha
        Of each one-sided test.
    weights
        Of the levels; (1, -1) for two arms, (1,) for one arm or for paired differences (`seed_sd` is then
        the SD of the differences). The variance is pooled: len(weights) * (seeds - 1) df.

    Returns
    -------
    float
        Exact up to numerical integration over the estimated SD.

    Raises
    ------
    TooFewUnits
        Fewer than two seeds.
    BadInput
        A bound, SD or alpha out of range.

    Notes
    -----
    Given the estimated SD the test accepts an interval of estimates, which is normal; the estimated SD is
    chi. Phillips (1990), https://doi.org/10.1007/BF01063556. statsmodels has no t-based TOST power.
    """
    _check(sesoi=sesoi, seed_sd=seed_sd, alpha=alpha, weights=weights)
    if seeds < 2:
        raise TooFewUnits(f"{seeds} seed(s) a level: no standard error, so no power to speak of")
    df = len(weights) * (seeds - 1)
    se = seed_sd * math.sqrt(math.fsum(w**2 for w in weights) / seeds)
    t = float(stats.t.isf(alpha, df))
    widest = sesoi / (t * se)  # ratio of estimated to true SD beyond which nothing is accepted

    def accepted(ratio: float) -> float:
        room = sesoi - t * se * ratio
        inside = stats.norm.cdf((room - true_effect) / se) - stats.norm.cdf((-room - true_effect) / se)
        return float(max(0.0, inside) * stats.chi.pdf(ratio * math.sqrt(df), df) * math.sqrt(df))

    # Beyond these quantiles the chi density holds less than 1e-12.
    low = float(stats.chi.ppf(5e-13, df)) / math.sqrt(df)
    high = float(stats.chi.isf(5e-13, df)) / math.sqrt(df)
    if widest <= low:
        return 0.0
    power, _ = integrate.quad(accepted, low, min(widest, high), limit=200, epsabs=1e-10)
    return min(1.0, max(0.0, float(power)))


def _check(*, sesoi: float, seed_sd: float, alpha: float, weights: tuple[float, ...]) -> None:
    if not sesoi > 0 or not seed_sd > 0:
        raise BadInput(f"SESOI and seed SD are above 0; found {sesoi} and {seed_sd}")
    if not 0 < alpha < 0.5:
        raise BadInput(f"alpha lies between 0 and 0.5; found {alpha}")
    if not any(weights):
        raise BadInput("every weight of the contrast is zero: there is nothing to estimate")
