"""What is true in each simulated world: the value of every hypothesis, and the level of every arm that gives it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.simulation.assumptions import Assumed
from seedlock.analysis.simulation.layout import Layout, Target
from seedlock.prereg.plan.bands import Band
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.plan import Plan

type CellKey = tuple[int, str, str]
"""Block, model, arm: what one level of a measure is set for."""

EXACT = 1e5
ANCHORED = 100.0
LEAST_RATE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One setting of every arm's true level.

    Parameters
    ----------
    scenario
        "null", "edge 1", "edge 2", ... or "expected".
    truth
        Target id -> its true value, raw; only the targets this world was made for.
    level
        Block, model and arm -> true rate or mean.
    """

    scenario: str
    truth: Mapping[str, float]
    level: Mapping[CellKey, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """All worlds at one point of the grid, and what could not be made true."""

    worlds: tuple[World, ...]
    impossible: tuple[tuple[str, str], ...]
    """(scenario, target id) whose value no rates or means can give."""


def scenarios(layout: Layout) -> list[str]:
    """Scenario names: no effect, each edge of the bands, and what the authors expect."""
    most = max((len(t.estimand.partition.edges) for t in layout.targets if t.kind == "hypothesis"), default=0)
    return ["null", *(f"edge {number}" for number in range(1, most + 1)), "expected"]


def make_worlds(plan: Plan, layout: Layout, assumed: Assumed, raw: Mapping[str, float], asked: Sequence[str]) -> Worlds:
    """Set every arm's level so that each scenario holds.

    Parameters
    ----------
    raw
        Target id -> raw units in one unit of its scale.

    Notes
    -----
    Hypotheses that can hold their values together share a world; where they contradict each other (three
    differences between three arms, say) the scenario gets several. Levels that are only subtracted stay at their
    base as nearly as the values allow.
    """
    worlds: list[World] = []
    impossible: list[tuple[str, str]] = []
    for scenario in asked:
        values = {
            t.id: value
            for t in layout.targets
            if not t.problem and (value := true_value(plan, t, assumed, raw[t.id], scenario)) is not None
        }
        groups, failed = _compatible(layout, assumed, values)
        impossible += [(scenario, name) for name in failed]
        worlds += [replace(group, scenario=scenario) for group in groups]
    return Worlds(worlds=tuple(worlds), impossible=tuple(impossible))


def true_value(plan: Plan, target: Target, assumed: Assumed, raw: float, scenario: str) -> float | None:
    """Raw value of a target in a scenario; None where the scenario does not speak of it."""
    edges = target.estimand.partition.edges
    if scenario == "expected" or target.kind == "gate":
        return raw * expected_value(plan, target, assumed, raw)
    if scenario == "null":
        return 0.0 if target.is_contrast else raw * _nearest_edge(target)
    number = int(scenario.removeprefix("edge ")) - 1
    return raw * edges[number] if number < len(edges) else None


def _nearest_edge(target: Target) -> float:
    band = favoured_band(target)
    edge = band.lower if band.lower is not None else band.upper
    return float(edge if edge is not None else 0.0)


def favoured_band(target: Target) -> Band:
    """The band that the authors predict, or the gate needs."""
    return next(band for band in target.estimand.partition.bands if band.name == target.favoured)


def expected_value(plan: Plan, target: Target, assumed: Assumed, raw: float) -> float:
    """What the authors expect, on the target's own scale; a value inside the favoured band where they do not say.

    The default is 0 or the middle of an inner band; past the edge of an outer band by half the width of the band
    before it, or by two seed SDs where there is none, and never more than half of what the scale has left.
    """
    declared = plan.design.expected
    for name in (target.id, HypothesisId.read(target.id).base):
        if name in declared:
            return declared[name]
    band = favoured_band(target)
    if band.lower is not None and band.upper is not None:
        holds_zero = target.is_contrast and band.lower < 0 < band.upper
        return 0.0 if holds_zero else (band.lower + band.upper) / 2
    edge, sign = (band.lower, 1.0) if band.lower is not None else (band.upper, -1.0)
    step = _default_step(target, assumed, raw)
    low, high = (limit / raw for limit in target.limits(is_rate=assumed.variation[target.estimand.measure].is_rate))
    room = (high - edge if sign > 0 else edge - low) if edge is not None else math.inf
    return float(edge or 0.0) + sign * min(step, room / 2)


def _default_step(target: Target, assumed: Assumed, raw: float) -> float:
    edges = target.estimand.partition.edges
    if len(edges) > 1:
        at_top = favoured_band(target).upper is None
        return abs(edges[-1] - edges[-2] if at_top else edges[1] - edges[0]) / 2
    variation = assumed.variation[target.estimand.measure]
    middle = variation.seed_sd[len(variation.seed_sd) // 2]
    base = float(np.mean(list(variation.base.values())))
    return 2 * middle * (max(base * (1 - base), 0.01) if variation.is_rate else 1.0) / raw


def true_band(target: Target, value: float) -> str:
    """The band that holds `value` (own scale); at an edge, of the two that touch, the one further from the favoured.

    So the error counted at an edge is the one that matters: excluding the neighbour in favour of the prediction.
    """
    bands = target.estimand.partition.bands
    favoured = next(i for i, band in enumerate(bands) if band.name == target.favoured)
    close = 1e-9 * max(1.0, abs(value))
    holding = [
        i
        for i, band in enumerate(bands)
        if (band.lower is None or value >= band.lower - close) and (band.upper is None or value <= band.upper + close)
    ]
    return bands[max(holding, key=lambda i: (abs(i - favoured), i))].name


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """What makes a target's value true: a weighted sum of true levels, and what it comes to."""

    row: Mapping[CellKey, float]
    total: float


def equation(layout: Layout, target: Target, value: float) -> Equation:
    """A target's value as a linear equation; a share of r is "numerator less r times denominator is 0"."""
    if not target.is_share:
        return Equation(row=coefficients(layout, target), total=value)
    scaled = [replace(lv, weight=lv.weight * (1.0 if lv.weight > 0 else value)) for lv in target.levels]
    return Equation(row=coefficients(layout, replace(target, levels=tuple(scaled))), total=0.0)


def coefficients(layout: Layout, target: Target) -> dict[CellKey, float]:
    """The target as a weighted sum of true levels, each unit weighing the same, and each run of a unit."""
    row: dict[CellKey, float] = {}
    for level in target.levels:
        for runs in level.units.values():
            for r in runs:
                key = (level.block, layout.runs[r].model, layout.runs[r].arm)
                row[key] = row.get(key, 0.0) + level.weight / len(level.units) / len(runs)
    return row


def _compatible(layout: Layout, assumed: Assumed, values: Mapping[str, float]) -> tuple[list[World], list[str]]:
    """Gather targets into as few worlds as hold their values together."""
    by_id = {t.id: t for t in layout.targets}
    asked = {name: equation(layout, by_id[name], value) for name, value in values.items()}
    cells = list(_cells(layout))
    groups: list[dict[str, float]] = []
    failed = []
    for name, value in values.items():
        if _solve(layout, assumed, cells, [asked[name]]) is None:
            failed.append(name)
            continue
        for group in groups:
            if _solve(layout, assumed, cells, [*(asked[other] for other in group), asked[name]]) is not None:
                group[name] = value
                break
        else:
            groups.append({name: value})
    found = []
    for group in groups:
        level = _solve(layout, assumed, cells, [asked[name] for name in group])
        if level is not None:
            found.append(World(scenario="", truth=group, level=level))
    return found, failed


def _cells(layout: Layout) -> Iterator[CellKey]:
    pairs = dict.fromkeys((run.model, run.arm) for run in layout.runs)
    yield from ((block, model, arm) for block in range(len(layout.blocks)) for model, arm in pairs)


def _solve(
    layout: Layout,
    assumed: Assumed,
    cells: list[CellKey],
    equations: Sequence[Equation],
) -> dict[CellKey, float] | None:
    """Levels nearest to their base that give every value; None where none do."""
    base_C = np.array([assumed.variation[layout.blocks[b].measure].base[arm] for b, _, arm in cells])
    is_rate_C = np.array([assumed.variation[layout.blocks[b].measure].is_rate for b, _, _ in cells])
    weights_TC = np.array([[one.row.get(cell, 0.0) for cell in cells] for one in equations])
    wanted_T = np.array([one.total for one in equations]) - weights_TC @ base_C
    touched_C = np.flatnonzero(np.any(weights_TC != 0, axis=0))
    part_TC = weights_TC[:, touched_C]
    stiffness_C = np.where(np.any(part_TC < 0, axis=0), ANCHORED, 1.0)
    change_C = _bounded(part_TC, wanted_T, stiffness_C, base_C[touched_C], is_rate_C[touched_C])
    if np.max(np.abs(part_TC @ change_C - wanted_T)) > 1e-6 * max(1.0, float(np.max(np.abs(wanted_T)))):
        return None
    levels_C = base_C.copy()
    levels_C[touched_C] += change_C
    return {cell: float(level) for cell, level in zip(cells, levels_C, strict=True)}


def _bounded(
    part_TC: FloatArray, wanted_T: FloatArray, stiffness_C: FloatArray, base_C: FloatArray, is_rate_C: FloatArray
) -> FloatArray:
    stacked = np.vstack([EXACT * part_TC, np.diag(stiffness_C)])
    aim = np.concatenate([EXACT * wanted_T, np.zeros(len(stiffness_C))])
    low_C = np.where(is_rate_C, np.minimum(LEAST_RATE, base_C) - base_C, -np.inf)
    high_C = np.where(is_rate_C, np.maximum(1 - LEAST_RATE, base_C) - base_C, np.inf)
    found = optimize.lsq_linear(stacked, aim, bounds=(low_C, high_C + 1e-12), method="bvls")
    free = (found.x > low_C + 1e-9) & (found.x < high_C - 1e-9)
    # What the penalty on change left over, taken out exactly where there is room.
    exact = np.asarray(found.x, dtype=float)
    exact[free] += np.linalg.pinv(part_TC[:, free]) @ (wanted_T - part_TC @ exact)
    return exact
