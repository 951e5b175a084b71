"""The design declared from the plan: runs, blocks of data, and what every hypothesis reads from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.estimator import Estimator
from seedlock.analysis.estimators.internals.units import contrast_limits
from seedlock.analysis.inference.covariates import are_strangers
from seedlock.analysis.simulation.assumptions import Assumed
from seedlock.prereg.plan.levels import weighted_levels
from seedlock.prereg.plan.plan import BASELINE_ARM, Estimand, Hypothesis, Plan, PlannedRun
from seedlock.prereg.plan.runs import Where, listed

type BlockKey = tuple[str, str, bool]
"""Measure, which items in words, whether seeds vary: data of two keys are drawn independently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One measure on one selection of items, drawn for every run.

    `seeds_vary` is False where a plan speaks of these runs and replicates over items: what is true of a run is then
    the run's own rate or mean.
    """

    measure: str
    selection: str
    n_items: int
    seeds_vary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRows:
    """Where one level of a contrast finds its units.

    Parameters
    ----------
    units
        Unit label -> indices of its runs, where a factor of the runs is replicated; every run of the level under
        one label otherwise.
    item_groups
        How many groups of items are the units, where items are replicated; None where runs are.
    x
        Number that the level stands at, in steps of a slope; NaN where it is none.
    """

    name: str
    weight: float
    block: int
    units: dict[str, tuple[int, ...]]
    item_groups: int | None
    x: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One hypothesis or gate of the plan, resolved to the data it is tested on.

    Parameters
    ----------
    favoured
        The band that the authors predict, or that a gate needs.
    problem
        Why it cannot be simulated; empty otherwise.
    gates
        Ids of the gates that stand before a hypothesis.
    are_strangers
        Units of one name at two levels share nothing.
    """

    id: str
    kind: Literal["hypothesis", "gate"]
    estimand: Estimand
    favoured: str
    alpha: float
    levels: tuple[LevelRows, ...]
    problem: str = ""
    gates: tuple[str, ...] = ()
    are_strangers: bool = False

    @property
    def estimator(self) -> Estimator:
        """The test that the plan names."""
        return ESTIMATORS[self.estimand.test]

    @property
    def is_contrast(self) -> bool:
        """The weights sum to zero, so that 0 means no effect."""
        return not self.is_share and abs(sum(level.weight for level in self.levels)) < 1e-12

    @property
    def is_share(self) -> bool:
        """What it estimates is a ratio: levels of positive weight over those of negative weight."""
        return self.estimator.family == "ratio of unit means"

    def limits(self, *, is_rate: bool) -> tuple[float, float]:
        """Least and greatest raw value; infinite unless it is a weighted sum of rates."""
        if self.is_share or not is_rate:
            return -math.inf, math.inf
        return contrast_limits([level.weight for level in self.levels])


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Runs, blocks and targets of a plan.

    Parameters
    ----------
    seed_rank
        Place of each run's seed among the seeds of its model: a look at n seeds takes those below n.
    """

    runs: tuple[PlannedRun, ...]
    seed_rank: tuple[int, ...]
    blocks: tuple[Block, ...]
    targets: tuple[Target, ...]

    def blocks_read_by_item(self) -> frozenset[int]:
        """Blocks of which some target reads single items; a test of all studies at once reads the means of runs."""
        return frozenset(
            level.block
            for target in self.targets
            for level in target.levels
            if not target.problem and (level.item_groups is not None or target.estimator.simulate is None)
        )


def lay_out(plan: Plan, assumed: Assumed) -> Layout:
    """Resolve every gate and hypothesis of a plan to runs and items."""
    runs = tuple(plan.runs())
    blocks: dict[BlockKey, Block] = {}
    made = _Made(plan=plan, assumed=assumed, runs=runs, blocks=blocks)
    targets = [_target(made, *named) for named in _estimands(plan)]
    return Layout(
        runs=runs,
        seed_rank=tuple(0 if run.seed is None else plan.grid.seeds_of(run.model).index(run.seed) for run in runs),
        blocks=tuple(blocks.values()),
        targets=tuple(targets),
    )


def _estimands(plan: Plan) -> Iterator[tuple[str, Estimand, Where, str]]:
    for name, gate, extra in plan.expanded_gates():
        yield f"gates.{name}", gate, extra, gate.need
    for identity, hypothesis, extra in plan.expanded():
        yield identity, hypothesis, extra, hypothesis.predicted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What resolving a target reads, and the blocks made so far."""

    plan: Plan
    assumed: Assumed
    runs: tuple[PlannedRun, ...]
    blocks: dict[BlockKey, Block]


