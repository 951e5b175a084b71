"""The judge's own answer beside the corrected one, and its error at every level of the contrast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Estimate, Level, Sample
from seedlock.analysis.estimators.one_sample_t import one_sample_t
from seedlock.analysis.inference.bands import decide_bands
from seedlock.analysis.inference.hypothesis import Data, Tested, judged_sample
from seedlock.analysis.inference.judge_error import corrected_sample, labels_of
from seedlock.analysis.inference.reason import Reason
from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.results.judge_error import JudgeErrorResult, LevelError
from seedlock.prereg.errors import Refusal


def judge_error(tested: Tested, data: Data) -> JudgeErrorResult | None:
    """What a judge that was checked would have had, and how far off it is; None without one, or without an estimate."""
    estimand = tested.estimand
    gold = data.gold.get(estimand.measure)
    if gold is None or tested.chosen is None or tested.scale is None or tested.estimate is None:
        return None
    raw, edges = tested.scale.raw_per_unit, estimand.partition.edges
    judged = judged_sample(data, estimand, tested.chosen, extra=tested.extra)
    error = _error_sample(judged, tested.chosen, gold)
    alone = _estimate(tested, judged, tuple(edge * raw for edge in edges))
    of_error = _estimate(tested, error, ())
    estimate = alone if isinstance(alone, Estimate) else None
    judge = data.plan.measures[estimand.measure].judge or ""
    table = data.plan.gold_of(judge)
    decided = None
    if estimate is not None:
        decided = decide_bands(estimate.edges, estimand.partition, tested.alpha, scale=raw)
    return JudgeErrorResult(
        judge=judge,
        checked_by=(table.who or table.judge or "") if table else "",
        estimate=None if estimate is None else estimate.estimate / raw,
        ci=_ci(estimate, raw),
        verdict=list(decided.verdict) if decided else [],
        reason=alone if isinstance(alone, str) else None,
        error=_contrast(error) / raw,
        error_ci=_ci(of_error if isinstance(of_error, Estimate) else None, raw),
        width_ratio=_width_ratio(tested.estimate, estimate),
        levels=_levels(tested, judged, error, gold, is_rate=data.is_proportion(estimand.measure)),
    )


def _error_sample(judged: Sample, chosen: pd.DataFrame, gold: pd.DataFrame) -> Sample:
    """Unit means of what the judge scores too high, by its labels alone."""
    right = corrected_sample(judged, chosen, gold, weight=1.0).sample
    levels = tuple(
        replace(level, unit_means={unit: was.unit_means[unit] - mean for unit, mean in level.unit_means.items()})
        for level, was in zip(right.levels, judged.levels, strict=True)
    )
    return replace(right, levels=levels, limits=None)


def _estimate(tested: Tested, sample: Sample, edges: tuple[float, ...]) -> Estimate | str:
    """By the plan's test; the reason where it refuses."""
    try:
        return ESTIMATORS[tested.estimand.test].run(sample, level=1 - 2 * tested.alpha, edges=edges)
    except Refusal as refusal:
        return str(Reason.of(refusal))


def _contrast(sample: Sample) -> float:
    return math.fsum(level.weight * ordered_mean(level.unit_means.values()) for level in sample.levels)


def _ci(estimate: Estimate | None, raw: float) -> tuple[float, float] | None:
    if estimate is None or not (math.isfinite(estimate.ci_low) and math.isfinite(estimate.ci_high)):
        return None
    return estimate.ci_low / raw, estimate.ci_high / raw


def _width_ratio(corrected: Estimate | None, alone: Estimate | None) -> float | None:
    if corrected is None or alone is None or not alone.ci_high > alone.ci_low:
        return None
    ratio = (corrected.ci_high - corrected.ci_low) / (alone.ci_high - alone.ci_low)
    return ratio if math.isfinite(ratio) else None


def _levels(tested: Tested, judged: Sample, error: Sample, gold: pd.DataFrame, *, is_rate: bool) -> list[LevelError]:
    """Every level with weight, on the measure's own scale."""
    if tested.sample is None or tested.chosen is None:
        return []
    weights = corrected_sample(judged, tested.chosen, gold).weights
    labels = labels_of(tested.chosen[tested.chosen["mean"].notna()], gold)
    found = []
    for was, now, off in zip(judged.levels, tested.sample.levels, error.levels, strict=True):
        if not was.weight:
            continue
        own = labels[labels["level"] == was.name]
        ci = _t_interval(tested, off)
        found.append(
            LevelError(
                level=was.name,
                labels=int(own["gold"].notna().sum()),
                missing=int(own["gold"].isna().sum()),
                judged=ordered_mean(was.unit_means.values()),
                corrected=ordered_mean(now.unit_means.values()),
                error=ordered_mean(off.unit_means.values()),
                error_ci=ci,
                weight=ordered_mean(weight for (level, _), weight in weights.items() if level == was.name),
                **(_agreement(own) if is_rate else dict.fromkeys(_COUNTS)),
            )
        )
    return found


_COUNTS = ("hits", "of_hits", "rejections", "of_rejections")


def _t_interval(tested: Tested, off: Level) -> tuple[float, float] | None:
    """The mean error of one level over its units."""
    alone = Sample(levels=(replace(off, weight=1.0),), unit=tested.estimand.unit, is_proportion=False)
    try:
        found = one_sample_t(alone, level=1 - 2 * tested.alpha, edges=())
    except Refusal:
        return None
    return found.ci_low, found.ci_high


def _agreement(labels: pd.DataFrame) -> Mapping[str, int]:
    """How often the judge said 1 where that is right, and 0 where that is."""
    known = labels[labels["gold"].notna()]
    is_hit, is_judged = known["gold"] == 1, known["judged"] == 1
    counts = (is_hit & is_judged).sum(), is_hit.sum(), (~is_hit & ~is_judged).sum(), (~is_hit).sum()
    return dict(zip(_COUNTS, map(int, counts), strict=True))
