"""Mean of unit rates near 0 or 1: t on the logits of unit rates, on the scale of the rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.estimator import Beside, Estimator, Source
from seedlock.analysis.estimators.internals.many_pivots import many_by_pivots
from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels
from seedlock.analysis.estimators.internals.rate_pivots import Pivots, combined, rate_pivots, tail_ends, tails
from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate, Level, Sample
from seedlock.analysis.estimators.internals.t_interval import cut, p_value, require_level
from seedlock.analysis.estimators.internals.units import (
    UnitSummary,
    refuse_flat,
    require_units,
    scale_limits,
    summarise,
    weighted_levels,
)
from seedlock.prereg.errors import NotCounts, NotThisDesign

POINTS, POINTS_OF_MANY = 2**13, 2**11
NEAR_AN_END = 0.1
"""A unit rate this close to 0 or 1 makes t on the rates themselves doubtful."""


def logit_t(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a contrast of mean unit rates, with intervals that respect 0 and 1.

    Parameters
    ----------
    sample
        Rates: any number of levels with any weights, U_l units in level l, not matched across levels. Levels of weight
        0 take no part.
    level
        Two-sided confidence level.
    edges
        Band edges, as rates or differences of rates.

    Returns
    -------
    Estimate
        Of the weighted sum of means of unit rates, not of their logits. `unit_sd` and `prediction` with one level; the
        prediction is for the rate of a new unit, without the noise of counting its answers.

    Raises
    ------
    NotThisDesign
        The measure is no yes/no rate.
    NotCounts
        A unit's rate is 0 or 1, and how many answers that rests on is not known.
    TooFewUnits
        A level of the contrast has fewer than two units.
    NoSpread
        The units of a level have one rate inside (0, 1): nothing says how much units differ. (At 0 and at 1 they
        do not either, but the end is known, and the other side is that of the noise of counting at least.)
    NotFinite
        A unit mean is NaN or infinite.

    Notes
    -----
    See `rate_pivots`. Over means .01 to .99, SD between seeds 0 to 1 logit and 3, 5 and 8 seeds the 95% interval
    covers .95 or more, where t on the rates falls to .84 (docs/coverage.md). The price is width.
    Weerahandi (1993), https://doi.org/10.1080/01621459.1993.10476355
    """
    require_level(level)
    levels = weighted_levels(sample)
    if not sample.is_proportion:
        raise NotThisDesign("logit_t is for yes/no rates", then='test = "one_sample_t" or "welch_t" in the plan')
    summaries = [summarise(lv.name, lv.weight, lv.unit_means) for lv in levels]
    require_units(sample, summaries)
    refuse_flat(sample, [s for s in summaries if s.mean not in (0.0, 1.0)])
    weights = [s.weight for s in summaries]
    together = combined([_pivots(lv) for lv in levels], weights)
    low, high = (float(end[0]) for end in tail_ends(together.low, together.high, (1 - level) / 2))
    low, high = cut(low, high, scale_limits(sample))
    is_one = len(levels) == 1 and weights == [1.0]
    new_low, new_high = tail_ends(together.new_unit, together.new_unit, (1 - level) / 2)
    variances = [s.ss / (s.n - 1) for s in summaries]
    return Estimate(
        estimate=math.fsum(s.weight * s.mean for s in summaries),
        ci_low=low,
        ci_high=high,
        ci_level=level,
        ci_method=f"t on logits of {sample.unit} rates, on the scale of the rate, {_df(summaries)} df",
        n_units=sum(s.n for s in summaries),
        edges=tuple(edge_test(together, edge) for edge in edges),
        se=math.sqrt(math.fsum(s.weight**2 * v / s.n for s, v in zip(summaries, variances, strict=True))),
        unit_sd=math.sqrt(variances[0]) if is_one else None,
        prediction=cut(min(low, float(new_low[0])), max(high, float(new_high[0])), (0.0, 1.0)) if is_one else None,
        prediction_says="the rate of one more unit itself: the noise of counting its answers is not in it"
        if is_one
        else "",
        assumes=f"{sample.unit}s are a sample, their logits normal; each level has its own spread",
    )


def _df(summaries: list[UnitSummary]) -> str:
    return " and ".join(str(s.n - 1) for s in summaries)


def _pivots(level: Level) -> Pivots:
    rates = np.array([[level.unit_means[unit] for unit in sorted(level.unit_means)]])
    return rate_pivots(rates, answers_of(level), points=POINTS)


def answers_of(level: Level) -> float | None:
    """Answers behind a unit's rate, on average; None where they are not known and no rate is 0 or 1.

    Raises
    ------
    NotCounts
        They are not known, and a rate is 0 or 1.
    """
    counts = [level.unit_n[unit] for unit in level.unit_means if level.unit_n.get(unit)]
    if len(counts) == len(level.unit_means):
        return math.fsum(counts) / len(counts)
    if any(rate <= 0 or rate >= 1 for rate in level.unit_means.values()):
        raise NotCounts(f"level {level.name!r} has a rate of 0 or 1, and not how many answers that rests on")
    return None


def edge_test(together: Pivots, edge: float) -> EdgeTest:
    """Both one-sided p-values of an edge."""
    above, below = tails(together, edge)
    return EdgeTest(edge=edge, p_above=p_value(float(above[0])), p_below=p_value(float(below[0])))


def _simulate(
    levels: Sequence[ManyLevels], *, level: float, edges: Sequence[float], limits: tuple[float, float]
) -> Many:
    """The same with fewer points."""
    used = [lv for lv in levels if lv.weight != 0]
    if any(lv.answers is None for lv in used):
        raise NotThisDesign("how many answers a unit gives is not known")

    def pivots(some: Sequence[ManyLevels]) -> Pivots:
        each = [rate_pivots(lv.means_KU, lv.answers, points=POINTS_OF_MANY) for lv in some]
        return combined(each, [lv.weight for lv in some])

    return many_by_pivots(used, pivots, _has_answer, level=level, edges=edges, limits=limits)


def _has_answer(levels: Sequence[ManyLevels]) -> NDArray[np.bool_]:
    """Studies in which every level has spread, or is at an end of the scale."""
    return np.asarray(np.all([lv.has_spread_K | np.isin(lv.mean_K, (0.0, 1.0)) for lv in levels], axis=0))


def _beside(planned: Estimator, sample: Sample) -> Beside | None:
    """Beside a t on unit rates that come near an end of the scale."""
    if planned.family != "t on unit means" or (planned.is_paired and len(sample.levels) > 1):
        return None
    rates = [x for lv in sample.levels if lv.weight != 0 for x in lv.unit_means.values()]
    if not sample.is_proportion or not any(x < NEAR_AN_END or x > 1 - NEAR_AN_END for x in rates):
        return None
    return Beside(note="respects the ends of the scale, near which rates lie")


ESTIMATOR = Estimator(
    run=logit_t,
    family="t on logits of unit rates",
    says=(
        "generalised t pivots on the logits of unit rates, brought back to the scale of the rate and never narrower "
        "than t on the rates: for rates near the ends of the scale"
    ),
    source=(
        Source(text="Weerahandi (1993), JASA", doi="10.1080/01621459.1993.10476355"),
        Source(text="Krishnamoorthy & Mathew (2003), JSPI", doi="10.1016/S0378-3758(02)00153-2"),
    ),
    spread="own",
    simulate=_simulate,
    beside=_beside,
)
