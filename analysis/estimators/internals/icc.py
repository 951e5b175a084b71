"""How much several completions an item are worth: intraclass correlation, design effect, effective n."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from seedlock.analysis.estimators.internals.binomial import Counts, checked_counts
from seedlock.analysis.estimators.internals.clustered_rate import clustered_rate
from seedlock.analysis.estimators.internals.design_effect import Group, worth_of
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
        The interval is the wider of Wilson's with the effective n and, where that lies strictly inside (0, 1), t on
        item means; never narrower than items without a hit (or a miss) leave it: see `clustered_rate`.

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
    Conditional on the run; items are the sample, of unequal sizes where they are: see `worth_of`.
    """
    counts_I = _counts_by_item(k_I, n_I)
    k, n, n_items = sum(c.k for c in counts_I), sum(c.n for c in counts_I), len(counts_I)
    worth = worth_of([Group(n=c.n, total=c.k, squares=c.k) for c in counts_I], named="item")
    means = [means_I[item] for item in sorted(n_I)] if means_I is not None else [(c.k / c.n, 1) for c in counts_I]
    rates_I, weights_I = [mean for mean, _ in means], [float(weight) for _, weight in means]
    rate = clustered_rate(rates_I, worth=worth.n_effective, level=level, weights_I=weights_I)
    t = float(stats.t.isf((1 - level) / 2, n_items - 1))
    return ClusterSummary(
        k=k,
        n=n,
        n_clusters=n_items,
        rate=rate.rate,
        icc=worth.icc,
        design_effect=worth.design_effect,
        n_effective=worth.n_effective,
        half_width=None if rate.se is None else t * rate.se,
        ci_low=rate.low,
        ci_high=rate.high,
        ci_level=level,
        ci_method=rate.method,
        reason=worth.reason,
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
