"""Answers that may never come: plans that do not bound them, or cannot."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.measure import Params
from seedlock.prereg.plan.lint import Lint
from seedlock.prereg.plan.plan import Plan


def missing_lints(plan: Plan) -> Iterator[Lint]:
    """Complete cases alone, and measures whose scale has no end that a missing answer could lie at."""
    if plan.missing.answers == "exclude":
        yield Lint(
            code="complete-cases",
            severity="warn",
            where="missing.answers",
            says="answers that never come are left out and not bounded: where content decides which are lost, an error "
            "is claimed in up to 6 of 10 studies (docs/coverage.md)",
            remedy='[missing]  answers = "exclude and bound"',
        )
        return
    for name in dict.fromkeys(h.measure for h in plan.hypothesis):
        kind = MEASURES[plan.measures[name].kind]
        params: Params = kind.configure(plan.measures[name].params, where=f"measures.{name}")
        if not kind.is_proportion and params.limits is None and kind.table != "readings":
            yield Lint(
                code="no-bounds",
                severity="note",
                where=f"measures.{name}",
                says="its scale has no ends, so nothing bounds answers that never come: any will limit the answer",
                remedy=f"[measures.{name}]  low and high, where its scale has them",
            )
