"""Levels that take part in what is estimated: those of a contrast, or the numbers of a dose."""

from __future__ import annotations

from seedlock.prereg.plan.plan import BASELINE_ARM, Estimand, Plan


def weighted_levels(plan: Plan, estimand: Estimand) -> list[str]:
    """Levels with weight, every level of a dose, or the planned ones where its numbers are measured.

    Levels of an item attribute that are not listed are not known here.
    """
    if estimand.contrast is not None:
        return [level for level, weight in estimand.contrast.items() if weight or estimand.dose is not None]
    if estimand.dose is None or estimand.over not in plan.run_factors:
        return []
    return [level for level in plan.levels_of(estimand.over) if estimand.over != "arm" or level != BASELINE_ARM]
