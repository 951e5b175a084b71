"""Whether a hypothesis over numbers and its test fit: a test that reads no dose would answer another question."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.rank_correlation import LEAST_NUMBERS
from seedlock.analysis.measures import MEASURES
from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.filters import filtered_measures
from seedlock.prereg.plan.lint import matching_units
from seedlock.prereg.plan.plan import Estimand, Hypothesis, Plan


def covariate_faults(plan: Plan) -> Iterator[Finding]:
    """Every gate or hypothesis whose test and numbers do not fit each other."""
    estimands: list[tuple[str, Estimand]] = [(f"gates.{name}", gate) for name, gate in plan.gates.items()]
    estimands += [(f"hypothesis {h.id}", h) for h in plan.hypothesis]
    for where, estimand in estimands:
        yield from _fit(where, estimand)
        yield from _ranks(where, estimand)
        yield from _others(plan, where, estimand)
    yield from _lone_runs(plan)
    yield from _filters(plan)


def _filters(plan: Plan) -> Iterator[Finding]:
    """Row filters on, or of, what is no measure of completions."""
    for name, (measure, filters) in filtered_measures(plan).items():
        for one in (measure, *(found.measure for found in filters)):
            if MEASURES[plan.measures[one].kind].table != "completions":
                yield Finding(where=name, found=f"{one}, which is read inside", promised="measures of completions")


def _lone_runs(plan: Plan) -> Iterator[Finding]:
    """Doses with one unit, under a test that takes its error from the units of every level."""
    for identity, h, extra in plan.expanded():
        estimator = ESTIMATORS[h.test]
        if h.dose is None or estimator.reads == "dose" or estimator.is_paired or h.unit not in plan.run_factors:
            continue
        lone = [level for level, units in matching_units(plan, h, extra).items() if len(units) < 2]
        if lone:
            found = f"{h.test} with one {h.unit} at {', '.join(lone)}"
            yield Finding(where=f"hypothesis {identity}.test", found=found, promised=readers("dose"))


def readers(what: str) -> str:
    """Tests that read a dose, or a covariate."""
    return " | ".join(name for name, one in ESTIMATORS.items() if one.reads == what)


def _fit(where: str, estimand: Estimand) -> Iterator[Finding]:
    reads = ESTIMATORS[estimand.test].reads
    if reads == "dose" and estimand.dose is None:
        yield Finding(where=f"{where}.dose", found="nothing", promised=f"the numbers that {estimand.test} is over")
    if reads == "covariate" and estimand.adjust is None:
        yield Finding(
            where=f"{where}.adjust", found="nothing", promised=f"the measure that {estimand.test} adjusts for"
        )
    if estimand.dose is not None and estimand.dose.measure is not None and reads != "dose":
        yield Finding(where=f"{where}.test", found=estimand.test, promised=f"{readers('dose')}: numbers are measured")
    if estimand.adjust is not None and reads != "covariate":
        yield Finding(where=f"{where}.test", found=estimand.test, promised=readers("covariate"))
    if estimand.adjust is not None and estimand.contrast is None:
        yield Finding(where=f"{where}.adjust", found="no contrast", promised="a contrast to adjust")


def _ranks(where: str, estimand: Estimand) -> Iterator[Finding]:
    if ESTIMATORS[estimand.test].family != "rank correlation":
        return
    if estimand.scale != "raw":
        yield Finding(where=f"{where}.scale", found=estimand.scale, promised='"raw": a correlation has no unit')
    for edge in estimand.partition.edges:
        if not -1 < edge < 1:
            yield Finding(where=f"{where}.bands", found=f"an edge at {edge:g}", promised="edges between -1 and 1")
    numbers = set(estimand.dose.numbers.values()) if estimand.dose is not None else set()
    if estimand.dose is not None and estimand.dose.at is not None and len(numbers) < LEAST_NUMBERS:
        promised = f"{LEAST_NUMBERS} or more: fewer are in order by chance too often"
        yield Finding(where=f"{where}.dose.at", found=f"{len(numbers)} different numbers", promised=promised)


def _others(plan: Plan, where: str, estimand: Estimand) -> Iterator[Finding]:
    """What speaks of weighted sums of means alone: gold labels and Bayesian models."""
    if ESTIMATORS[estimand.test].pull is None:
        return
    if plan.gold_of(plan.measures[estimand.measure].judge) is not None:
        promised = "a slope over at = [...] by a t test: only contrasts of means are corrected by gold labels"
        yield Finding(where=f"{where}.test", found=f"{estimand.test} on a judge with gold labels", promised=promised)
    if isinstance(estimand, Hypothesis) and estimand.bayes is not None:
        promised = "none, or a slope over at = [...] by a t test: models estimate contrasts of means"
        yield Finding(where=f"{where}.bayes", found=estimand.bayes, promised=promised)
