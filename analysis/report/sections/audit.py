"""The metric audit: which measures claims may rest on, and every check behind that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from seedlock.analysis.report.text.pieces import Line, Number, Quote, Strong, Table, joined, pointer
from seedlock.analysis.report.text.records import bullets, words
from seedlock.prereg.plan.audit import RULES

MEANS = (
    "Agreement is the share of questions on which a measure has the sign of the model's own choice; spread the SD of "
    "item means; ceiling the share of items at one end of the scale; position how far from one half the share of "
    "answers lies that favour the option named first; option mass the probability that the options share."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """A sentence, what the checks mean, the verdict on each measure, and every check."""

    says: Line
    means: Line
    verdicts: Table
    checks: Table


def audit_view(results: Mapping[str, Any]) -> AuditView | None:
    """The audit of `results`; None where the plan has none."""
    if results.get("audit") is None:
        return None
    return AuditView(
        says=(Quote("/audit/says"),),
        means=(MEANS,),
        verdicts=_verdicts(results["audit"]),
        checks=_checks(results["audit"]),
    )


def _verdicts(audit: Mapping[str, Any]) -> Table:
    rows = []
    for i, measure in enumerate(audit["measures"]):
        ref = pointer("audit", "measures", i)
        why = joined(bullets(f"{ref}/failed", measure["failed"]), "; ")
        rows.append(((Quote(f"{ref}/measure"),), (Strong("passed" if measure["passed"] else "not passed"),), why))
    return Table(caption="Measures in the audit", head=("Measure", "Audit", "Limits it did not keep"), rows=tuple(rows))


def _checks(audit: Mapping[str, Any]) -> Table:
    """One row a measure, model and arm; one column a check."""
    numbered = list(enumerate(audit["checks"]))
    rows = []
    for _, group in groupby(numbered, key=lambda entry: (entry[1]["measure"], entry[1]["model"], entry[1]["arm"])):
        found = list(group)
        first = pointer("audit", "checks", found[0][0])
        by_name = {check["check"]: _value(i, check) for i, check in found}
        who = tuple((Quote(f"{first}/{name}"),) for name in ("measure", "model", "arm"))
        rows.append((*who, *(by_name.get(name, ()) for name in RULES)))
    head = ("Measure", "Model", "Arm", *(words(name).capitalize() for name in RULES))
    return Table(caption="Every check of the audit, with its limit", head=head, rows=tuple(rows))


def _value(i: int, check: Mapping[str, Any]) -> Line:
    """`0.93, at least 0.70: kept`, or why there is no number."""
    ref = pointer("audit", "checks", i)
    spec = "number3" if check["check"] == "spread" else "number2"
    value: Line = (Number(f"{ref}/value", spec),) if check["value"] is not None else (Quote(f"{ref}/reason"),)
    if check["passed"] is None:
        return value
    held = Strong("kept" if check["passed"] else "not kept")
    return (*value, f", {check['rule']} ", Number(f"{ref}/limit", spec), ": ", held)
