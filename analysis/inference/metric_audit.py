"""The metric audit: whether a measure follows the model's own choice, and tells items apart wherever options stand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.measure import Params
from seedlock.analysis.results.audit import AuditCheck, AuditedMeasure, AuditResult
from seedlock.analysis.scoring.item_sets import ORDERS, in_set
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.audit import RULES, Audit, CheckName

NEAR_END = 0.01
"""Share of the range within which a score stands at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one check found: `value` is None for the `reason`; one that does not `apply` is never judged."""

    value: float | None
    n: int
    reason: str | None = None
    applies: bool = True


def audit(data: Data) -> AuditResult | None:
    """Check every measure of the plan's `[audit]` in every model and arm; None where the plan has none.

    Reads the audit's own items only. A measure passes where it keeps every limit in every model and every arm that is
    judged; a check that has a limit and no data fails.

    Raises
    ------
    BadInput
        An attribute of `match` that the items do not have.
    """
    rules = data.plan.audit
    if rules is None:
        return None
    absent = [name for name in rules.match if name not in data.cells.columns]
    if absent:
        raise BadInput(
            "[audit] matches questions by attributes that the items do not have",
            *(Finding(where=f"audit.match {name}", found="no such column", promised="an attribute") for name in absent),
        )
    groups = list(_groups(data, rules))
    checks = [check for measure in rules.measures for group in groups for check in _checks(data, rules, measure, group)]
    measures = [_measure(name, [check for check in checks if check.measure == name]) for name in rules.measures]
    n_passed = sum(measure.passed for measure in measures)
    return AuditResult(
        items=rules.items,
        choice=rules.choice,
        need=rules.need,
        passed=n_passed >= rules.need,
        says=_says(rules, measures, n_passed),
        measures=measures,
        checks=checks,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Cells of the audit's items in one model and arm, with orders averaged and apart."""

    model: str
    arm: str
    cells: pd.DataFrame
    by_order: pd.DataFrame


def _groups(data: Data, rules: Audit) -> Iterator[_Group]:
    """Every model and arm with data, in the plan's order."""
    apart = data.cells if data.by_order is None else data.by_order
    cells, by_order = (rows[in_set(rows, data.plan, rules.items)] for rows in (data.cells, apart))
    for model, arm in dict.fromkeys((run.model, run.arm) for run in data.plan.runs()):
        own, orders = (rows[(rows["model"] == model) & (rows["arm"] == arm)] for rows in (cells, by_order))
        if len(own):
            yield _Group(model=model, arm=arm, cells=own, by_order=orders)


def _checks(data: Data, rules: Audit, measure: str, group: _Group) -> Iterator[AuditCheck]:
    cells = group.cells
    own = cells[cells["measure"] == measure]
    orders = group.by_order[group.by_order["measure"] == measure]
    choice = cells[cells["measure"] == rules.choice]
    found: dict[CheckName, Found] = {
        "agreement": _not_itself() if measure == rules.choice else agreement(own, choice, rules.match),
        "spread": spread(own),
        "ceiling": ceiling(own, _limits(data, measure)),
        "position": position(orders),
        "option_mass": option_mass(orders, data.option_mass),
        "scored": scored_share(own),
    }
    for check, one in found.items():
        limit = rules.limit(check, measure, group.arm)
        yield AuditCheck(
            measure=measure,
            model=group.model,
            arm=group.arm,
            check=check,
            value=one.value,
            n=one.n,
            rule=RULES[check],
            limit=limit,
            passed=_passed(check, one, limit),
            reason=one.reason,
        )


def _passed(check: CheckName, found: Found, limit: float | None) -> bool | None:
    if limit is None or not found.applies:
        return None
    if found.value is None:
        return False
    match RULES[check]:
        case "at least":
            return found.value >= limit
        case "more than":
            return found.value > limit
        case "at most":
            return found.value <= limit


def _not_itself() -> Found:
    return Found(value=None, n=0, reason="it is the model's own choice", applies=False)


def _limits(data: Data, measure: str) -> tuple[float, float] | None:
    written = data.plan.measures[measure]
    params: Params = MEASURES[written.kind].configure(written.params, where=f"measures.{measure}")
    return params.limits