def _target(made: _Made, identity: str, estimand: Estimand, extra: Where, favoured: str) -> Target:
    plan, assumed, runs = made.plan, made.assumed, made.runs
    where: Where = {**(plan.items[estimand.items].where if estimand.items else {}), **estimand.where, **extra}
    chosen = list(_selected(plan, runs, estimand, where))
    estimator = ESTIMATORS[estimand.test]
    groups, problem = _item_groups(plan, assumed, estimand)
    numbers = {} if estimand.dose is None else {n: estimand.dose.step(x) for n, x in estimand.dose.numbers.items()}
    if estimand.dose is not None and not numbers:
        problem = f"how {estimand.dose.measure} varies from run to run is no part of [design]"
    problem = estimator.not_simulated or problem
    planned = weighted_levels(plan, estimand) if estimand.contrast is None else []
    weights = estimand.contrast or dict.fromkeys(planned or ["all"], 1.0)
    levels = []
    for name, weight in weights.items():
        block = _block(made, estimand, where, name)
        rows = [r for r in chosen if _level_of(plan, runs[r], estimand, name) == name]
        units = _units(runs, rows, estimand.unit if groups is None else None)
        x = numbers.get(name, math.nan)
        levels.append(LevelRows(name=name, weight=weight, block=block, units=units, item_groups=groups, x=x))
        is_below = estimator.family == "ratio of unit means" and weight < 0
        if is_below and not _has_base(assumed, runs, rows, estimand.measure):
            problem = problem or f"a share of nothing: say under  [design.measures.{estimand.measure}]  base = 1.0"
        if not units:
            problem = problem or f"no planned run for {estimand.over} {name}"
    if BASELINE_ARM in weights and estimand.over == "arm" and estimand.unit == "seed":
        levels = _base_beside_every_seed(levels)
        problem = problem or ("a look's seeds against the unmodified model" if plan.look else "")
    return Target(
        id=identity,
        kind="hypothesis" if isinstance(estimand, Hypothesis) else "gate",
        estimand=estimand,
        favoured=favoured,
        alpha=estimand.alpha or plan.inference.alpha,
        levels=tuple(levels),
        problem=problem,
        gates=tuple(f"gates.{name}" for name in plan.gates_of(estimand, extra))
        if isinstance(estimand, Hypothesis)
        else (),
        are_strangers=estimand.dose is not None and are_strangers(plan, estimand, extra),
    )


def _base_beside_every_seed(levels: list[LevelRows]) -> list[LevelRows]:
    """The unmodified model, which has no seed, as `analysis.inference.select.build_sample` sets it against seeds."""
    seeds = sorted({unit for level in levels if level.name != BASELINE_ARM for unit in level.units})
    return [
        replace(level, units={seed: rows for seed in seeds for rows in level.units.values()})
        if level.name == BASELINE_ARM
        else level
        for level in levels
    ]


def _has_base(assumed: Assumed, runs: tuple[PlannedRun, ...], rows: list[int], measure: str) -> bool:
    """Whether the measure is thought to differ from 0 in every arm of these runs."""
    return all(assumed.variation[measure].base[runs[r].arm] != 0 for r in rows)


def _selected(plan: Plan, runs: tuple[PlannedRun, ...], estimand: Estimand, where: Where) -> Iterator[int]:
    """Runs that a hypothesis speaks of, as `analysis.inference.select.select` would choose their rows."""
    for r, run in enumerate(runs):
        conditions = {f: listed(wanted) for f, wanted in where.items() if f in plan.run_factors}
        if any(not run.has(f) or run.factor(f) not in levels for f, levels in conditions.items()):
            continue
        if estimand.contrast is None and "arm" not in where and run.arm == BASELINE_ARM:
            continue
        if estimand.unit in plan.run_factors and not run.has(estimand.unit):
            continue
        yield r


def _level_of(plan: Plan, run: PlannedRun, estimand: Estimand, asked: str) -> str | None:
    if (estimand.contrast is None and estimand.dose is None) or estimand.over not in plan.run_factors:
        return asked
    return run.factor(estimand.over) if run.has(estimand.over) else None


def _units(runs: tuple[PlannedRun, ...], rows: list[int], factor: str | None) -> dict[str, tuple[int, ...]]:
    units: dict[str, list[int]] = {}
    for r in rows:
        units.setdefault("all" if factor is None else runs[r].factor(factor), []).append(r)
    return {label: tuple(found) for label, found in sorted(units.items())}


def _item_groups(plan: Plan, assumed: Assumed, estimand: Estimand) -> tuple[int | None, str]:
    """How many units the items make, where the hypothesis replicates over items; and why that is not known."""
    if estimand.unit in plan.run_factors:
        return None, ""
    n_items = assumed.items[estimand.items]
    if estimand.unit in {"item", "answer"}:
        return n_items, ""
    planned = plan.design.units.get(estimand.unit)
    if planned is None:
        remedy = f"say how many under  [design]  units = {{ {estimand.unit} = 20 }}"
        return n_items, f"{estimand.unit} is an attribute of the items: {remedy}"
    return min(planned, n_items), ""


def _block(made: _Made, estimand: Estimand, where: Where, level: str) -> int:
    """Index of the block a level reads, made if it is the first to."""
    conditions = {f: v for f, v in where.items() if f not in made.plan.run_factors}
    if estimand.contrast is not None and estimand.over not in made.plan.run_factors:
        conditions[estimand.over] = level
    selection = "; ".join(
        [estimand.items or "all items", *(f"{factor} = {value}" for factor, value in sorted(conditions.items()))]
    )
    seeds_vary = made.plan.inference.seeds == "new" or estimand.unit in made.plan.run_factors
    key = (estimand.measure, selection, seeds_vary)
    n_items = made.assumed.items[estimand.items]
    made.blocks.setdefault(
        key, Block(measure=estimand.measure, selection=selection, n_items=n_items, seeds_vary=seeds_vary)
    )
    return list(made.blocks).index(key)
