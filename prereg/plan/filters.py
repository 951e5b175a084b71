"""Row filters: `where = { coherence = ">= 50" }` keeps the answers that another measure of the plan scores so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.plan import Estimand, Plan
from seedlock.prereg.plan.runs import Scalar, Where

COMPARISON = re.compile(r"(>=|<=|>|<)\s*([+-]?[0-9]+(?:\.[0-9]+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """One comparison of another measure's score of the same answer with a bound."""

    measure: str
    sign: str
    bound: float

    @property
    def says(self) -> str:
        """`coherence >= 50`."""
        return f"{self.measure} {self.sign} {self.bound:g}"

    @property
    def lost_as(self) -> str:
        """Reason that an answer which it leaves out is counted under."""
        return f"not {self.says}"


def row_filters(plan: Plan, where: Where) -> tuple[RowFilter, ...]:
    """The comparisons with measures among some conditions, in the order of their measures' names."""
    return tuple(
        RowFilter(measure=name, sign=found[1], bound=float(found[2]))
        for name, wanted in sorted(where.items())
        if name in plan.measures and (found := comparison(wanted)) is not None
    )


def conditions(plan: Plan, where: Where) -> Where:
    """The conditions on runs and items: all but the row filters."""
    return {name: wanted for name, wanted in where.items() if name not in plan.measures or comparison(wanted) is None}


def comparison(wanted: Scalar | list[Scalar]) -> re.Match[str] | None:
    """A value that is a sign and a number."""
    return COMPARISON.fullmatch(wanted.strip()) if isinstance(wanted, str) else None


def scored_as(plan: Plan, measure: str, where: Where) -> str:
    """Name of a measure's cells under the filters of some conditions: its own where there is none."""
    filters = row_filters(plan, where)
    return f"{measure} where {' and '.join(one.says for one in filters)}" if filters else measure


def filtered_measures(plan: Plan) -> dict[str, tuple[str, tuple[RowFilter, ...]]]:
    """Name of the cells -> measure and filters, for every gate and hypothesis that has any.

    Its covariate, and what the multiverse tries in its measure's place, are filtered alike.
    """
    found: dict[str, tuple[str, tuple[RowFilter, ...]]] = {}
    tried = plan.multiverse.measures if plan.multiverse is not None else []
    for estimand in (*plan.gates.values(), *plan.hypothesis):
        filters = row_filters(plan, estimand.where)
        covariates = (estimand.adjust, estimand.dose.measure if estimand.dose is not None else None)
        for measure in (estimand.measure, *covariates, *tried):
            if filters and measure is not None:
                found[scored_as(plan, measure, estimand.where)] = (measure, filters)
    return found


def filter_faults(plan: Plan, where: str, estimand: Estimand) -> Iterator[Finding]:
    """Comparisons with what is no measure, and what a filtered hypothesis cannot have."""
    filters = row_filters(plan, estimand.where)
    for name, wanted in estimand.where.items():
        if comparison(wanted) is not None and name not in plan.measures:
            known = ", ".join(plan.measures)
            yield Finding(where=f"{where}.where.{name}", found=f"{wanted!r}", promised=f"a measure: {known}")
    if filters and plan.gold_of(plan.measures[estimand.measure].judge) is not None:
        promised = "none: gold labels are drawn from all of a run's answers"
        yield Finding(where=f"{where}.where", found=f"{filters[0].says}, and gold labels", promised=promised)
    if filters and getattr(estimand, "bayes", None) is not None:
        promised = "none: models read all of a measure's answers"
        yield Finding(where=f"{where}.bayes", found=f"a model beside {filters[0].says}", promised=promised)
