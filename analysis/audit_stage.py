"""The metric audit before anything else is asked: judged on its own sealed items, and entered in the ledger."""

from __future__ import annotations

from seedlock.analysis.decide import load_data
from seedlock.analysis.inference.metric_audit import audit
from seedlock.analysis.results.audit import AuditResult
from seedlock.analysis.sealed import Sealed, open_sealed
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan, deviated_plan, require_lock
from seedlock.prereg.lock.ledger import append_event
from seedlock.prereg.plan.plan import Plan

JUDGED = "audit.judged"


def judge_audit(locked: LockedPlan) -> None:
    """Judge the plan's metric audit on the sealed answers to its items, once; nothing else is read.

    Raises
    ------
    OutOfOrder
        The audit does not hold, and the plan stops there.
    BadInput
        An audited measure rests on a judge, who has read nothing yet.
    """
    now = require_lock(locked.paths)
    known = [e for e in now.events if e.name == JUDGED and e.body["lock_id"] == now.lock_id]
    if known:
        passed, says = bool(known[-1].body["passed"]), str(known[-1].body["says"])
    else:
        sealed = open_sealed(now)
        found = _audited(now.plan, sealed)
        passed, says = found.passed, found.says
        append_event(
            now.paths.ledger,
            JUDGED,
            {
                "lock_id": now.lock_id,
                "passed": passed,
                "says": says,
                "measures": {measure.measure: measure.passed for measure in found.measures},
                "data": sorted(table.sha256 for table in sealed.tables),
            },
        )
    rules = (deviated_plan(now) or now.plan).audit
    if not passed and rules is not None and rules.on_failure == "stop":
        study = now.paths.name
        fault = Finding(where="[audit]", found=says, promised=f"{rules.need} measures that pass")
        raise OutOfOrder(
            f"the metric audit of {study} does not hold: no other item is asked",
            fault,
            then=f"amend,  or  seedlock deviate {study} --pointer /audit/on_failure --after '\"go on\"' ...",
        )


def _audited(plan: Plan, sealed: Sealed) -> AuditResult:
    found = audit(load_data(_narrowed(plan), sealed))
    if found is None:
        raise BadInput("the plan has no [audit]", Finding(where="[audit]", found="nothing", promised="its limits"))
    return found


def _narrowed(plan: Plan) -> Plan:
    """The plan with the measures of its audit and nothing that is tested."""
    named = dict.fromkeys(() if plan.audit is None else plan.audit.named_measures())
    judged = [name for name in named if plan.measures[name].judge is not None]
    if judged:
        raise BadInput(
            "the audit comes first, and a judge has read nothing yet",
            *(Finding(where=f"measures.{name}.judge", found="a judge", promised="none in [audit]") for name in judged),
            then="audit measures that need no judge, and amend",
        )
    return plan.model_copy(update={"measures": {name: plan.measures[name] for name in named}, "hypothesis": []})