def agreement(own: pd.DataFrame, choice: pd.DataFrame, match: list[str]) -> Found:
    """Share of questions, over runs, on which the measure has the sign of the model's own choice.

    Questions on which the model chose neither side (the same letter in both orders, say) are left out; a measure that
    is exactly 0 does not agree.
    """
    key = ["run_id", *match]
    a, b = (rows[rows["mean"].notna()].groupby(key, sort=True)["mean"].mean().reset_index() for rows in (own, choice))
    both = a.merge(b, on=key, suffixes=("", "_choice"))
    both = both[both["mean_choice"] != 0]
    if both.empty:
        return Found(value=None, n=0, reason="no question that both scored and the model decided")
    agree = (both["mean"] * both["mean_choice"]) > 0
    return Found(value=int(agree.sum()) / len(both), n=len(both))


def spread(own: pd.DataFrame) -> Found:
    """Sample SD of item means, each the mean over runs; 0 where every item has the same."""
    means = [ordered_mean(rows["mean"]) for _, rows in own[own["mean"].notna()].groupby("item_id", sort=True)]
    if len(means) < 2:
        return Found(value=None, n=len(means), reason="fewer than two items with a score have no spread")
    centre = math.fsum(means) / len(means)
    variance = math.fsum((mean - centre) ** 2 for mean in means) / (len(means) - 1)
    is_flat = variance <= 1e-24 * max(1.0, centre**2)
    return Found(value=0.0 if is_flat else math.sqrt(variance), n=len(means))


def ceiling(own: pd.DataFrame, limits: tuple[float, float] | None) -> Found:
    """Share of items, over runs, that stand at the fuller end of the measure's range."""
    if limits is None:
        return Found(value=None, n=0, reason="the measure has no ends", applies=False)
    means = own.loc[own["mean"].notna(), "mean"]
    if means.empty:
        return Found(value=None, n=0, reason="no score")
    near = NEAR_END * (limits[1] - limits[0])
    fuller = max(int((means <= limits[0] + near).sum()), int((means >= limits[1] - near).sum()))
    return Found(value=fuller / len(means), n=len(means))


def position(orders: pd.DataFrame) -> Found:
    """Distance from one half of the share of answers that favour the option named first."""
    ordered = orders[orders["order"].isin(ORDERS)] if "order" in orders.columns else orders[:0]
    if ordered.empty:
        return Found(value=None, n=0, reason="asked without options in an order", applies=False)
    decided = ordered[ordered["mean"].notna() & (ordered["mean"] != 0)]
    if decided.empty:
        return Found(value=None, n=0, reason="no answer that favours either option")
    first = (decided["mean"] > 0) == (decided["order"] == "pro first")
    return Found(value=abs(int(first.sum()) / len(decided) - 0.5), n=len(decided))


def option_mass(orders: pd.DataFrame, recorded: pd.DataFrame | None) -> Found:
    """Mean probability that the options shared, over items and runs."""
    if recorded is None:
        return Found(value=None, n=0, reason="no option mass was recorded")
    found = orders[["run_id", "item_id"]].merge(recorded, on=["run_id", "item_id"])
    if found.empty:
        return Found(value=None, n=0, reason="no option mass was recorded")
    return Found(value=ordered_mean(found["option_mass"]), n=len(found))


def scored_share(own: pd.DataFrame) -> Found:
    """Share of answers with a score."""
    n_scored, n_missing = int(own["n_scored"].sum()), int(own["n_missing"].sum())
    total = n_scored + n_missing
    return Found(value=n_scored / total if total else None, n=total, reason=None if total else "no answer")


def _measure(name: str, checks: list[AuditCheck]) -> AuditedMeasure:
    failed = [f"{check.check.replace('_', ' ')} in {check.model}/{check.arm}" for check in checks if not _held(check)]
    if not checks:
        failed = ["no data"]
    return AuditedMeasure(measure=name, passed=not failed, failed=failed)


def _held(check: AuditCheck) -> bool:
    return check.passed is not False


def _says(rules: Audit, measures: list[AuditedMeasure], n_passed: int) -> str:
    """The audit in one or two sentences."""
    passed = ", ".join(measure.measure for measure in measures if measure.passed) or "none"
    judged_in = f" in the arms {', '.join(rules.arms)}" if rules.arms else ""
    of = f"{n_passed} of {len(measures)} measures passed the audit on {rules.items} items{judged_in}: {passed}."
    fell = [
        f"{m.measure} ({', '.join(m.failed[:3])}{', ...' if len(m.failed) > 3 else ''})" for m in measures if m.failed
    ]
    return of + (f" Not passed: {'; '.join(fell)}." if fell else "")


def _first(failed: list[str]) -> str:
    return ", ".join(failed[:3]) + (", ..." if len(failed) > 3 else "")
