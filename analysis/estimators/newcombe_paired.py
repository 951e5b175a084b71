"""Newcombe's score interval for a difference between two rates on the same items."""

from __future__ import annotations

import math

from seedlock.analysis.estimators.internals.binomial import Counts
from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.interval_inversion import inverted_edges
from seedlock.analysis.estimators.internals.mcnemar import Fourfold, fourfold
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import require_level
from seedlock.analysis.estimators.newcombe import opposed_levels, wilson_limits


def newcombe_paired(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a difference between two runs' rates on the same items, one answer an item.

    Parameters
    ----------
    sample
        Two levels with weights 1 and -1, with `cluster_k` and `cluster_n` (all 1) over the same items.
    level
        Two-sided confidence level.
    edges
        Differences in [-1, 1]; each p is the tail at which the interval's limit meets the edge.

    Returns
    -------
    Estimate
        `n_units` counts items.

    Raises
    ------
    NotThisDesign
        Not two levels with weights 1 and -1, or several answers an item.
    NotCounts
        No counts by item.
    NotPaired
        Items that only one level has.

    Notes
    -----
    Conditional on these runs; items are the sample. Method 10 of Newcombe (1998),
    https://doi.org/10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C. The exact test of no
    difference is `mcnemar`.
    """
    require_level(level)
    plus, minus = opposed_levels(sample, method="newcombe_paired")
    table = fourfold(plus, minus)
    first = Counts(k=table.both + table.first_only, n=table.n)
    second = Counts(k=table.both + table.second_only, n=table.n)
    estimate = (table.first_only - table.second_only) / table.n
    phi = _correlation(table)

    def limits(z: float) -> tuple[float, float]:
        p_1, p_2 = first.k / first.n, second.k / second.n
        low_1, high_1 = wilson_limits(first, z)
        low_2, high_2 = wilson_limits(second, z)
        return (
            estimate - _side(p_1 - low_1, high_2 - p_2, phi),
            estimate + _side(high_1 - p_1, p_2 - low_2, phi),
        )

    return inverted_edges(
        estimate,
        limits,
        level=level,
        edges=edges,
        method="Newcombe paired score",
        n_units=table.n,
        assumes="conditional on these runs; items are the sample",
    )


def _side(a: float, b: float, phi: float) -> float:
    return math.sqrt(max(0.0, a**2 - 2 * phi * a * b + b**2))


def _correlation(table: Fourfold) -> float:
    """Phi of the fourfold table, shrunk by n/2 where positive (Newcombe's continuity correction)."""
    a, b, c, d = table.both, table.first_only, table.second_only, table.neither
    product = (a + b) * (c + d) * (a + c) * (b + d)
    if product == 0:
        return 0.0
    cross = a * d - b * c
    return (max(cross - table.n / 2, 0.0) if cross > 0 else cross) / math.sqrt(product)


ESTIMATOR = Estimator(
    run=newcombe_paired,
    family="binomial",
    says="a hybrid score interval for paired answers, conditional on these runs, with no claim about other seeds",
    source=(
        Source(
            text="Newcombe (1998), Statistics in Medicine",
            doi="10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C",
        ),
    ),
)
