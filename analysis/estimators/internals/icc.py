"""How much several completions an item are worth: intraclass correlation, design effect, effective n."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from seedlock.analysis.estimators.internals.binomial import Counts, checked_counts
from seedlock.analysis.estimators.internals.clustered_rate import clustered_rate
from seedlock.prereg.errors import Finding, NotPaired, TooFewUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSummary:
    """A rate whose answers come in clusters (several completions an item).

    Parameters
    ----------
    k, n, n_clusters
        Successes, answers, items.
    rate
        Mean over items, each item weighing the same unless weights say otherwise.
    icc
        One-way ANOVA intraclass correlation ICC(1) of the 0/1 answers; None with a reason where every
        answer is the same or every item has one answer.
    design_effect, n_effective
        1 + (m - 1) * icc, at least 1, and n divided by it; None where every answer is the same.
    half_width
        Of the t interval over item means, before it is kept inside [0, 1]; None where items do not differ.
    ci_low, ci_high, ci_level, ci_method
        An interval inside [0, 1], and which method gave it.
    reason
        Why `icc` is None; empty otherwise.
    """

    k: int
    n: int
    n_clusters: int
    rate: float
    icc: float | None
    design_effect: float | None
    n_effective: float | None
    half_width: float | None
    ci_low: float
    ci_high: float
    ci_level: float
    ci_method: str
    reason: str = ""


def cluster_summary(
    k_I: Mapping[str, int],
    n_I: Mapping[str, int],
    *,
    level: float = 0.95,
    means_I: Mapping[str, tuple[float, int]] | None = None,
) -> ClusterSummary:
    """Summarise one run's yes/no answers, clustered by item.

    Parameters
    ----------
    k_I, n_I
        Item label -> successes and scored answers, the same I items in both.
    level
        Two-sided confidence level.
    means_I
        Item label -> its rate, and what that weighs, where a rate is no pooled k of n but a mean over parts of the item
        (one a run); None takes k of n, each item weighing the same.

    Returns
    -------
    ClusterSummary
        The interval is Wilson's with the effective n and t quantiles, and never narrower than items without a
        hit (or a miss) leave it: see `clustered_rate`.

    Raises
    ------
    TooFewUnits
        Fewer than two items: nothing says how much items differ.
    NotPaired
        The two mappings name different items.
    EmptyCell, NotCounts
        An item has no answer, or is not k of n.

    Notes
    -----
    Conditional on the run; items are the sample. Cluster sizes may differ: m is then the size-weighted
    mean size, and m0 of ICC(1) the usual adjusted one. The design effect is never taken below 1, so that
    a negative estimated correlation cannot make answers worth more than independent ones.
    Donner & Koval (1980), https://doi.org/10.2307/2530490; Kish (1965), Survey Sampling.
    """
    counts_I = _counts_by_item(k_I, n_I)
    k, n, n_items = sum(c.k for c in counts_I), sum(c.n for c in counts_I), len(counts_I)
    icc, reason = _icc(counts_I)
    design_effect = None if k in (0, n) else max(1.0, 1 + (sum(c.n**2 for c in counts_I) / n - 1) * (icc or 0.0))
    n_effective = None if design_effect is None else n / design_effect
    means = [means_I[item] for item in sorted(n_I)] if means_I is not None else [(c.k / c.n, 1) for c in counts_I]
    rates_I, weights_I = [mean for mean, _ in means], [float(weight) for _, weight in means]
    rate = clustered_rate(rates_I, worth=n_effective, level=level, weights_I=weights_I)
    t = float(stats.t.isf((1 - level) / 2, n_items - 1))
    return ClusterSummary(
        k=k,
        n=n,
        n_clusters=n_items,
        rate=rate.rate,
        icc=icc,
        design_effect=design_effect,
        n_effective=n_effective,
        half_width=None if rate.se is None else t * rate.se,
        ci_low=rate.low,
        ci_high=rate.high,
        ci_level=level,
        ci_method=rate.method,
        reason=reason,
    )


def _counts_by_item(k_I: Mapping[str, int], n_I: Mapping[str, int]) -> list[Counts]:
    if k_I.keys() != n_I.keys():
        odd = sorted(k_I.keys() ^ n_I.keys())
        raise NotPaired(
            "successes and answers name different items",
            *(Finding(where=item, found="in one of the two", promised="in both") for item in odd),
        )
    if len(n_I) < 2:
        raise TooFewUnits(f"{len(n_I)} item(s): how much items differ cannot be estimated")
    return [checked_counts(item, k_I[item], n_I[item]) for item in sorted(n_I)]


def _icc(counts_I: list[Counts]) -> tuple[float | None, str]:
    """ICC(1) of 0/1 answers by one-way ANOVA, from the counts alone."""
    k, n, n_items = sum(c.k for c in counts_I), sum(c.n for c in counts_I), len(counts_I)
    if k in (0, n):
        return None, "every answer is the same: the intraclass correlation is undefined"
    if n == n_items:
        return None, "one answer an item: the intraclass correlation is undefined"
    grand = k / n
    between = math.fsum(c.n * (c.k / c.n - grand) ** 2 for c in counts_I) / (n_items - 1)
    within = math.fsum(c.k * (c.n - c.k) / c.n for c in counts_I) / (n - n_items)
    m0 = (n - sum(c.n**2 for c in counts_I) / n) / (n_items - 1)
    return (between - within) / (between + (m0 - 1) * within), ""
