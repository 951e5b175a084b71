"""Answers that never come: lost from simulated studies, and scored at their worst as the analysis does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.simulation.assumptions import Variation
from seedlock.analysis.simulation.evaluate import Outcome, Simulated, unit_means
from seedlock.analysis.simulation.layout import Target
from seedlock.prereg.plan.plan import PlannedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What is left of a block: mean of the answers that came, NaN of none, and how many; shape (K, R, I) each."""

    mean_KRI: FloatArray
    n_KRI: FloatArray


def lose_answers(
    variation: Variation,
    runs: tuple[PlannedRun, ...],
    level_R: FloatArray,
    cells_KRI: FloatArray,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Came:
    """Lose answers of complete studies, at random or by what they say.

    Parameters
    ----------
    level_R
        True rate or mean of every run's arm: "high" answers lie above it, "low" ones below.
    cells_KRI
        Mean of the `draws` answers of every run to every item.
    """
    lost_R1 = np.array([variation.missing.get(run.arm, 0.0) for run in runs])[:, None]
    of_high, of_low = (lost_R1 * (variation.missing_at in {"random", side}) for side in ("high", "low"))
    if variation.is_rate:
        hits = np.rint(cells_KRI * draws).astype(np.int64)
        k, misses = rng.binomial(hits, 1 - of_high), rng.binomial(draws - hits, 1 - of_low)
        return _came(k.astype(float), (k + misses).astype(float))
    # Single answers given their mean: normal about it, their own mean taken out.
    noise_KRID = rng.normal(0, variation.answer_sd, (*cells_KRI.shape, draws))
    answer_KRID = cells_KRI[..., None] + noise_KRID - noise_KRID.mean(axis=3, keepdims=True)
    is_high = answer_KRID > level_R[:, None, None]
    comes = rng.random(answer_KRID.shape) >= np.where(is_high, of_high[:, :, None], of_low[:, :, None])
    return _came((answer_KRID * comes).sum(axis=3), comes.sum(axis=3).astype(float))


def _came(total_KRI: FloatArray, n_KRI: FloatArray) -> Came:
    mean_KRI = np.where(n_KRI > 0, total_KRI / np.maximum(n_KRI, 1), np.nan)
    return Came(mean_KRI=mean_KRI, n_KRI=n_KRI)


def at_worst(
    target: Target,
    data: Simulated,
    outcome: Outcome,
    estimate: Callable[[Simulated], Outcome],
    *,
    span: tuple[float, float],
    raw: float,
) -> Outcome:
    """The outcome with every band that missing answers could leave, scored at the ends of the scale either way.

    Parameters
    ----------
    estimate
        The same test of other data.
    span
        Least and greatest score of the measure.

    Notes
    -----
    A band is left where it is in any of the three analyses: its p is the greatest of theirs. Where the test refuses
    the filled data, the band of the point estimate stands for them, as in `analysis.inference.hypothesis`.
    """
    p_KB = outcome.many.p_KB
    for down, up in (span, span[::-1]):
        filled = _filled(target, data, down, up)
        found = estimate(filled).many
        instead_KB = _point_bands(target, filled, raw)
        p_KB = np.maximum(p_KB, np.where(found.has_answer_K[:, None], found.p_KB, instead_KB))
    return Outcome(many=replace(outcome.many, p_KB=p_KB), done_K=outcome.done_K)


def _filled(target: Target, data: Simulated, down: float, up: float) -> Simulated:
    """Studies in which missing answers score `down` where a level is added and `up` where it is taken away."""
    cells: dict[int, FloatArray] = dict(data.cells)
    for level in target.levels:
        n_KRI = data.came.get(level.block)
        if n_KRI is None:
            continue
        if cells[level.block] is data.cells[level.block]:
            cells[level.block] = data.cells[level.block].copy()
        rows = [r for runs in level.units.values() for r in runs]
        known = np.nan_to_num(data.cells[level.block][:, rows]) * n_KRI[:, rows]
        worst = (down if level.weight > 0 else up) * (data.draws - n_KRI[:, rows])
        cells[level.block][:, rows] = (known + worst) / data.draws
    return replace(data, cells=cells, came={})


def _point_bands(target: Target, data: Simulated, raw: float) -> FloatArray:
    """1 for the band that each study's point estimate falls in and 0 for the others, shape (K, B)."""
    means = [level.weight * unit_means(level, data).mean(axis=1) for level in target.levels]
    edges = np.array([edge * raw for edge in target.estimand.partition.edges])
    place_K = (np.sum(means, axis=0)[:, None] >= edges[None, :]).sum(axis=1)
    return np.eye(len(edges) + 1)[place_K]


def is_bounded(target: Target, came: Mapping[int, FloatArray]) -> bool:
    """Whether answers are missing that a target reads, and a sum of means can be pulled by them."""
    return not target.is_share and any(level.block in came for level in target.levels)
