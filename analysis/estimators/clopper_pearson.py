"""Clopper and Pearson's exact interval for the rate of one level."""

from __future__ import annotations

from statsmodels.stats.proportion import proportion_confint

from seedlock.analysis.estimators.internals.binomial import exact_edges, one_level_counts, rate_estimate
from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import require_level


def clopper_pearson(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the rate of these runs from k of n answers, never covering less than `level`.

    Parameters
    ----------
    sample
        One level of weight 1 with `k` and `n`.
    level
        Two-sided confidence level.
    edges
        Rates in [0, 1]; each is tested by the exact binomial test that the interval inverts.

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
    Conditional on these runs; answers are counted as independent. Interval by statsmodels.
    Clopper & Pearson (1934), https://doi.org/10.1093/biomet/26.4.404
    """
    counts = one_level_counts(sample, method="clopper_pearson")
    require_level(level)
    low, high = proportion_confint(counts.k, counts.n, alpha=1 - level, method="beta")
    return rate_estimate(
        counts,
        interval=(float(low), float(high)),
        level=level,
        method="Clopper-Pearson exact",
        sample=sample,
        edges=exact_edges(counts, edges),
    )


ESTIMATOR = Estimator(
    run=clopper_pearson,
    family="binomial",
    says="an exact binomial interval, conditional on these runs, with no claim about other seeds",
    source=(Source(text="Clopper & Pearson (1934), Biometrika", doi="10.1093/biomet/26.4.404"),),
)
