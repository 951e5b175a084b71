"""Answers of simulated runs: logit-normal seeds and items with binomial draws, or normal ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.simulation.assumptions import Variation
from seedlock.prereg.plan.plan import PlannedRun

NODES = 40
SLICE_CELLS = 50_000
"""Cells of rates drawn at a time: what stays in a processor's cache."""
SPREAD_CELLS = 2_000_000
"""Cells drawn to find what an SD scale comes out as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How the runs of one block are drawn.

    Parameters
    ----------
    seed_sd
        The point of the grid.
    arm_sd
        Arm -> its own SD between seeds, where that is another.
    new_items
        Items are a sample too: drawn anew for every simulated study, with an effect of each arm on each item.
    means_only
        Nothing reads single items: of normal answers only the mean over the items is drawn, from its own normal.
    """

    variation: Variation
    seed_sd: float
    n_items: int
    draws: int
    new_items: bool
    pairing: float
    within_run: float = 0.0
    means_only: bool = False
    arm_sd: Mapping[str, float] = field(default_factory=dict)

    def sd_of(self, run: PlannedRun) -> float:
        """SD between the seeds of a run's arm."""
        return self.arm_sd.get(run.arm, self.seed_sd)

    @property
    def together(self) -> int:
        """Items whose mean is drawn at once: 1, or all where only their mean is read."""
        return self.n_items if self.means_only and not self.variation.is_rate else 1

    @property
    def columns(self) -> int:
        """What is drawn for each run: its items, or their mean."""
        return self.n_items // self.together


