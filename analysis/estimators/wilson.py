"""Wilson's score interval for the rate of one level."""

from __future__ import annotations

import math
from dataclasses import replace

from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from seedlock.analysis.estimators.clopper_pearson import clopper_pearson
from seedlock.analysis.estimators.internals.binomial import (
    Counts,
    one_level_counts,
    pools_answers,
    rate_edges,
    rate_estimate,
)
from seedlock.analysis.estimators.internals.estimator import Beside, Estimator, Source
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import require_level


def wilson(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the rate of these runs from k of n answers by the score interval.

    Parameters
    ----------
    sample
        One level of weight 1 with `k` and `n`.
    level
        Two-sided confidence level.
    edges
        Rates in [0, 1]; each is tested by the score test that the interval inverts.

    Returns
    -------
    Estimate
        At 0 of n and n of n the interval and the tests are Clopper and Pearson's, and `ci_method` says so.

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
    Conditional on these runs; answers are counted as independent. Interval by statsmodels, without
    continuity correction. Wilson (1927), https://doi.org/10.1080/01621459.1927.10502953
    """
    counts = one_level_counts(sample, method="wilson")
    require_level(level)
    if counts.is_at_end:
        exact = clopper_pearson(sample, level=level, edges=edges)
        return replace(exact, ci_method=f"{exact.ci_method} (Wilson's is not used at {counts.k} of {counts.n})")
    low, high = proportion_confint(counts.k, counts.n, alpha=1 - level, method="wilson")
    return rate_estimate(
        counts,
        interval=(float(low), float(high)),
        level=level,
        method="Wilson score",
        sample=sample,
        edges=rate_edges(
            counts,
            edges,
            p_above=lambda edge: float(stats.norm.sf(_score(counts, edge))),
            p_below=lambda edge: float(stats.norm.cdf(_score(counts, edge))),
        ),
    )


def _score(counts: Counts, edge: float) -> float:
    return (counts.k / counts.n - edge) / math.sqrt(edge * (1 - edge) / counts.n)


def _beside(_: Estimator, sample: Sample) -> Beside | None:
    """Beside any estimate of one counted rate: what counting every answer as independent would give."""
    return pools_answers(sample, weights=(1.0,))


ESTIMATOR = Estimator(
    run=wilson,
    family="binomial",
    says="a Wilson score interval, conditional on these runs, with no claim about other seeds",
    source=(
        Source(text="Wilson (1927), J. American Statistical Association", doi="10.1080/01621459.1927.10502953"),
        Source(text="Brown, Cai & DasGupta (2001), Statistical Science", doi="10.1214/ss/1009213286"),
    ),
    beside=_beside,
)
