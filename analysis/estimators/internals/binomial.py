"""Successes out of answers for one level: what the binomial intervals read from a `Sample`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scipy import stats

from seedlock.analysis.estimators.internals.estimator import Beside
from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import p_value, require_level
from seedlock.prereg.errors import EmptyCell, Finding, NotCounts, NotThisDesign

CONDITIONAL = "conditional on these runs; answers counted as independent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`k` successes of `n` scored answers, 0 <= k <= n and n >= 1."""

    k: int
    n: int

    @property
    def is_at_end(self) -> bool:
        """Every answer was the same, so the sample proportion is 0 or 1."""
        return self.k in (0, self.n)


def one_level_counts(sample: Sample, *, method: str) -> Counts:
    """Return the counts of the only level.

    Raises
    ------
    NotThisDesign
        More than one level, or a weight other than 1.
    NotCounts
        The counts are unknown, or are not k of n.
    EmptyCell
        No scored answer.
    """
    if len(sample.levels) != 1 or sample.levels[0].weight != 1:
        found = ", ".join(f"{level.name} x {level.weight:g}" for level in sample.levels)
        raise NotThisDesign(f"{method} answers about the rate of one level; the contrast is {found}")
    level = sample.levels[0]
    if level.k is None or level.n is None:
        raise NotCounts(f"{method} needs successes and answers; level {level.name!r} has none")
    return checked_counts(level.name, level.k, level.n)


def checked_counts(where: str, k: int, n: int) -> Counts:
    """Return `Counts`, refusing anything that is not k of n."""
    if n == 0:
        raise EmptyCell(f"no scored answer for {where!r}")
    if k != int(k) or n != int(n) or not 0 <= k <= n:
        raise NotCounts(
            "successes and answers are not counts",
            Finding(where=where, found=f"{k} of {n}", promised="whole numbers, 0 <= k <= n"),
        )
    return Counts(k=int(k), n=int(n))


def rate_edges(
    counts: Counts,
    edges: tuple[float, ...],
    *,
    p_above: Callable[[float], float],
    p_below: Callable[[float], float],
) -> tuple[EdgeTest, ...]:
    """Test every edge; at 0 and 1 and beyond, logic decides and no formula is asked.

    Parameters
    ----------
    p_above, p_below
        The method's one-sided p-values at an edge inside (0, 1).
    """
    tests = []
    for edge in edges:
        if edge < 0 or (edge == 0 and counts.k > 0):
            above, below = 0.0, 1.0
        elif edge > 1 or (edge == 1 and counts.k < counts.n):
            above, below = 1.0, 0.0
        elif edge in (0, 1):
            above, below = 1.0, 1.0
        else:
            above, below = p_above(edge), p_below(edge)
        tests.append(EdgeTest(edge=edge, p_above=p_value(above), p_below=p_value(below)))
    return tuple(tests)


def exact_edges(counts: Counts, edges: tuple[float, ...]) -> tuple[EdgeTest, ...]:
    """Return the exact binomial tests at every edge: the inversion of Clopper and Pearson's interval."""
    return rate_edges(
        counts,
        edges,
        p_above=lambda edge: float(stats.binom.sf(counts.k - 1, counts.n, edge)),
        p_below=lambda edge: float(stats.binom.cdf(counts.k, counts.n, edge)),
    )


def rate_estimate(
    counts: Counts,
    *,
    interval: tuple[float, float],
    level: float,
    method: str,
    sample: Sample,
    edges: tuple[EdgeTest, ...],
) -> Estimate:
    """Assemble the estimate of one rate; binomial methods have no standard error or df to report."""
    require_level(level)
    return Estimate(
        estimate=counts.k / counts.n,
        ci_low=interval[0],
        ci_high=interval[1],
        ci_level=level,
        ci_method=method,
        n_units=len(sample.levels[0].unit_means),
        edges=edges,
        assumes=CONDITIONAL,
    )


def pools_answers(sample: Sample, *, weights: tuple[float, ...]) -> Beside | None:
    """What stands beside a sample of counted rates with just these weights (in order) where answers are pooled."""
    is_counted = sample.is_proportion and all(level.n is not None for level in sample.levels)
    if not is_counted or tuple(sorted(level.weight for level in sample.levels)) != weights:
        return None
    return Beside(note=f"counts every answer as independent and every {sample.unit} as the same: too narrow")
