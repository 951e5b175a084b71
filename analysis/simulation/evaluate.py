"""One hypothesis on simulated answers: unit means in, estimates and p-values of every band out."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.inference.anytime import anytime
from seedlock.analysis.inference.bands import decide_bands
from seedlock.analysis.simulation.anytime import anytime_many
from seedlock.analysis.simulation.layout import LevelRows, Target
from seedlock.prereg.errors import NotThisDesign, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Answers of one batch of simulated studies.

    Parameters
    ----------
    cells
        Block -> mean answer of every run to every item, shape (K, R, I).
    runs
        Indices of runs that exist at this look.
    came
        Block -> answers that came to every item of a run, shape (K, R, I), where some are missing; the mean of none is
        NaN.
    """

    cells: Mapping[int, FloatArray]
    runs: frozenset[int]
    draws: int
    came: Mapping[int, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One target in K simulated studies; rows where `done_K` is False were not simulated."""

    many: Many
    done_K: NDArray[np.bool_]


def evaluate(
    target: Target,
    data: Simulated,
    *,
    alpha: float,
    raw: float,
    is_rate: bool,
    at_most: int,
    effect: float | None = None,
) -> Outcome:
    """Estimate a target in every study, or in the first `at_most` where its estimator is not vectorised.

    Studies that its test refuses are estimated by the test that the plan falls back on, where it names one.

    Parameters
    ----------
    alpha
        One-sided level that the interval matches.
    raw
        Raw units in one unit of the target's scale.
    effect
        Of looks at any time; None where looks are planned.
    """
    first = _evaluate(target, data, alpha=alpha, raw=raw, is_rate=is_rate, at_most=at_most, effect=effect)
    other = target.estimand.fallback
    if other is None or bool(first.many.has_answer_K.all()):
        return first
    instead = replace(target, estimand=target.estimand.model_copy(update={"test": other}))
    then = _evaluate(instead, data, alpha=alpha, raw=raw, is_rate=is_rate, at_most=at_most, effect=effect)
    keep_K = first.many.has_answer_K
    names = ("estimate_K", "low_K", "high_K", "has_answer_K")
    merged = {name: np.where(keep_K, getattr(first.many, name), getattr(then.many, name)) for name in names}
    p_KB = np.where(keep_K[:, None], first.many.p_KB, then.many.p_KB)
    return Outcome(many=Many(**merged, p_KB=p_KB), done_K=first.done_K & then.done_K)


def _evaluate(
    target: Target,
    data: Simulated,
    *,
    alpha: float,
    raw: float,
    is_rate: bool,
    at_most: int,
    effect: float | None = None,
) -> Outcome:
    """By the target's own test."""
    edges = tuple(edge * raw for edge in target.estimand.partition.edges)
    simulate = target.estimator.simulate
    if simulate is not None and is_vectorised(target, data.runs):
        means = [unit_means(lv, data) for lv in target.levels]
        whole_K = np.all([np.isfinite(means_KU).all(axis=1) for means_KU in means], axis=0)
        levels = [
            ManyLevels(
                weight=lv.weight,
                means_KU=np.nan_to_num(means_KU),
                answers=_answers(lv, data) if is_rate else None,
                x=lv.x,
                are_strangers=target.are_strangers,
            )
            for lv, means_KU in zip(target.levels, means, strict=True)
        ]
        limits = target.limits(is_rate=is_rate)
        with contextlib.suppress(NotThisDesign):  # then study by study, which counts the refusals
            many = simulate(levels, level=1 - 2 * alpha, edges=edges, limits=limits)
            if effect is not None:
                many = anytime_many(
                    many, levels, is_paired=target.estimator.is_paired, alpha=alpha, edges=edges, effect=effect
                )
            many = replace(
                many, has_answer_K=many.has_answer_K & whole_K, p_KB=np.where(whole_K[:, None], many.p_KB, 1.0)
            )
            return Outcome(many=many, done_K=np.ones(len(many.estimate_K), dtype=bool))
    return _one_by_one(target, data, alpha=alpha, raw=raw, is_rate=is_rate, at_most=at_most, effect=effect)


def is_vectorised(target: Target, runs: frozenset[int]) -> bool:
    """Whether all studies are computed at once, on units that the estimator does not refuse."""
    if target.estimator.simulate is None:
        return False
    labels = [_labels(level, runs) for level in target.levels]
    weighted = [found for level, found in zip(target.levels, labels, strict=True) if level.weight != 0]
    if any(len(found) < 2 for found in weighted) or any(not found for found in labels):
        return False
    return not target.estimator.is_paired or all(found == weighted[0] for found in weighted)


def _labels(level: LevelRows, runs: frozenset[int]) -> tuple[str, ...]:
    if level.item_groups is not None:
        return tuple(map(str, range(level.item_groups))) if _rows(level, runs) else ()
    return tuple(label for label, rows in level.units.items() if runs.intersection(rows))


def _rows(level: LevelRows, runs: frozenset[int]) -> list[int]:
    return [r for rows in level.units.values() for r in rows if r in runs]


def _answers(level: LevelRows, data: Simulated) -> float:
    """Answers behind one unit's mean, on average over units and studies."""
    rows = _rows(level, data.runs)
    n_items = data.cells[level.block].shape[2]
    units = level.item_groups or len(_labels(level, data.runs))
    came = data.came.get(level.block)
    answers = len(rows) * n_items * data.draws if came is None else came[:, rows].sum(axis=(1, 2)).mean()
    return float(answers / units)


def _mean(cells: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """Mean over axes, each cell weighing the same; cells without an answer are left out, and a mean of none is NaN."""
    is_there = ~np.isnan(cells)
    if is_there.all():
        return np.asarray(cells.mean(axis=axis))
    n = is_there.sum(axis=axis)
    return np.asarray(np.where(n > 0, np.nansum(cells, axis=axis) / np.maximum(n, 1), np.nan))


def unit_means(level: LevelRows, data: Simulated) -> FloatArray:
    """Mean of every unit of a level in every study, shape (K, U)."""
    cells = data.cells[level.block]
    if level.item_groups is None:
        units = [present for rows in level.units.values() if (present := [r for r in rows if r in data.runs])]
        if all(len(present) == 1 for present in units):
            return _mean(cells[:, [r for (r,) in units], :], 2)
        return np.stack([_mean(cells[:, present, :], (1, 2)) for present in units], axis=1)
    means_KI = _mean(cells[:, _rows(level, data.runs), :], 1)
    if level.item_groups == means_KI.shape[1]:
        return np.asarray(means_KI)
    group_I = np.arange(cells.shape[2]) % level.item_groups
    return np.stack([_mean(means_KI[:, group_I == g], 1) for g in range(level.item_groups)], axis=1)


def _one_by_one(
    target: Target,
    data: Simulated,
    *,
    alpha: float,
    raw: float,
    is_rate: bool,
    at_most: int,
    effect: float | None = None,
) -> Outcome:
    """The plan's own estimator, study by study; a refusal leaves every band."""
    bands = target.estimand.partition
    edges = tuple(edge * raw for edge in bands.edges)
    k_all = next(iter(data.cells.values())).shape[0]
    k_done = min(k_all, at_most)
    numbers = np.full((k_all, 3), np.nan)
    p_KB = np.ones((k_all, len(bands.bands)))
    for k in range(k_done):
        try:
            sample = as_sample(target, data, k, is_rate=is_rate)
            found = target.estimator.run(sample, level=1 - 2 * alpha, edges=edges)
            if effect is not None:
                found = anytime(found, alpha=alpha, effect=effect)
        except Refusal:
            continue
        numbers[k] = found.estimate, found.ci_low, found.ci_high
        p_KB[k] = [band.p for band in decide_bands(found.edges, bands, alpha, scale=raw).bands]
    answered_K = ~np.isnan(numbers[:, 0])
    filled = np.where(answered_K[:, None], numbers, 0.0)
    many = Many(estimate_K=filled[:, 0], low_K=filled[:, 1], high_K=filled[:, 2], has_answer_K=answered_K, p_KB=p_KB)
    return Outcome(many=many, done_K=np.arange(k_all) < k_done)


def as_sample(target: Target, data: Simulated, study: int, *, is_rate: bool) -> Sample:
    """One simulated study as the sample that an estimator of the plan would be given."""
    levels = tuple(_level(level, data, study, is_rate=is_rate) for level in target.levels)
    return Sample(levels=levels, unit=target.estimand.unit, is_proportion=is_rate, are_strangers=target.are_strangers)


def _level(level: LevelRows, data: Simulated, study: int, *, is_rate: bool) -> Level:
    cells = data.cells[level.block][study]
    rows = _rows(level, data.runs)
    means = unit_means(level, _only(data, level.block, study))[0]
    labels = _labels(level, data.runs)
    n_items = cells.shape[1]
    items = [f"i{i:04d}" for i in range(n_items)]
    by_cell: dict[tuple[str, str], float] = {}
    if level.item_groups is None:
        for label, runs in level.units.items():
            if present := [r for r in runs if r in data.runs]:
                means_I = _mean(cells[present], 0).tolist()
                by_cell |= {
                    (label, item): mean for item, mean in zip(items, means_I, strict=True) if not math.isnan(mean)
                }
    came = data.came.get(level.block)
    n_RI = np.full(cells.shape, data.draws) if came is None else came[study]
    k_I = np.rint(np.nansum(cells[rows] * n_RI[rows], axis=0)).astype(int)
    n_I = n_RI[rows].sum(axis=0).astype(int)
    answered = [(item, k, n) for item, k, n in zip(items, k_I.tolist(), n_I.tolist(), strict=True) if n]
    own = _only(data, level.block, study)
    unit_n = dict.fromkeys(labels, round(_answers(level, own)))
    answered_means = {label: mean for label, mean in zip(labels, means.tolist(), strict=True) if not math.isnan(mean)}
    return Level(
        name=level.name,
        weight=level.weight,
        unit_means=answered_means,
        unit_x={} if math.isnan(level.x) else dict.fromkeys(answered_means, level.x),
        unit_n=unit_n if is_rate else {},
        k=int(k_I.sum()) if is_rate else None,
        n=int(n_I.sum()) if is_rate else None,
        cluster_k={item: k for item, k, _ in answered} if is_rate else {},
        cluster_n={item: n for item, _, n in answered} if is_rate else {},
        n_runs=len(rows),
        cells=by_cell,
    )


def _only(data: Simulated, block: int, study: int) -> Simulated:
    at = slice(study, study + 1)
    came = {block: data.came[block][at]} if block in data.came else {}
    return Simulated(cells={block: data.cells[block][at]}, runs=data.runs, draws=data.draws, came=came)


def runs_at(seed_rank: Sequence[int], seeds: int | None) -> frozenset[int]:
    """Runs that exist when each arm has `seeds` seeds; all of them for None."""
    return frozenset(r for r, rank in enumerate(seed_rank) if seeds is None or rank < seeds)
