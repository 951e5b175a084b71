"""Whether the test that a plan names is the one that its design asks for: pairing, spread, the ends of the scale."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.estimator import Estimator
from seedlock.analysis.measures import MEASURES
from seedlock.prereg.plan.default_test import default_test, rates_near_an_end
from seedlock.prereg.plan.lint import Lint, matching_units
from seedlock.prereg.plan.pairing import sharing
from seedlock.prereg.plan.plan import Hypothesis, Plan
from seedlock.prereg.plan.runs import Where

LEAST_APART = 3
"""Units in the smaller of two unequal levels up to which Welch's df are too many."""


def choice_of_test(plan: Plan) -> Iterator[Lint]:
    """Every hypothesis whose test and design do not fit."""
    yield from _chosen(plan)
    for identity, hypothesis, extra in plan.expanded():
        estimator = ESTIMATORS[hypothesis.test]
        if estimator.family in {"binomial", "t on item means"}:
            continue
        yield from _pairing(plan, identity, hypothesis, extra, estimator)
        yield from _spread(plan, identity, hypothesis, extra, estimator)
        yield from _ends(plan, identity, hypothesis, estimator)
        yield from _items(plan, identity, hypothesis, estimator)


def named(family: str, **wanted: object) -> str:
    """Tests of a family that fit, as a plan would name them."""
    fitting = [
        f'test = "{name}"'
        for name, one in ESTIMATORS.items()
        if one.family == family and all(getattr(one, key) == value for key, value in wanted.items())
    ]
    return " or ".join(fitting)


def _pairing(plan: Plan, identity: str, hypothesis: Hypothesis, extra: Where, estimator: Estimator) -> Iterator[Lint]:
    levels = [level for level, weight in (hypothesis.contrast or {}).items() if weight]
    if len(levels) < 2 or hypothesis.unit not in plan.run_factors:
        return
    shared = sharing(plan, hypothesis, extra)
    if shared == "not said":
        yield Lint(
            code="seeds-share",
            severity="note",
            where=identity,
            says=f"whether runs of one seed share initialisation and data order decides if {hypothesis.test} fits",
            remedy='[grid]  seeds_share = "initialisation and order",  or "nothing"',
        )
    elif shared == "nothing" and estimator.is_paired and hypothesis.unit == "seed":
        yield Lint(
            code="paired",
            severity="warn",
            where=identity,
            says=f"{hypothesis.test} pairs runs by seed, and runs of one seed share nothing here: it costs half the df",
            remedy=named("t on unit means", spread="own"),
        )
    elif shared != "nothing" and not estimator.is_paired and estimator.spread is not None:
        yield Lint(
            code="unpaired",
            severity="refuse",
            where=identity,
            says=f"units of one name share {shared} at every level, and {hypothesis.test} takes them as strangers",
            remedy=named("t on unit means", is_paired=True),
        )


def _spread(plan: Plan, identity: str, hypothesis: Hypothesis, extra: Where, estimator: Estimator) -> Iterator[Lint]:
    """One variance for levels that the plan itself does not take to be alike."""
    sizes = {level: len(found) for level, found in matching_units(plan, hypothesis, extra).items()}
    if hypothesis.contrast is None or estimator.spread is None or len(sizes) < 2:
        return
    if estimator.spread == "own":
        fewest = min(sizes.values())
        if fewest <= LEAST_APART and len(set(sizes.values())) > 1 and estimator.family == "t on unit means":
            yield Lint(
                code="few-units",
                severity="warn",
                where=identity,
                says=f"{hypothesis.test} with {fewest} {hypothesis.unit}s in one level and more in another: its 95% "
                f"interval covers as little as {90 if fewest < LEAST_APART else 93}%",
                remedy=f"more {hypothesis.unit}s in the smaller level",
            )
        return
    reasons = []
    if len(set(sizes.values())) > 1:
        reasons.append(", ".join(f"{level}: {n} {hypothesis.unit}s" for level, n in sizes.items()))
    if plan.bayes.run_sd == "by level":
        reasons.append('bayes.run_sd = "by level"')
    planned = plan.design.measures.get(hypothesis.measure)
    if planned and isinstance(planned.seed_sd, dict) and len(set(map(tuple, planned.seed_sd.values()))) > 1:
        reasons.append(f"design.measures.{hypothesis.measure}.seed_sd by arm")
    if reasons:
        yield Lint(
            code="unequal-spread",
            severity="refuse",
            where=identity,
            says=f"{hypothesis.test} takes one spread for all levels ({'; '.join(reasons)}); where the smaller level "
            "is the more variable one its interval covers less than its level: down to 74% for 95% (docs/coverage.md)",
            remedy=named("t on unit means", spread="own"),
        )
    else:
        yield Lint(
            code="one-spread",
            severity="note",
            where=identity,
            says=f"{hypothesis.test} takes one spread for all levels: at equal sizes its 95% interval covers 95% where "
            "that is so, and 87% to 94% where one level's SD is 15 times another's",
            remedy=named("t on unit means", spread="own") + " where spreads may differ",
        )


def _ends(plan: Plan, identity: str, hypothesis: Hypothesis, estimator: Estimator) -> Iterator[Lint]:
    if estimator.family != "t on unit means" or not MEASURES[plan.measures[hypothesis.measure].kind].is_proportion:
        return
    near = rates_near_an_end(plan, hypothesis)
    if near:
        pairs = estimator.is_paired and sum(map(bool, (hypothesis.contrast or {}).values())) > 1
        yield Lint(
            code="rate-near-an-end",
            severity="warn",
            where=identity,
            says=f"{hypothesis.test} at rates like {near[0]:g}: with few {hypothesis.unit}s its interval covers less "
            "than its level near 0 and 1 (docs/coverage.md)",
            remedy=named("t on logits of unit rates", is_paired=pairs),
        )


def _items(plan: Plan, identity: str, hypothesis: Hypothesis, estimator: Estimator) -> Iterator[Lint]:
    """A plan that speaks of new items and a test whose interval holds the items fixed."""
    if plan.inference.items == "new" and hypothesis.unit in plan.run_factors and estimator.family != "mixed model":
        yield Lint(
            code="items-held",
            severity="warn",
            where=identity,
            says=f"the plan is about new items, and {hypothesis.test} over {hypothesis.unit}s holds them as they are: "
            "how much items differ in the effect is not in its interval",
            remedy=f'{named("mixed model")},  or  [inference]  items = "these"',
        )


def _chosen(plan: Plan) -> Iterator[Lint]:
    """The tests of hypotheses and gates that name none."""
    for identity, estimand, extra in (*plan.expanded_gates(), *plan.expanded()):
        if "test" not in estimand.model_fields_set:
            yield Lint(
                code="default-test",
                severity="note",
                where=identity,
                says=f"the plan names no test, so it is {estimand.test}: {default_test(plan, estimand, extra).reason}; "
                "the lock records it",
                remedy=f'test = "{estimand.test}"  says so in the plan',
            )