def draw_cells(
    drawing: Drawing,
    runs: tuple[PlannedRun, ...],
    level_R: FloatArray,
    rng: np.random.Generator,
    shared_rng: np.random.Generator,
    *,
    simulations: int,
    common_KR: FloatArray | None = None,
) -> FloatArray:
    """Draw the mean answer of every run to every item.

    Parameters
    ----------
    level_R
        Shape (R,): each run's true rate or mean over seeds (and over items, where they are a sample).
    shared_rng
        For what arms with the same seed share.
    common_KR
        From `common_effects`: what a run's seed does to all its measures and item sets alike, shape (K, R).

    Returns
    -------
    numpy.ndarray
        Shape (K, R, I): K simulated studies, R runs, I items; I is 1 where only their mean is drawn.
    """
    v = drawing.variation
    root = math.sqrt(drawing.together)
    effect_KR = seed_effects(runs, drawing.pairing, rng, shared_rng, simulations)
    if common_KR is not None:
        effect_KR = common_KR + math.sqrt(1 - drawing.within_run) * effect_KR
    seed_KR1 = (np.array([drawing.sd_of(run) for run in runs]) * effect_KR)[:, :, None]
    items = item_effects(drawing.columns, v.item_sd)[None, None, :]
    if drawing.new_items:
        items = rng.normal(0, v.item_sd / root, (simulations, 1, drawing.columns)) + _arm_items(
            drawing, runs, rng, simulations
        )
    if not v.is_rate:
        answer_sd = v.answer_sd / math.sqrt(drawing.draws) / root
        noise = rng.normal(0, answer_sd, (simulations, len(runs), drawing.columns))
        return np.asarray(level_R[None, :, None] + seed_KR1 + items + noise)
    fixed = () if drawing.new_items else tuple(item_effects(drawing.n_items, v.item_sd).tolist())
    centre_R = np.array(
        [centre_logit(float(level), _spread_of(run, drawing), fixed) for run, level in zip(runs, level_R, strict=True)]
    )
    # A share of expit(run + item), with one exponential a run and one an item instead of one a cell.
    odds_KR1, against_KRI = np.exp(centre_R[None, :, None] + seed_KR1), np.exp(-items)
    found = np.empty((simulations, len(runs), drawing.n_items))
    step = max(1, SLICE_CELLS // found[0].size)
    for start in range(0, simulations, step):
        at = slice(start, start + step)
        whole = odds_KR1[at] + (against_KRI[at] if drawing.new_items else against_KRI)
        if drawing.draws == 1:
            whole *= rng.random(whole.shape)
            np.less(whole, odds_KR1[at], out=found[at])
        else:
            found[at] = rng.binomial(drawing.draws, odds_KR1[at] / whole)
    return found if drawing.draws == 1 else found / drawing.draws


def _spread_of(run: PlannedRun, drawing: Drawing) -> float:
    """SD over which a run's rate is averaged: an unmodified model has no seed."""
    seed_sd = 0.0 if run.seed is None else drawing.sd_of(run)
    v = drawing.variation
    return math.hypot(seed_sd, v.item_sd, v.item_effect_sd) if drawing.new_items else seed_sd


def seed_effects(
    runs: tuple[PlannedRun, ...],
    pairing: float,
    rng: np.random.Generator,
    shared_rng: np.random.Generator,
    simulations: int,
) -> FloatArray:
    """Standard normal seed effects, shape (K, R); correlated by `pairing` where a model's arms share a seed."""
    own_KR = rng.normal(size=(simulations, len(runs)))
    if pairing > 0:
        labels = {label: i for i, label in enumerate(dict.fromkeys((run.model, run.seed) for run in runs))}
        shared_KL = shared_rng.normal(size=(simulations, len(labels)))
        shared_KR = shared_KL[:, [labels[run.model, run.seed] for run in runs]]
        own_KR = math.sqrt(pairing) * shared_KR + math.sqrt(1 - pairing) * own_KR
    return np.asarray(own_KR * np.array([run.seed is not None for run in runs]))


def common_effects(
    runs: tuple[PlannedRun, ...],
    *,
    pairing: float,
    within_run: float,
    rng: np.random.Generator,
    shared_rng: np.random.Generator,
    simulations: int,
) -> FloatArray | None:
    """The part of every seed's effect that all measures and item sets of its run share, shape (K, R); None for none."""
    if not within_run:
        return None
    return np.asarray(math.sqrt(within_run) * seed_effects(runs, pairing, rng, shared_rng, simulations))


def _arm_items(
    drawing: Drawing, runs: tuple[PlannedRun, ...], rng: np.random.Generator, simulations: int
) -> FloatArray:
    """What each arm does to each item, shape (K, R, I): the same for every seed of the arm."""
    arms = list(dict.fromkeys((run.model, run.arm) for run in runs))
    effect_sd = drawing.variation.item_effect_sd / math.sqrt(drawing.together)
    effect_KAI = rng.normal(0, effect_sd, (simulations, len(arms), drawing.columns))
    return np.asarray(effect_KAI[:, [arms.index((run.model, run.arm)) for run in runs], :])


def item_effects(n_items: int, item_sd: float) -> FloatArray:
    """Effects of items that are given, not sampled: normal quantiles with mean 0 and the planned SD, shape (I,)."""
    if n_items == 1 or item_sd == 0:
        return np.zeros(n_items)
    quantiles_I = stats.norm.ppf((np.arange(n_items) + 0.5) / n_items)
    return np.asarray(quantiles_I * item_sd / quantiles_I.std())


@lru_cache(maxsize=4096)
def centre_logit(rate: float, spread: float, items: tuple[float, ...]) -> float:
    """Logit of a typical run whose rate, averaged over a normal of SD `spread` and over the items, is `rate`."""
    if not 0 < rate < 1:
        return math.copysign(40.0, rate - 0.5)
    x, w = np.polynomial.hermite_e.hermegauss(NODES)
    shift = (spread * x)[:, None] + np.array(items or (0.0,))[None, :]
    weights = w / w.sum()

    def excess(centre: float) -> float:
        return float(weights @ special.expit(centre + shift).mean(axis=1)) - rate

    far = 40.0 + 10 * spread + max(map(abs, items), default=0.0)
    return float(optimize.brentq(excess, -far, far, xtol=1e-12))


def planned_spread(
    of: str, drawing: Drawing, runs: tuple[PlannedRun, ...], level: float, rng: np.random.Generator
) -> float:
    """SD of answers, item means or unit means that a design expects in one arm: what an SD scale will come out as.

    Parameters
    ----------
    of
        "answers", "item means" or "unit means", as `[sd]` names it.
    """
    v = drawing.variation
    if of == "answers":
        rate_sd = math.sqrt(level * (1 - level)) if 0 < level < 1 else 0.0
        seed_sd = drawing.sd_of(runs[0])
        return rate_sd if v.is_rate else math.hypot(seed_sd, v.item_sd, v.item_effect_sd, v.answer_sd)
    simulations = min(400, max(20, SPREAD_CELLS // (len(runs) * drawing.n_items)))
    cells_KRI = draw_cells(drawing, runs, np.full(len(runs), level), rng, rng, simulations=simulations)
    means = cells_KRI.mean(axis=1) if of == "item means" else cells_KRI.mean(axis=2)
    if means.shape[1] < 2:
        return 0.0
    return float(math.sqrt(means.var(axis=1, ddof=1).mean()))


def run_levels(runs: tuple[PlannedRun, ...], block: int, level: Mapping[tuple[int, str, str], float]) -> FloatArray:
    """True level of every run in a block, shape (R,)."""
    return np.array([level[block, run.model, run.arm] for run in runs])
