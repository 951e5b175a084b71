"""Every value that a plan names must be met by data: item attributes in conditions, contrasts, tables and clusters."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.filters import conditions
from seedlock.prereg.plan.plan import Estimand, Plan
from seedlock.prereg.plan.runs import listed

OWN_UNITS = frozenset({"item", "answer"})
SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One attribute that a plan names, where, and the values it is to have (none where the name alone matters)."""

    where: str
    attribute: str
    values: tuple[str, ...] = ()


def named_attributes(plan: Plan, *, apart: Collection[str] = ()) -> list[Named]:
    """What a plan says of items: every name in it that is no factor of the runs.

    Parameters
    ----------
    apart
        Measures whose rows have attributes of their own (readings of the inside of models).
    """
    return [one for one in _all(plan, set(apart)) if one.attribute not in plan.run_factors]


def unmet(named: Collection[Named], known: Mapping[str, Collection[str]]) -> list[Finding]:
    """Names and values that no item has, each with the nearest that is there.

    Parameters
    ----------
    known
        Attribute -> its values.
    """
    return [fault for one in named for fault in _faults(one, known)]


def _faults(one: Named, known: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    if one.attribute not in known:
        yield Finding(
            where=one.where, found=_found(one.attribute, known), promised=f"one of: {', '.join(sorted(known))}"
        )
        return
    values = known[one.attribute]
    for value in one.values:
        if value not in values:
            shown = sorted(values)[:SHOWN]
            more = ", ..." if len(values) > SHOWN else ""
            yield Finding(where=one.where, found=_found(value, values), promised=f"one of: {', '.join(shown)}{more}")


def _found(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name!r}, which no item has" + (f"; did you mean {near[0]!r}?" if near else "")


def _all(plan: Plan, apart: set[str]) -> Iterator[Named]:
    estimands = [(f"gates.{name}", gate) for name, gate in plan.gates.items()]
    for where, estimand in [*estimands, *((f"hypothesis {h.id}", h) for h in plan.hypothesis)]:
        if estimand.measure not in apart:
            yield from _of_estimand(plan, where, estimand)
    for name, m in plan.measures.items():
        if isinstance(match := m.params.get("match"), str):
            yield Named(where=f"measures.{name}.match", attribute=match.removeprefix("item."))
    tables = [(f"measures.{name}", m.where) for name, m in plan.measures.items() if name not in apart]
    for where, narrowed in [*tables, *((f"items.{name}", items.where) for name, items in plan.items.items())]:
        for attribute, wanted in narrowed.items():
            yield Named(where=f"{where}.where", attribute=attribute, values=tuple(listed(wanted)))
    for name, items in plan.items.items():
        for attribute in (*items.same, *items.differs):
            yield Named(where=f"items.{name}", attribute=attribute)
    for factor in dict.fromkeys(factor for factors in plan.report.cells for factor in factors):
        yield Named(where="report.cells", attribute=factor)
    if plan.report.cluster != "item":
        yield Named(where="report.cluster", attribute=plan.report.cluster)


def _of_estimand(plan: Plan, where: str, estimand: Estimand) -> Iterator[Named]:
    for attribute, wanted in conditions(plan, estimand.where).items():
        yield Named(where=f"{where}.where", attribute=attribute, values=tuple(listed(wanted)))
    if estimand.contrast is not None:
        has_dose = estimand.dose is not None
        levels = tuple(level for level, weight in estimand.contrast.items() if weight or has_dose)
        yield Named(where=f"{where}.{'dose.at' if has_dose else 'contrast'}", attribute=estimand.over, values=levels)
    elif estimand.dose is not None and estimand.over not in OWN_UNITS:
        yield Named(where=f"{where}.over", attribute=estimand.over)
    if estimand.unit not in OWN_UNITS:
        yield Named(where=f"{where}.unit", attribute=estimand.unit)
