"""t over items, for one run per level with several completions an item."""

from __future__ import annotations

from dataclasses import replace

from seedlock.analysis.estimators.internals.clustered_rate import ClusteredRate, clustered_rate
from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.icc import cluster_summary
from seedlock.analysis.estimators.internals.sample import Estimate, Level, Sample
from seedlock.analysis.estimators.internals.t_interval import require_level
from seedlock.analysis.estimators.internals.units import refuse_non_finite, weighted_levels
from seedlock.analysis.estimators.paired_t import paired_t
from seedlock.prereg.errors import Finding, NotThisDesign

CONDITIONAL = "conditional on these runs; items are the sample"


def clustered_t(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a contrast of one run per level, with items (not answers) as the sample.

    Parameters
    ----------
    sample
        Every level one run. Item means are `cluster_means`, or k of n of every cluster where those are known,
        otherwise `unit_means`, whose units are then the items. Several levels are paired by item.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        For one rate the interval stays inside [0, 1] (see `clustered_rate`); otherwise it is the paired
        or one-sample t over items. `n_units` counts items. It says nothing about new runs.

    Raises
    ------
    NotThisDesign
        A level holds several runs: its items would hide the spread between them.
    NotPaired
        An item is missing at some level.
    TooFewUnits
        Fewer than two items.
    NoSpread
        Items do not differ.
    NotFinite
        A mean is NaN or infinite.

    Notes
    -----
    Miller (2024), https://doi.org/10.48550/arXiv.2411.00640, for clustered standard errors in evaluation;
    t with items - 1 df in place of z, which under-covers with few items.
    """
    by_item = replace(sample, levels=tuple(_item_level(lv) for lv in weighted_levels(sample)), unit="item")
    only = by_item.levels[0]
    if len(by_item.levels) > 1 or not sample.is_proportion or only.weight != 1:
        return replace(paired_t(by_item, level=level, edges=edges), assumes=CONDITIONAL)
    refuse_non_finite(only.name, only.unit_means)
    rate = clustered_rate(list(only.unit_means.values()), worth=_effective_n(only, level), level=level)
    return _estimate(rate, level=level, edges=edges)


def _item_level(level: Level) -> Level:
    means = level.cluster_means or {item: level.cluster_k[item] / n for item, n in level.cluster_n.items() if n}
    several = level.n_runs
    if several is None and means and len(level.unit_means) > 1 and level.unit_means.keys() != means.keys():
        several = len(level.unit_means)
    if several is not None and several > 1:
        raise NotThisDesign(
            "clustered_t is for one run per level",
            Finding(where=f"level {level.name!r}", found=f"{several} runs", promised="one run"),
            then="name an estimator over units in the plan, such as pooled_t",
        )
    return replace(level, unit_means=means or level.unit_means)


def _effective_n(level: Level, confidence: float) -> float | None:
    if not level.cluster_n:
        return None
    return cluster_summary(level.cluster_k, level.cluster_n, level=confidence).n_effective


def _estimate(rate: ClusteredRate, *, level: float, edges: tuple[float, ...]) -> Estimate:
    require_level(level)
    return Estimate(
        estimate=rate.rate,
        ci_low=rate.low,
        ci_high=rate.high,
        ci_level=level,
        ci_method=rate.method,
        n_units=rate.n_items,
        edges=rate.edge_tests(edges),
        se=rate.se,
        df=float(rate.n_items - 1),
        assumes=CONDITIONAL,
    )


ESTIMATOR = Estimator(
    run=clustered_t,
    family="t on item means",
    says="a t interval on item means: answers to one question are one cluster",
    source=(Source(text="Miller (2024), preprint", doi="10.48550/arXiv.2411.00640"),),
    is_paired=True,
)
