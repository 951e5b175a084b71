"""Lints on looks at any time: tests that they do not hold for, and what they cannot carry."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.inference.anytime import critical_t
from seedlock.analysis.inference.multiplicity import DUNNETT
from seedlock.prereg.plan.lint import Lint, matching_units
from seedlock.prereg.plan.plan import Estimand, Plan


def look_lints(plan: Plan) -> Iterator[Lint]:
    """Every hypothesis and gate that looks at any time cannot answer."""
    if not plan.looks_at_any_time:
        return
    estimands: list[tuple[str, Estimand]] = [(f"gates.{name}", gate) for name, gate in plan.gates.items()]
    for where, estimand in [*estimands, *((h.id, h) for h in plan.hypothesis)]:
        yield from _tests(where, estimand)
        sd = plan.sd.get(estimand.scale.removeprefix("sd."))
        if sd is not None and (sd.of is not None or sd.df is not None):
            says = f"the error of {estimand.scale} is carried by a t test, which holds at one look alone"
            yield _refused(where, "anytime-scale", says, "a scale whose SD is fixed:  value and source, without df")
    for family, method in plan.families.items():
        if method == DUNNETT:
            says = "Dunnett's levels are those of t tests at one look"
            yield _refused(f"families.{family}", "anytime-family", says, "holm")
    yield from _too_few(plan)


def _tests(where: str, estimand: Estimand) -> Iterator[Lint]:
    for test in (estimand.test, *([estimand.fallback] if estimand.fallback else [])):
        record = ESTIMATORS[test]
        if record.family != "t on unit means" or record.spread == "own":
            yield _refused(where, "anytime-test", f"{test} has no evidence that holds at every look", _fitting())


def _too_few(plan: Plan) -> Iterator[Lint]:
    """Hypotheses that no data could decide, even at the last look."""
    for identity, h, extra in plan.expanded():
        sizes = [
            len(units) for level, units in matching_units(plan, h, extra).items() if (h.contrast or {}).get(level, 1)
        ]
        if h.unit not in plan.run_factors or not sizes or min(sizes) < 2:
            continue
        paired = ESTIMATORS[h.test].is_paired
        weights = [1.0] if paired or h.contrast is None else [w for w in h.contrast.values() if w]
        units = [min(sizes)] * len(weights) if paired else sizes
        df, size = float(sum(n - 1 for n in units)), 1 / sum(w**2 / n for w, n in zip(weights, units, strict=False))
        alpha, effect = h.alpha or plan.inference.alpha, plan.look[0].effect
        if critical_t(alpha=alpha, df=df, size=size, effect=effect) == float("inf"):
            says = f"no data exclude anything at alpha {alpha:g} with {min(units)} {h.unit}s and effect {effect:g}"
            yield _refused(identity, "anytime-hopeless", says, "more seeds, or a larger effect under [[look]]")


def _refused(where: str, code: str, says: str, remedy: str) -> Lint:
    return Lint(code=code, severity="refuse", where=where, says=says, remedy=remedy)


def _fitting() -> str:
    fitting = [n for n, record in ESTIMATORS.items() if record.family == "t on unit means" and record.spread != "own"]
    return f"one of: {', '.join(fitting)}"
