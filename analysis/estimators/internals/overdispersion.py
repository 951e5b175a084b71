"""How far apart runs really are, once the noise of counting answers is taken away."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from seedlock.analysis.estimators.internals.binomial import checked_counts
from seedlock.analysis.estimators.internals.t_interval import p_value, require_level
from seedlock.prereg.errors import NotPaired, TooFewUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class BetweenUnitSd:
    """Spread between units (seeds, say) of a yes/no rate.

    Parameters
    ----------
    sd_observed
        Sample SD of the unit rates.
    sd_binomial
        SD that counting alone would give.
    sd_between
        What is left; 0 with a reason where the observed spread is no larger than counting noise, None
        with a reason where a unit has a single answer.
    chi2, df, p, ratio
        Test that all units share one rate; `ratio` is chi2 / df, the overdispersion. None with a reason
        where every answer is the same.
    reason
        Why a field is None or 0; empty otherwise.
    """

    sd_observed: float
    sd_binomial: float | None
    sd_between: float | None
    chi2: float | None
    df: int
    p: float | None
    ratio: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SdInterval:
    """An interval for the SD between units: as observed, and with the noise of counting taken off where it is known."""

    observed: tuple[float, float]
    after_noise: tuple[float, float] | None


def sd_interval(sd: float, df: float, *, noise: float | None, level: float) -> SdInterval:
    """Say how well so few units tell how much units differ.

    Parameters
    ----------
    sd, df
        Sample SD of the unit means and its degrees of freedom, at least 1.
    noise
        SD that counting alone gives them, taken as known; None where it is not.
    level
        Two-sided confidence level.

    Notes
    -----
    df sd^2 / chi2, exact for normal unit means; the variance of counting is then taken from both ends, which are cut
    at 0. With three seeds the upper end is six times the SD.
    """
    require_level(level)
    if not df >= 1:
        raise TooFewUnits(f"an SD with {df:.3g} degrees of freedom has no interval")
    tail = (1 - level) / 2
    low, high = (sd * math.sqrt(df / float(stats.chi2.isf(p, df))) for p in (tail, 1 - tail))
    after = None
    if noise is not None:
        after = (math.sqrt(max(0.0, low**2 - noise**2)), math.sqrt(max(0.0, high**2 - noise**2)))
    return SdInterval(observed=(low, high), after_noise=after)


def between_unit_sd(k_U: Mapping[str, int], n_U: Mapping[str, int]) -> BetweenUnitSd:
    """Estimate the SD between units from successes and answers of each.

    Parameters
    ----------
    k_U, n_U
        Unit label -> successes and scored answers, the same U units in both.

    Raises
    ------
    TooFewUnits
        Fewer than two units.
    NotPaired
        The two mappings name different units.
    EmptyCell, NotCounts
        A unit has no answer, or is not k of n.

    Notes
    -----
    Method of moments: variance of the rates minus the mean of p(1-p)/(n-1), each term unbiased for that
    unit's counting variance. Answers within a unit are counted as independent; items in common make them
    less so, and `sd_between` then holds some of the items' spread.
    Chi-square of homogeneity: Cochran (1954), https://doi.org/10.2307/3001616
    """
    if k_U.keys() != n_U.keys():
        raise NotPaired(f"successes and answers name different units: {sorted(k_U.keys() ^ n_U.keys())}")
    if len(n_U) < 2:
        raise TooFewUnits(f"{len(n_U)} unit(s): the spread between units cannot be estimated")
    counts_U = [checked_counts(unit, k_U[unit], n_U[unit]) for unit in sorted(n_U)]
    rates_U = [c.k / c.n for c in counts_U]
    df = len(rates_U) - 1
    mean = math.fsum(rates_U) / len(rates_U)
    variance = math.fsum((x - mean) ** 2 for x in rates_U) / df
    counting, between, reasons = None, None, []
    if min(c.n for c in counts_U) > 1:
        noise = math.fsum(x * (1 - x) / (c.n - 1) for x, c in zip(rates_U, counts_U, strict=True)) / len(rates_U)
        is_counting_only = variance <= noise * (1 + 1e-12)
        counting, between = math.sqrt(noise), 0.0 if is_counting_only else math.sqrt(variance - noise)
        if is_counting_only:
            reasons.append("units differ no more than counting noise: the SD between them is cut at 0")
    else:
        reasons.append("a unit has a single answer: its counting noise cannot be estimated")
    pooled = sum(c.k for c in counts_U) / sum(c.n for c in counts_U)
    chi2 = p = None
    if 0 < pooled < 1:
        chi2 = math.fsum((c.k - c.n * pooled) ** 2 / (c.n * pooled * (1 - pooled)) for c in counts_U)
        p = p_value(float(stats.chi2.sf(chi2, df)))
    else:
        reasons.append("every answer is the same: there is nothing to compare")
    return BetweenUnitSd(
        sd_observed=math.sqrt(variance),
        sd_binomial=counting,
        sd_between=between,
        chi2=chi2,
        df=df,
        p=p,
        ratio=None if chi2 is None else chi2 / df,
        reason="; ".join(reasons),
    )
