"""Lints on judges that are checked: what cannot be corrected, and what is not."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.prereg.plan.lint import Lint
from seedlock.prereg.plan.plan import Estimand, Plan

ON_UNIT_MEANS = frozenset({"t on unit means", "randomisation", "ranks", "ratio of unit means"})
"""Families that read the means of units alone, which is what gold labels correct."""


def gold_lints(plan: Plan) -> Iterator[Lint]:
    """Every hypothesis and gate on a measure whose judge is checked, that is not made of means of runs."""
    estimands: list[tuple[str, Estimand]] = [(f"gates.{name}", gate) for name, gate in plan.gates.items()]
    estimands += [(h.id, h) for h in plan.hypothesis]
    for where, estimand in estimands:
        if plan.gold_of(plan.measures[estimand.measure].judge) is None:
            continue
        if estimand.unit not in plan.run_factors:
            yield Lint(
                code="gold-unit",
                severity="refuse",
                where=where,
                says=f"gold labels correct the means of runs, and the unit is {estimand.unit}",
                remedy='unit = "seed"',
            )
        for test in (estimand.test, *([estimand.fallback] if estimand.fallback else [])):
            if ESTIMATORS[test].family not in ON_UNIT_MEANS:
                yield Lint(
                    code="gold-test",
                    severity="refuse",
                    where=where,
                    says=f"gold labels correct means of units, and {test} reads the judge's own counts or items",
                    remedy="a test on unit means: " + ", ".join(_fitting()),
                )
    for h in plan.hypothesis:
        if h.bayes is not None and plan.gold_of(plan.measures[h.measure].judge) is not None:
            yield Lint(
                code="gold-bayes",
                severity="warn",
                where=h.id,
                says="the Bayesian answer takes the judge's verdicts as right; gold labels correct the planned test",
                remedy="leave bayes out, or read it as the judge's own answer",
            )


def _fitting() -> list[str]:
    return [name for name, estimator in ESTIMATORS.items() if estimator.family in ON_UNIT_MEANS]
