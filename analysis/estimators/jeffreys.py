"""Jeffreys' interval for the rate of one level: equal tails of the posterior under a Beta(1/2, 1/2) prior."""

from __future__ import annotations

from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from seedlock.analysis.estimators.internals.binomial import one_level_counts, rate_edges, rate_estimate
from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import require_level


def jeffreys(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the rate of these runs from k of n answers by Jeffreys' equal-tailed interval.

    Parameters
    ----------
    sample
        One level of weight 1 with `k` and `n`.
    level
        Two-sided confidence level.
    edges
        Rates in [0, 1]; each is tested by the posterior tail beyond it, which the interval inverts.

    Returns
    -------
    Estimate
        At 0 of n the lower limit is 0 and at n of n the upper limit is 1, and no edge is rejected there.

    Raises
    ------
    NotThisDesign
        More than one level, or a weight other than 1.
    NotCounts
        The measure is not a count.
    EmptyCell
        No scored answer.

    Notes
    -----
    Conditional on these runs; answers are counted as independent. Interval by statsmodels, except at the
    ends: there statsmodels excludes the observed rate itself (its lower limit at 0 of n is above 0), and
    Brown, Cai & DasGupta (2001), https://doi.org/10.1214/ss/1009213286, set the limit to the end.
    """
    counts = one_level_counts(sample, method="jeffreys")
    require_level(level)
    low, high = proportion_confint(counts.k, counts.n, alpha=1 - level, method="jeffreys")
    a, b = counts.k + 0.5, counts.n - counts.k + 0.5
    return rate_estimate(
        counts,
        interval=(0.0 if counts.k == 0 else float(low), 1.0 if counts.k == counts.n else float(high)),
        level=level,
        method="Jeffreys equal-tailed",
        sample=sample,
        edges=rate_edges(
            counts,
            edges,
            p_above=lambda edge: 1.0 if counts.k == 0 else float(stats.beta.cdf(edge, a, b)),
            p_below=lambda edge: 1.0 if counts.k == counts.n else float(stats.beta.sf(edge, a, b)),
        ),
    )


ESTIMATOR = Estimator(
    run=jeffreys,
    family="binomial",
    says="a Jeffreys interval, conditional on these runs, with no claim about other seeds",
    source=(Source(text="Brown, Cai & DasGupta (2001), Statistical Science", doi="10.1214/ss/1009213286"),),
)
