"""The numbers that units stand at: their dose as the plan gives it, or their own means of a covariate."""

from __future__ import annotations

import math

import pandas as pd

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.inference.select import Numbers, named_without_seed, ordered_mean, select
from seedlock.prereg.errors import NotThisDesign
from seedlock.prereg.plan.pairing import sharing
from seedlock.prereg.plan.plan import Estimand, Plan
from seedlock.prereg.plan.runs import Where


def numbers_of(
    cells: pd.DataFrame, plan: Plan, estimand: Estimand, extra: Where, chosen: pd.DataFrame
) -> Numbers | None:
    """Level -> unit -> number, in steps of the slope; None for an estimand without dose and covariate.

    Parameters
    ----------
    cells
        Of every measure, described.
    chosen
        From `select`: the cells whose units are to be placed.

    Raises
    ------
    EmptyCell
        Nothing of the covariate was scored.
    """
    dose = estimand.dose
    if dose is not None and dose.at is not None:
        places = named_without_seed(chosen, estimand)[["level", "unit_label"]].drop_duplicates()
        steps = {level: dose.step(number) for level, number in dose.numbers.items()}
        return {
            level: {str(u): step for u in places.loc[places["level"] == level, "unit_label"]}
            for level, step in steps.items()
        }
    covariate = dose.measure if dose is not None else estimand.adjust
    if covariate is None:
        return None
    rows = select(cells, plan, estimand.model_copy(update={"measure": covariate}), extra)
    rows = named_without_seed(rows, estimand)
    found: dict[str, dict[str, float]] = {}
    for (level, unit), group in rows[rows["mean"].notna()].groupby(["level", "unit_label"], sort=True):
        mean = ordered_mean(group["mean"])
        number = mean if dose is None else dose.step(mean)
        if not math.isnan(number):
            found.setdefault(str(level), {})[str(unit)] = number
    return found


def only_numbered(chosen: pd.DataFrame, numbers: Numbers | None, estimand: Estimand) -> pd.DataFrame:
    """The cells of units that stand at a number; all where none is asked for."""
    if numbers is None:
        return chosen
    named = named_without_seed(chosen, estimand)
    places = zip(named["level"], named["unit_label"], strict=True)
    has_number = [str(unit) in numbers.get(str(level), {}) for level, unit in places]
    return chosen[pd.Series(has_number, index=chosen.index, dtype=bool)]


def are_strangers(plan: Plan, estimand: Estimand, extra: Where) -> bool:
    """Whether units of one name at two levels share nothing, by the plan."""
    is_of_runs = estimand.unit in plan.run_factors and estimand.over in plan.run_factors
    return is_of_runs and estimand.unit != estimand.over and sharing(plan, estimand, extra) == "nothing"


def require_reader(estimand: Estimand) -> None:
    """Refuse a test that would pass over the numbers that an estimand rests on (a multiverse may name one).

    Raises
    ------
    NotThisDesign
        Numbers are measured, or adjusted for, and the test reads none.
    """
    reads = ESTIMATORS[estimand.test].reads
    is_measured = estimand.dose is not None and estimand.dose.measure is not None
    if (is_measured and reads != "dose") or (estimand.adjust is not None and reads != "covariate"):
        covariate = estimand.adjust or (estimand.dose and estimand.dose.measure)
        raise NotThisDesign(f"{estimand.test} does not read {covariate}, which the hypothesis rests on")
