"""Design lints that need the tables of methods, or statistics: unknown names, and claims that could not succeed."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.bayes.models import MODELS
from analysis.bayes.priors import parse_prior
from analysis.estimators import ESTIMATORS
from analysis.measure import PLAN_SAYS
from analysis.measures import MEASURES
from analysis.scores import named_measure
from analysis.tost_power import tost_power
from prereg.crosscheck import unknown
from prereg.errors import BadInput, Finding
from prereg.lint import Lint, acknowledge, lint_plan, matching_units
from prereg.plan import Estimand, Hypothesis, Plan

SD_SHARES = (0.25, 0.5, 0.75, 1.0)
"""SDs between units at which power is shown, as shares of the equivalence margin."""
POWER_WANTED = 0.8


def design_lints(plan: Plan) -> list[Lint]:
    """Every remark on a design, refusals first.

    Raises
    ------
    BadInput
        A measure, test, model or prior that no table knows, with every such name at once.
    """
    require_known(plan)
    return acknowledge(plan, [*lint_plan(plan), *_units(plan), *_equivalence(plan)])


def require_known(plan: Plan) -> None:
    """Refuse names that no table of methods has.

    Raises
    ------
    BadInput
        With "did you mean" for each.
    """
    faults = [*_methods(plan), *_measures(plan), *_priors(plan)]
    if faults:
        raise BadInput("the plan names methods that are not there", *faults, then="edit the plan")


def _methods(plan: Plan) -> Iterator[Finding]:
    estimands: list[tuple[str, Estimand]] = [(f"gates.{name}", gate) for name, gate in plan.gates.items()]
    estimands += [(f"hypothesis {h.id}", h) for h in plan.hypothesis]
    for where, estimand in estimands:
        yield from unknown(f"{where}.test", estimand.test, ESTIMATORS, what="test")
    for test in plan.multiverse.tests if plan.multiverse else []:
        yield from unknown("multiverse.tests", test, ESTIMATORS, what="test")
    for h in plan.hypothesis:
        if h.bayes is not None:
            yield from unknown(f"hypothesis {h.id}.bayes", h.bayes, MODELS, what="model")


def _measures(plan: Plan) -> Iterator[Finding]:
    for name, measure in plan.measures.items():
        faults = list(unknown(f"measures.{name}.kind", measure.kind, MEASURES, what="measure"))
        yield from faults
        if not faults:
            try:
                named_measure(name, measure.kind, measure.params)
            except BadInput as error:
                yield from error.findings


def _priors(plan: Plan) -> Iterator[Finding]:
    for words in [plan.bayes.run_sd_prior, *plan.bayes.sensitivity]:
        try:
            parse_prior(words)
        except BadInput as error:
            yield from error.findings or (Finding(where="bayes", found=words, promised=error.what),)


def _units(plan: Plan) -> Iterator[Lint]:
    """A SESOI without a unit: edges on a raw scale whose measure does not say what its numbers are."""
    for h in plan.hypothesis:
        measure = plan.measures[h.measure]
        kind = MEASURES[measure.kind]
        if h.scale == "raw" and kind.unit == PLAN_SAYS and measure.unit is None:
            yield Lint(
                code="no-unit",
                severity="refuse",
                where=h.id,
                says=f"edges on the raw scale of {h.measure}, whose unit the plan does not say",
                remedy=f'[measures.{h.measure}]  unit = "..."',
            )


def _equivalence(plan: Plan) -> Iterator[Lint]:
    """How much units may differ before a claim of equivalence can no longer succeed."""
    for identity, h, extra in plan.expanded():
        band = next(b for b in h.partition.bands if b.name == h.predicted)
        if (
            band.lower is None
            or band.upper is None
            or h.test not in {"pooled_t", "welch_t", "paired_t", "one_sample_t"}
        ):
            continue
        fewest = min((len(units) for units in matching_units(plan, h, extra).values()), default=0)
        if fewest >= 2:
            yield _power_lint(plan, identity, h, fewest, (band.upper - band.lower) / 2)


def _power_lint(plan: Plan, identity: str, h: Hypothesis, seeds: int, sesoi: float) -> Lint:
    weights = (1.0,) if h.test in {"paired_t", "one_sample_t"} else tuple((h.contrast or {"all": 1.0}).values())
    alpha = h.alpha or plan.inference.alpha
    power = {
        share: tost_power(sesoi=sesoi, seed_sd=share * sesoi, seeds=seeds, alpha=alpha, weights=weights)
        for share in SD_SHARES
    }
    shown = ", ".join(f"{share * sesoi:.3g}: {value:.2f}" for share, value in power.items())
    can_succeed = max(power.values()) >= POWER_WANTED
    return Lint(
        code="equivalence-power" if can_succeed else "equivalence-hopeless",
        severity="note" if can_succeed else "refuse",
        where=identity,
        says=f"power to show {h.predicted!r} with {seeds} {h.unit}s a level and no true effect, by their SD: {shown}",
        remedy=f"know the {h.unit} SD from a pilot, or plan more {h.unit}s",
    )
