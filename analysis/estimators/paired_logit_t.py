"""Contrast of unit rates near 0 or 1 within units: t on logits of matched rates, on the scale of the rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.estimator import Beside, Estimator, Source
from seedlock.analysis.estimators.internals.many_pivots import many_by_pivots
from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels
from seedlock.analysis.estimators.internals.paired_rate_pivots import paired_rate_pivots
from seedlock.analysis.estimators.internals.rate_pivots import Pivots, tail_ends
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import cut, require_level
from seedlock.analysis.estimators.internals.units import (
    refuse_flat,
    require_units,
    scale_limits,
    summarise,
    unit_contrasts,
    weighted_levels,
)
from seedlock.analysis.estimators.logit_t import NEAR_AN_END, answers_of, edge_test
from seedlock.prereg.errors import NotThisDesign

POINTS, POINTS_OF_MANY = 2**13, 2**10
ENDS = (0.0, 1.0)


def paired_logit_t(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the mean over units of a contrast of rates within a unit, with intervals that respect 0 and 1.

    Parameters
    ----------
    sample
        Rates: L levels of weight, two or more, whose U units carry the same labels. Levels of weight 0 take no part.
    level
        Two-sided confidence level.
    edges
        Band edges, as differences of rates.

    Returns
    -------
    Estimate
        `n_units` counts pairs; `unit_sd` is the SD of the contrast within a unit; `prediction` is for the contrast of
        one more unit, without the noise of counting its answers.

    Raises
    ------
    NotThisDesign
        The measure is no yes/no rate, or one level alone has weight.
    NotPaired
        A unit has no partner at some level; every such unit is listed.
    NotCounts
        A unit's rate is 0 or 1, and how many answers that rests on is not known.
    TooFewUnits
        No more units than levels: their covariance cannot be estimated.
    NoSpread
        The contrast is the same in every unit, or the units of a level have one rate inside (0, 1).
    NotFinite
        A unit mean is NaN or infinite.

    Notes
    -----
    See `paired_rate_pivots`. For rates of .01 to .99, SDs between seeds of 0 to 1 logit, correlations of 0 to .9 and 3,
    5 and 8 seeds the 95% interval covers .95 or more, where paired t falls to .85 (docs/coverage.md). The price is
    width, most of all with three seeds.
    Weerahandi (1993), https://doi.org/10.1080/01621459.1993.10476355
    """
    require_level(level)
    levels = weighted_levels(sample)
    if not sample.is_proportion:
        raise NotThisDesign("paired_logit_t is for yes/no rates", then='test = "paired_t" in the plan')
    if len(levels) < 2:
        raise NotThisDesign("paired_logit_t is for two or more levels", then='test = "logit_t" in the plan')
    summary = summarise("contrast", 1.0, unit_contrasts(sample))
    summaries = [summarise(lv.name, lv.weight, lv.unit_means) for lv in levels]
    require_units(sample, summaries, least=len(levels) + 1)
    inside = [s for s in summaries if s.mean not in ENDS]
    refuse_flat(sample, [*inside, summary] if inside else [])
    labels, weights = sorted(levels[0].unit_means), [lv.weight for lv in levels]
    rates = [np.array([[lv.unit_means[unit] for unit in labels]]) for lv in levels]
    pivots = paired_rate_pivots(rates, weights, [answers_of(lv) for lv in levels], points=POINTS)
    low, high = (float(end[0]) for end in tail_ends(pivots.low, pivots.high, (1 - level) / 2))
    low, high = cut(low, high, scale_limits(sample))
    new_low, new_high = tail_ends(pivots.new_unit, pivots.new_unit, (1 - level) / 2)
    variance = summary.ss / (summary.n - 1)
    return Estimate(
        estimate=summary.mean,
        ci_low=low,
        ci_high=high,
        ci_level=level,
        ci_method=f"t on logits of paired {sample.unit} rates, on the scale of the rate, {summary.n - 1} df",
        n_units=summary.n,
        edges=tuple(edge_test(pivots, edge) for edge in edges),
        se=math.sqrt(variance / summary.n),
        unit_sd=math.sqrt(variance),
        prediction=cut(min(low, float(new_low[0])), max(high, float(new_high[0])), scale_limits(sample)),
        prediction_says="the contrast within one more unit itself: the noise of counting its answers is not in it",
        assumes=f"{sample.unit}s are a sample, matched across levels, their logits jointly normal",
    )


def _simulate(
    levels: Sequence[ManyLevels], *, level: float, edges: Sequence[float], limits: tuple[float, float]
) -> Many:
    """The same with fewer points; column u of every level is the same unit."""
    used = [lv for lv in levels if lv.weight != 0]
    if len(used) < 2 or used[0].n_units <= len(used) or any(lv.answers is None for lv in used):
        raise NotThisDesign("not two levels, too few units, or how many answers a unit gives is not known")
    return many_by_pivots(used, _pivots_of_many, _has_answer, level=level, edges=edges, limits=limits)


def _pivots_of_many(levels: Sequence[ManyLevels]) -> Pivots:
    weights, answers = [lv.weight for lv in levels], [lv.answers for lv in levels]
    return paired_rate_pivots([lv.means_KU for lv in levels], weights, answers, points=POINTS_OF_MANY)


def _has_answer(levels: Sequence[ManyLevels]) -> NDArray[np.bool_]:
    """Studies in which levels and their contrast have spread, or every level is at an end of the scale."""
    at_end_LK = np.array([np.isin(lv.mean_K, ENDS) for lv in levels])
    spread_LK = np.array([lv.has_spread_K for lv in levels])
    within = ManyLevels(weight=1.0, means_KU=np.sum([lv.weight * lv.means_KU for lv in levels], axis=0))
    answered_K = (spread_LK | at_end_LK).all(axis=0) & (within.has_spread_K | at_end_LK.all(axis=0))
    return np.asarray(answered_K)


def _beside(planned: Estimator, sample: Sample) -> Beside | None:
    """Beside a paired t on unit rates that come near an end of the scale."""
    levels = [lv for lv in sample.levels if lv.weight != 0]
    if planned.family != "t on unit means" or not planned.is_paired or not sample.is_proportion:
        return None
    few = len(levels) < 2 or any(len(lv.unit_means) <= len(levels) for lv in levels)
    rates = [x for lv in levels for x in lv.unit_means.values()]
    if few or not any(x < NEAR_AN_END or x > 1 - NEAR_AN_END for x in rates):
        return None
    return Beside(note="respects the ends of the scale, near which rates lie")


ESTIMATOR = Estimator(
    run=paired_logit_t,
    family="t on logits of unit rates",
    says=(
        "generalised t pivots on the logits of unit rates, matched by name across the levels, brought back to the "
        "scale of the rate and never narrower than the paired t: for rates near the ends of the scale"
    ),
    source=(Source(text="Weerahandi (1993), JASA", doi="10.1080/01621459.1993.10476355"),),
    is_paired=True,
    spread="own",
    simulate=_simulate,
    beside=_beside,
)
