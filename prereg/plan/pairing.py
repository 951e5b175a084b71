"""What the runs of one seed share across the levels of a contrast: the plan's own answer, or its grid's."""

from __future__ import annotations

from typing import Literal

from seedlock.prereg.plan.levels import weighted_levels
from seedlock.prereg.plan.plan import Estimand, Plan
from seedlock.prereg.plan.replication import stages_by_level
from seedlock.prereg.plan.runs import Where

type Sharing = Literal["the runs themselves", "initialisation and order", "nothing", "not said"]


def sharing(plan: Plan, estimand: Estimand, extra: Where) -> Sharing:
    """Say what units of one name have in common at the contrasted levels.

    Levels of an item attribute are answers of the same runs. Levels of a run factor share initialisation and data order
    where the plan says so, or where every level goes through a stage whose seeds come from the run's own (they are
    derived from the stage's name and the run's seed, the same in every arm). For runs made elsewhere only the plan can
    say.
    """
    weighted = weighted_levels(plan, estimand)
    is_of_items = estimand.over not in plan.run_factors
    if estimand.unit not in plan.run_factors or (len(weighted) < 2 and not (is_of_items and estimand.dose)):
        return "nothing"
    if is_of_items:
        return "the runs themselves"
    if estimand.unit != "seed" or estimand.over == "model":
        return "nothing"
    if plan.grid.seeds_share is not None:
        return plan.grid.seeds_share
    stages = stages_by_level(plan, estimand, extra)
    if not plan.stages or any(plan.stages[name].given is not None for names in stages.values() for name in names):
        return "not said"
    common = frozenset.intersection(*stages.values()) if len(stages) == len(weighted) else frozenset[str]()
    return "initialisation and order" if any(plan.stages[name].seed is None for name in common) else "nothing"
