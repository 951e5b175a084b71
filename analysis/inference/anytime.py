"""t inference over seeds that stays valid however often the data are looked at: e-values and confidence sequences."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import optimize, stats

from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.prereg.errors import NotThisDesign, Unattainable

LARGEST_T = 1e8


def log_e_value(t: FloatArray, *, df: float, size: float, effect: float) -> FloatArray:
    """Log of the evidence that a mean lies above an edge, against its lying on it or below.

    Parameters
    ----------
    t
        (estimate - edge) / se, any shape.
    df
        Of the t statistic.
    size
        Effective number of units: squared ratio of the SD between units to the standard error.
    effect
        Expected distance from the edge in SDs between units: the SD of the normal prior, whose upper half is mixed
        over.

    Returns
    -------
    numpy.ndarray
        Same shape as `t`; rising in `t`, and never above log(2) + df / 2 * log(1 + size * effect^2).

    Notes
    -----
    The Bayes factor of a half-normal prior on the standardised distance against none, with the right Haar prior on
    what is not asked (other means, SD): under any distance of 0 or less its expectation stays at most 1 at every
    stopping time, so that it exceeds 1 / alpha with probability at most alpha over all looks together (Ville). Twice
    the two-sided factor of Gönen, Johnson, Lu & Westfall (2005), https://doi.org/10.1198/000313005X55233, times the
    posterior probability of the upper half. Pérez-Ortiz, Lardy, de Heide & Grünwald (2024),
    https://doi.org/10.1214/24-AOS2394; Wang & Ramdas (2023), https://doi.org/10.48550/arXiv.2310.03722.
    """
    spread = size * effect**2
    k = spread / (1 + spread)
    x = t / np.sqrt(df + t**2)
    left = 1 - k * x**2
    two_sided = -0.5 * math.log1p(spread) - 0.5 * (df + 1) * np.log(left)
    upper_half = stats.t.logcdf(x * np.sqrt(k * (df + 1) / left), df + 1)
    return np.asarray(math.log(2) + two_sided + upper_half)


def anytime_p(t: FloatArray, *, df: float, size: float, effect: float) -> FloatArray:
    """The p that may be read at every look: 1 over the e-value, at most 1; as for `log_e_value`."""
    return np.asarray(np.exp(-np.maximum(log_e_value(t, df=df, size=size, effect=effect), 0.0)))


def critical_t(*, alpha: float, df: float, size: float, effect: float) -> float:
    """The t at which the one-sided p is `alpha`; infinite where no data reach it yet.

    Parameters
    ----------
    alpha
        One-sided, in (0, 0.5).
    """

    def excess(t: float) -> float:
        return float(log_e_value(np.array(t), df=df, size=size, effect=effect)) + math.log(alpha)

    if excess(LARGEST_T) <= 0:
        return math.inf
    return float(optimize.brentq(excess, 0.0, LARGEST_T, xtol=1e-10))


def size_of(estimate: Estimate) -> float:
    """Effective number of units behind an estimate.

    Raises
    ------
    NotThisDesign
        The method names no single SD between units.
    """
    if estimate.se is None or estimate.df is None or estimate.unit_sd is None or not estimate.se > 0:
        raise NotThisDesign("looks at any time take a t test on unit means with one variance")
    return (estimate.unit_sd / estimate.se) ** 2


def log_e_at(estimate: Estimate, edge: float, *, effect: float) -> tuple[float, float]:
    """Log evidence that the truth lies above an edge, and below it.

    Raises
    ------
    NotThisDesign
        The method names no single SD between units.
    """
    size = size_of(estimate)
    t = (estimate.estimate - edge) / (estimate.se or 1.0)
    above, below = log_e_value(np.array([t, -t]), df=estimate.df or 1.0, size=size, effect=effect)
    return float(above), float(below)


def anytime(estimate: Estimate, *, alpha: float, effect: float) -> Estimate:
    """The same estimate with an interval and edge tests that hold at every look.

    Parameters
    ----------
    estimate
        By a t test on unit means with one variance.
    alpha
        One-sided level; the interval has level 1 - 2 alpha.
    effect
        As for `log_e_value`.

    Raises
    ------
    NotThisDesign
        The method names no single SD between units.
    Unattainable
        So few units that no data could exclude anything at `alpha`.
    """
    critical = critical_t(alpha=alpha, df=estimate.df or 1.0, size=size_of(estimate), effect=effect)
    if not math.isfinite(critical):
        raise Unattainable(
            f"with {estimate.n_units} units no data exclude anything at alpha {alpha:g} at a look at any time"
        )
    half_width = critical * (estimate.se or 0.0)
    return replace(
        estimate,
        ci_low=estimate.estimate - half_width,
        ci_high=estimate.estimate + half_width,
        ci_method=f"{estimate.ci_method}, valid at any look",
        edges=tuple(_edge(estimate, edge.edge, effect) for edge in estimate.edges),
    )


def _edge(estimate: Estimate, edge: float, effect: float) -> EdgeTest:
    above, below = (math.exp(-max(0.0, e)) for e in log_e_at(estimate, edge, effect=effect))
    return EdgeTest(edge=edge, p_above=above, p_below=below)
