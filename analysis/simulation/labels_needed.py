"""How many gold labels a run each hypothesis needs for the wanted power."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from seedlock.analysis.simulation.layout import LevelRows, Target
from seedlock.analysis.simulation.result import LabelsNeeded, Measured
from seedlock.analysis.simulation.simulate import Design, play_world, worlds_at
from seedlock.analysis.simulation.summary import target_row
from seedlock.analysis.simulation.truth import World
from seedlock.prereg.plan.gold import Gold
from seedlock.prereg.plan.plan import Plan

LADDER = (5, 10, 20, 40, 80, 160, 320, 640)
"""Labels a run that are tried, as far as the run has answers."""
UNKNOWN = Measured(value=None, mc_error=None, n=0)


def labels_needed(design: Design, *, simulations: int, wanted: float) -> Iterator[LabelsNeeded]:
    """For every hypothesis whose judge is checked: the fewest labels a run with the wanted power, at the planned seeds.

    Parameters
    ----------
    simulations
        Studies a rung of the ladder.
    wanted
        Power in the expected scenario.
    """
    checked = [(t, gold) for t in design.layout.targets if t.kind == "hypothesis" and (gold := gold_of(design, t))]
    for point in range(design.assumed.as_planned if checked else 0):
        worlds, raw = worlds_at(design, point, ["expected"])
        for target, gold in checked:
            world = next((one for one in worlds.worlds if target.id in one.truth), None)
            if world is not None:
                at = _Rung(design=design, target=target, world=world, point=point, simulations=simulations, raw=raw)
                yield _needed(at, gold, wanted)


def gold_of(design: Design, target: Target) -> Gold | None:
    """Which verdicts behind a target are checked."""
    return design.plan.gold_of(design.plan.measures[target.estimand.measure].judge)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rung:
    """One hypothesis in its expected world."""

    design: Design
    target: Target
    world: World
    point: int
    simulations: int
    raw: Mapping[str, float]

    @property
    def answers(self) -> int:
        """Answers of a run."""
        blocks = self.design.layout.blocks
        return min(blocks[level.block].n_items for level in self.target.levels) * self.design.assumed.draws

    def power(self, labels: int) -> Measured:
        """Power with so many labels a run."""
        design = replace(self.design, plan=with_labels(self.design.plan, self.target.estimand.measure, labels))
        number = 10_000 + labels
        endings = play_world(
            design, self.world, point=self.point, number=number, simulations=self.simulations, raw=self.raw
        )
        row = target_row(self.target, self.world, endings, raw=self.raw[self.target.id], point=self.point)
        return row.power or UNKNOWN


def _needed(at: _Rung, gold: Gold, wanted: float) -> LabelsNeeded:
    levels = [level for level in at.target.levels if level.weight]
    runs = {run for level in levels for rows in level.units.values() for run in rows}
    labels, power = 0, UNKNOWN
    for labels in (*(n for n in LADDER if n < at.answers), at.answers):
        power = at.power(labels)
        if power.value is not None and power.value >= wanted:
            break
    is_enough = power.value is not None and power.value >= wanted
    said = "not simulated" if power.value is None else f"power {power.value:.2f}"
    return LabelsNeeded(
        id=at.target.id,
        point=at.point,
        planned={level.name: gold.wanted(_arm(at, level), at.answers) for level in levels},
        labels=labels if is_enough else None,
        total=labels * len(runs) if is_enough else None,
        power=power if is_enough else None,
        judge_shift=_shift(at),
        reason=None if is_enough else f"{said} with all {at.answers} answers of a run labelled: more seeds, not labels",
    )


def _arm(at: _Rung, level: LevelRows) -> str:
    """Arm of a level's runs; the first one's, where it has several."""
    return next(at.design.layout.runs[r].arm for rows in level.units.values() for r in rows)


def _shift(at: _Rung) -> float | None:
    """How far the judge alone would be off in this world, on the hypothesis's scale; None where it is no rate."""
    variation = at.design.assumed.variation[at.target.estimand.measure]
    if not variation.is_rate or at.target.is_share:
        return None
    total = 0.0
    for level in at.target.levels:
        off = []
        for run in (at.design.layout.runs[r] for rows in level.units.values() for r in rows):
            p, right = at.world.level[level.block, run.model, run.arm], variation.right.get(run.arm, 1.0)
            off.append((1 - right) * (1 - 2 * p))
        total += level.weight * math.fsum(off) / len(off)
    return float(f"{total / at.raw[at.target.id]:.10g}")


def with_labels(plan: Plan, measure: str, labels: int) -> Plan:
    """The plan with so many labels a run for the judge of one measure."""
    judge = plan.measures[measure].judge or ""
    gold = plan.gold_of(judge)
    if gold is None:
        return plan
    more = gold.model_copy(update={"share": 1e-9, "at_least": labels})
    name = "judges" if judge in plan.judges else "judgements"
    tables = getattr(plan, name)
    return plan.model_copy(update={name: {**tables, judge: tables[judge].model_copy(update={"gold": more})}})
