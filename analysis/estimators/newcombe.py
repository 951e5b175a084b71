"""Newcombe's hybrid score interval for a difference between two rates."""

from __future__ import annotations

import math

from seedlock.analysis.estimators.internals.binomial import CONDITIONAL, Counts, checked_counts, pools_answers
from seedlock.analysis.estimators.internals.estimator import Beside, Estimator, Source
from seedlock.analysis.estimators.internals.interval_inversion import inverted_edges
from seedlock.analysis.estimators.internals.sample import Estimate, Level, Sample
from seedlock.analysis.estimators.internals.t_interval import require_level
from seedlock.prereg.errors import NotCounts, NotThisDesign


def newcombe(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a difference between the rates of two runs (or two sets of runs) from k of n answers.

    Parameters
    ----------
    sample
        Two levels with weights 1 and -1, each with `k` and `n`.
    level
        Two-sided confidence level.
    edges
        Differences in [-1, 1]; each p is the tail at which the interval's limit meets the edge.

    Raises
    ------
    NotThisDesign
        Not two levels with weights 1 and -1.
    NotCounts
        The measure is not a count.
    EmptyCell
        A level without a scored answer.

    Notes
    -----
    Conditional on these runs; answers are counted as independent. Method 10 of Newcombe (1998),
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I. Never of zero width.
    """
    require_level(level)
    plus, minus = opposed_levels(sample, method="newcombe")
    first, second = _counts(plus), _counts(minus)
    estimate = first.k / first.n - second.k / second.n

    def limits(z: float) -> tuple[float, float]:
        low_1, high_1 = wilson_limits(first, z)
        low_2, high_2 = wilson_limits(second, z)
        p_1, p_2 = first.k / first.n, second.k / second.n
        return (
            estimate - math.hypot(p_1 - low_1, high_2 - p_2),
            estimate + math.hypot(high_1 - p_1, p_2 - low_2),
        )

    return inverted_edges(
        estimate,
        limits,
        level=level,
        edges=edges,
        method="Newcombe hybrid score",
        n_units=len(plus.unit_means) + len(minus.unit_means),
        assumes=CONDITIONAL,
    )


def opposed_levels(sample: Sample, *, method: str) -> tuple[Level, Level]:
    """Return the levels of weight 1 and -1, in this order."""
    levels = sorted((lv for lv in sample.levels if lv.weight != 0), key=lambda lv: -lv.weight)
    if [lv.weight for lv in levels] != [1.0, -1.0]:
        found = ", ".join(f"{lv.name} x {lv.weight:g}" for lv in sample.levels)
        raise NotThisDesign(f"{method} answers about one level minus another; the contrast is {found}")
    return levels[0], levels[1]


def wilson_limits(counts: Counts, z: float) -> tuple[float, float]:
    """Return Wilson's limits at a normal quantile (statsmodels takes alpha, which underflows for large z)."""
    p, shrink = counts.k / counts.n, z**2 / counts.n
    centre = (p + shrink / 2) / (1 + shrink)
    half = math.sqrt(p * (1 - p) * shrink + shrink**2 / 4) / (1 + shrink)
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def _counts(level: Level) -> Counts:
    if level.k is None or level.n is None:
        raise NotCounts(f"newcombe needs successes and answers; level {level.name!r} has none")
    return checked_counts(level.name, level.k, level.n)


def _beside(_: Estimator, sample: Sample) -> Beside | None:
    """Beside any difference of two counted rates: what counting every answer as independent would give."""
    return pools_answers(sample, weights=(-1.0, 1.0))


ESTIMATOR = Estimator(
    run=newcombe,
    family="binomial",
    says=(
        "a hybrid score interval for a difference of rates, conditional on these runs, with no claim about other seeds"
    ),
    source=(
        Source(
            text="Newcombe (1998), Statistics in Medicine",
            doi="10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I",
        ),
    ),
    beside=_beside,
)
