"""What the metric audit found, as results.json has it."""

from __future__ import annotations

from typing import Literal

from seedlock.analysis.results.part import Part
from seedlock.prereg.plan.audit import CheckName


class AuditCheck(Part):
    """One check of one measure in one model and arm. `passed` is null where the plan sets no limit, or none applies."""

    measure: str
    model: str
    arm: str
    check: CheckName
    value: float | None
    n: int
    rule: Literal["at least", "more than", "at most"]
    limit: float | None
    passed: bool | None
    reason: str | None


class AuditedMeasure(Part):
    """Whether a measure kept every limit of the audit; `failed` names the checks that it did not."""

    measure: str
    passed: bool
    failed: list[str]


class AuditResult(Part):
    """The metric audit: which measures claims may rest on, judged on items apart from the hypotheses'."""

    items: str
    choice: str
    need: int
    passed: bool
    says: str
    measures: list[AuditedMeasure]
    checks: list[AuditCheck]
