"""What the simulation takes for granted: from `[design]` where the plan says, documented defaults where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.scoring.item_sets import unit_of
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.design import MeasureDesign
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan

type Spreads = Mapping[str, float]
"""Arm -> SD between its seeds."""

DEFAULT_SEED_SD = (0.25, 0.5, 1.0)
DEFAULT_ITEMS = 60
DEFAULT_BASE_RATE = 0.5
DEFAULT_RIGHT = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One number that the simulation rests on, and who chose it."""

    what: str
    value: Any
    source: Literal["plan", "item files", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """How one measure varies.

    Parameters
    ----------
    base
        Arm -> rate or mean where no hypothesis says otherwise.
    seed_sd
        One SD between seeds for each point of the grid; in logits for a rate, else in the measure's unit, as the
        others. The greatest of the arms' SDs where they differ.
    arm_sd
        Arm -> its SD between seeds, one mapping for each point of the grid; arms not named have that of `seed_sd`.
    missing
        Arm -> probability that an answer is lost, of those that can be; arms not named lose none.
    missing_at
        Which can be: any, or those above or below the arm's own mean.
    item_sd
        Between items, the same for every run.
    item_effect_sd
        Between items in what an arm does to them; used where items are a sample too.
    answer_sd
        Between answers of one run to one item; a rate has none, its answers are Bernoulli.
    right
        Arm -> share of hits and of misses that a checked judge gets right, or its correlation with what is right; empty
        where no judge is checked.
    """

    measure: str
    is_rate: bool
    base: Mapping[str, float]
    seed_sd: tuple[float, ...]
    item_sd: float
    item_effect_sd: float
    answer_sd: float
    arm_sd: tuple[Mapping[str, float], ...] = ()
    missing: Mapping[str, float] = field(default_factory=dict)
    missing_at: Literal["random", "high", "low"] = "random"
    right: Mapping[str, float] = field(default_factory=dict)

    @property
    def loses_answers(self) -> bool:
        """Whether answers go missing in any arm."""
        return any(self.missing.values())

    def arms_at(self, point: int) -> Mapping[str, float]:
        """Arms that have an SD of their own at a point of the grid."""
        return self.arm_sd[point] if self.arm_sd else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """Everything assumed of a plan; `record` lists it for the reader.

    Parameters
    ----------
    points
        Points of the grid: those as planned, then one for each arm and ratio of `design.seed_sd_ratio`.
    as_planned
        How many of them, the first, have the seed SDs of the plan.
    """

    variation: Mapping[str, Variation]
    items: Mapping[str | None, int]
    draws: int
    points: int
    as_planned: int
    record: tuple[Assumption, ...]


def assume(plan: Plan, counted_items: Mapping[str, int] | None = None) -> Assumed:
    """Fill the plan's `[design]` with defaults.

    Parameters
    ----------
    counted_items
        Item set -> number of items in its file, where there is one.

    Raises
    ------
    BadInput
        A base rate outside [0, 1].
    """
    record: list[Assumption] = []
    given = [
        len(next(iter(m.seed_sd.values())) if isinstance(m.seed_sd, dict) else m.seed_sd)
        for m in plan.design.measures.values()
        if m.seed_sd
    ]
    points = given[0] if given else len(DEFAULT_SEED_SD)
    stretched = [(arm, ratio) for ratio in plan.design.seed_sd_ratio for arm in plan.planned_arms]
    if stretched:
        record.append(Assumption(what="seed SD ratios, each arm", value=plan.design.seed_sd_ratio, source="plan"))
    if plan.design.within_run:
        record.append(Assumption(what="correlation within a run", value=plan.design.within_run, source="plan"))
    variation = {
        name: _stretched(_variation(plan, name, points, record), plan.planned_arms, stretched)
        for name in used_measures(plan)
    }
    draws = plan.design.draws or (plan.decoding.draws if plan.decoding else None)
    record.append(Assumption(what="answers an item", value=draws or 1, source="plan" if draws else "default"))
    return Assumed(
        variation=variation,
        items=_items(plan, counted_items or {}, record),
        draws=draws or 1,
        points=points * (1 + len(stretched)),
        as_planned=points,
        record=tuple(record),
    )


def used_measures(plan: Plan) -> list[str]:
    """Measures that a hypothesis or gate tests, in the plan's order."""
    used = {h.measure for h in plan.hypothesis} | {g.measure for g in plan.gates.values()}
    return [name for name in plan.measures if name in used]


def _variation(plan: Plan, name: str, points: int, record: list[Assumption]) -> Variation:
    table = plan.design.measures.get(name, MeasureDesign())
    is_rate = MEASURES[plan.measures[name].kind].is_proportion

    def taken(what: str, value: Any, default: Any) -> Any:
        chosen = default if value is None else value
        shown = list(chosen) if isinstance(chosen, tuple) else chosen
        record.append(Assumption(what=f"{name}: {what}", value=shown, source="default" if value is None else "plan"))
        return chosen

    unit = "logits" if is_rate else unit_of(plan, name)
    base = taken("rate or mean without an effect", table.base, DEFAULT_BASE_RATE if is_rate else 0.0)
    item_sd = taken(f"SD between items, {unit}", table.item_sd, 1.0)
    new_items = plan.inference.items == "new"
    seed_sd, arm_sd = _by_arm(taken(f"SD between seeds, {unit}", table.seed_sd, default_grid(points)))
    lost = table.missing or {}
    if lost:
        taken(f"answers missing, {table.missing_at}", lost, lost)
    right: float | dict[str, float] = {}
    if plan.gold_of(plan.measures[name].judge) is not None:
        right = taken("how often its judge is right", table.judge_right, DEFAULT_RIGHT)
    return Variation(
        measure=name,
        right=right if isinstance(right, dict) else dict.fromkeys([*plan.planned_arms, BASELINE_ARM], right),
        is_rate=is_rate,
        base=_base_by_arm(plan, name, base, is_rate=is_rate),
        seed_sd=seed_sd,
        arm_sd=arm_sd,
        missing=lost if isinstance(lost, dict) else dict.fromkeys([*plan.planned_arms, BASELINE_ARM], lost),
        missing_at=table.missing_at,
        item_sd=item_sd,
        item_effect_sd=taken(f"SD between items in what an arm does, {unit}", table.item_effect_sd, item_sd / 2)
        if new_items
        else 0.0,
        answer_sd=0.0 if is_rate else taken(f"SD between answers, {unit}", table.answer_sd, 1.0),
    )


def _by_arm(given: Sequence[float] | Mapping[str, Sequence[float]]) -> tuple[tuple[float, ...], tuple[Spreads, ...]]:
    """The grid of SDs between seeds, and each arm's own where they are given by arm."""
    if not isinstance(given, Mapping):
        return tuple(given), ()
    points = range(min(map(len, given.values())))
    arms = tuple({arm: sds[point] for arm, sds in given.items()} for point in points)
    return tuple(max(one.values()) for one in arms), arms


def _stretched(variation: Variation, arms: Sequence[str], settings: Sequence[tuple[str, float]]) -> Variation:
    """The grid as planned, and after it once more for every arm that has a multiple of its SD."""
    if not settings:
        return variation
    points = range(len(variation.seed_sd))
    planned = [{arm: variation.arms_at(p).get(arm, variation.seed_sd[p]) for arm in arms} for p in points]
    grid = [*planned, *({**one, arm: one[arm] * ratio} for arm, ratio in settings for one in planned)]
    return replace(variation, seed_sd=tuple(max(one.values()) for one in grid), arm_sd=tuple(grid))


def default_grid(points: int) -> tuple[float, ...]:
    """Seed SDs from .25 to 1, evenly spaced on the log scale; .5 where there is one point."""
    if points == 1:
        return (0.5,)
    low, high = DEFAULT_SEED_SD[0], DEFAULT_SEED_SD[-1]
    return tuple(float(low * (high / low) ** (i / (points - 1))) for i in range(points))


def _base_by_arm(plan: Plan, name: str, base: float | dict[str, float], *, is_rate: bool) -> dict[str, float]:
    arms = [*plan.planned_arms, BASELINE_ARM]
    fallback = DEFAULT_BASE_RATE if is_rate else 0.0
    by_arm = {arm: base.get(arm, fallback) if isinstance(base, dict) else base for arm in arms}
    bad = [
        Finding(where=f"design.measures.{name}.base", found=f"{arm}: {rate}", promised="a rate in [0, 1]")
        for arm, rate in by_arm.items()
        if is_rate and not 0 <= rate <= 1
    ]
    if bad:
        raise BadInput("a base rate is not a rate", *bad, then="edit [design.measures]")
    return by_arm


def _items(plan: Plan, counted: Mapping[str, int], record: list[Assumption]) -> dict[str | None, int]:
    """Number of items of every item set that is tested on; None is "all items"."""
    return {name: _count(plan, name, counted, record) for name in _used_items(plan)}


def _used_items(plan: Plan) -> Iterator[str | None]:
    yield from dict.fromkeys(e.items for e in [*plan.gates.values(), *plan.hypothesis])


def _count(plan: Plan, name: str | None, counted: Mapping[str, int], record: list[Assumption]) -> int:
    given = plan.design.items
    planned = given.get(name or "") if isinstance(given, dict) else given
    what = f"items of {name}" if name else "items"
    if planned is not None:
        record.append(Assumption(what=what, value=planned, source="plan"))
        return planned
    from_file = counted.get(name) if name else None
    record.append(
        Assumption(what=what, value=from_file or DEFAULT_ITEMS, source="item files" if from_file else "default")
    )
    return from_file or DEFAULT_ITEMS
