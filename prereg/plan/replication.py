"""What is drawn anew with every seed, and what was drawn once: a stage with a seed of its own is one draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seedlock.prereg.plan.levels import weighted_levels
from seedlock.prereg.plan.plan import BASELINE_ARM, Estimand, Plan
from seedlock.prereg.plan.runs import Where, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """The stages by which contrasted levels differ, by how often each was drawn.

    Parameters
    ----------
    once
        Stages trained once at a fixed seed and shared by all runs of their level.
    anew
        Stages trained anew for every seed, those that the levels share among them.
    """

    once: tuple[str, ...]
    anew: tuple[str, ...]

    @property
    def says(self) -> str:
        """What varied between units, and what did not."""
        stood = f"{_listed(self.once)} {'was' if len(self.once) == 1 else 'were'} drawn once a level"
        varied = f"only {_listed(self.anew)} varied between seeds" if self.anew else "no stage varied between seeds"
        return f"{stood} and {varied}: the interval does not speak of new draws of {_listed(self.once)}"


def replication(plan: Plan, estimand: Estimand, extra: Where) -> Replication:
    """Which stages of the contrasted levels have one draw, where the unit of replication is the seed.

    Notes
    -----
    A difference between levels that differ in something drawn once is confounded with that draw, however many units
    share it. Hurlbert (1984), https://doi.org/10.2307/1942661
    """
    trained = [frozenset(_trained(plan, arms)) for arms in _arms(plan, estimand, extra).values()]
    if estimand.unit != "seed" or len(trained) < 2:
        return Replication(once=(), anew=())
    every: frozenset[tuple[str, str | None]] = frozenset().union(*trained)
    differing = {link for link in every if not all(link in links for links in trained)}
    used = {stage for stage, _ in every}
    in_order = [name for name in plan.stages if name in used]
    once = {stage for stage, _ in differing if plan.stages[stage].seed is not None}
    return Replication(
        once=tuple(name for name in in_order if name in once),
        anew=tuple(name for name in in_order if plan.stages[name].seed is None),
    )


def stages_by_level(plan: Plan, estimand: Estimand, extra: Where) -> dict[str, frozenset[str]]:
    """Level with weight -> stages that runs of it go through."""
    return {
        level: frozenset(stage for stage, _ in _trained(plan, arms))
        for level, arms in _arms(plan, estimand, extra).items()
    }


def _arms(plan: Plan, estimand: Estimand, extra: Where) -> dict[str, list[str]]:
    """Level with weight -> arms of the planned runs that it takes in."""
    where = {key: listed(wanted) for key, wanted in {**estimand.where, **extra}.items()}
    found: dict[str, dict[str, None]] = {level: {} for level in weighted_levels(plan, estimand)}
    for run in plan.runs():
        if run.has(estimand.over) and run.factor(estimand.over) in found:
            named = {factor: levels for factor, levels in where.items() if run.has(factor)}
            if all(run.factor(factor) in levels for factor, levels in named.items()):
                found[run.factor(estimand.over)][run.arm] = None
    return {level: list(arms) for level, arms in found.items() if arms}


def _trained(plan: Plan, arms: list[str]) -> Iterator[tuple[str, str | None]]:
    """Each stage of the arms, with the variant of its corpus."""
    for name in arms:
        if name != BASELINE_ARM and name in plan.arms:
            arm = plan.arms[name]
            for stage in arm.stages:
                yield stage, plan.stages[stage].variant or arm.framing


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(names)
