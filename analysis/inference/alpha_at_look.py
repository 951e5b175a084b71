"""The level that a planned look leaves each test, and which look the data are at."""

from __future__ import annotations

import pandas as pd

from seedlock.analysis.inference.alpha_spending import planned_looks
from seedlock.prereg.plan.plan import Plan


def alpha_at_look(plan: Plan, place: int, alpha: float) -> float:
    """Level at which the look at `place` (from 0) tests what the plan tests at `alpha` overall.

    Without planned looks, or where the plan spends nothing, `alpha` itself.
    """
    spending = next((look.spend for look in plan.look if look.spend), None)
    if spending is None:
        return alpha
    return planned_looks([look.seeds for look in plan.look], alpha=alpha, spending=spending)[place].nominal_alpha


def look_of(plan: Plan, cells: pd.DataFrame) -> int:
    """Place of the first look with at least as many seeds as the data have in any arm of any model."""
    seeds_now = int(cells.groupby(["model", "arm"])["seed"].nunique().max())
    reached = [place for place, look in enumerate(plan.look) if look.seeds >= seeds_now]
    return reached[0] if reached else len(plan.look) - 1
