"""Design lints that need the tables of methods, or statistics: unknown names, and claims that could not succeed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from seedlock.analysis.bayes.models import MODELS
from seedlock.analysis.bayes.priors import parse_prior
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.estimator import PlannedLevel
from seedlock.analysis.inference.dunnett import unfit
from seedlock.analysis.inference.multiplicity import CORRECTIONS, DUNNETT
from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.measure import PLAN_SAYS
from seedlock.analysis.measures.label_rate import LabelRate
from seedlock.analysis.scoring.item_files import item_rows
from seedlock.analysis.scoring.scores import named_measure
from seedlock.analysis.simulation.choice_of_test import choice_of_test
from seedlock.analysis.simulation.covariate_faults import covariate_faults
from seedlock.analysis.simulation.gate_lints import gate_lints
from seedlock.analysis.simulation.gold_lints import gold_lints
from seedlock.analysis.simulation.look_lints import look_lints
from seedlock.analysis.simulation.missing_lints import missing_lints
from seedlock.analysis.simulation.rehearsal import cannot_run
from seedlock.analysis.simulation.scale_lints import scale_lints
from seedlock.analysis.simulation.tost_power import tost_power
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.cross_references import unknown
from seedlock.prereg.plan.judges import verdict_labels
from seedlock.prereg.plan.lint import Lint, acknowledge, lint_plan, matching_units
from seedlock.prereg.plan.named_values import named_attributes, unmet
from seedlock.prereg.plan.plan import BASELINE_ARM, Estimand, Hypothesis, Measure, Plan
from seedlock.prereg.plan.runs import Where

SD_SHARES = (0.25, 0.5, 0.75, 1.0)
"""SDs between units at which power is shown, as shares of the equivalence margin."""
POWER_WANTED = 0.8
MADE_OF_ITEMS = frozenset({"item_id", "asked", "pair"})
"""Attributes that items get when they are read, whatever their file says."""


def design_lints(plan: Plan, study: Path | None = None) -> list[Lint]:
    """Every remark on a design, refusals first.

    Parameters
    ----------
    study
        The plan's folder, which has its judges' files; without it nothing is said of what they name.

    Raises
    ------
    BadInput
        A measure, test, model or prior that no table knows, with every such name at once; a lexicon that is none.
    """
    require_known(plan)
    files = dict(item_rows(plan, study)) if study is not None else {}
    labels = [*_labels(plan, study), *_item_names(plan, files)] if study is not None else ()
    methods = (*choice_of_test(plan), *cannot_run(plan), *gate_lints(plan), *gold_lints(plan))
    methods += (*look_lints(plan), *missing_lints(plan))
    rest = (*_units(plan), *_attainable_p(plan), *_equivalence(plan), *labels, *scale_lints(plan, files))
    return acknowledge(plan, [*lint_plan(plan), *methods, *rest])


def require_known(plan: Plan) -> None:
    """Refuse names that no table of methods has.

    Raises
    ------
    BadInput
        With "did you mean" for each.
    """
    faults = [*_methods(plan), *_measures(plan), *_priors(plan), *_families(plan)]
    faults += [] if faults else covariate_faults(plan)
    if faults:
        raise BadInput("the plan names methods that are not there", *faults, then="edit the plan")


def _methods(plan: Plan) -> Iterator[Finding]:
    estimands: list[tuple[str, Estimand]] = [(f"gates.{name}", gate) for name, gate in plan.gates.items()]
    estimands += [(f"hypothesis {h.id}", h) for h in plan.hypothesis]
    for where, estimand in estimands:
        yield from unknown(f"{where}.test", estimand.test, ESTIMATORS, what="test")
        if estimand.fallback is not None:
            yield from unknown(f"{where}.fallback", estimand.fallback, ESTIMATORS, what="test")
        against_base = estimand.over == "arm" and BASELINE_ARM in (estimand.contrast or {})
        for key in ("test", "fallback") if against_base and estimand.unit == "seed" else ():
            named = ESTIMATORS.get(getattr(estimand, key) or "")
            if named is not None and not named.is_paired:
                promised = "a paired test: the unmodified model has no seed, and stands beside each as it is"
                yield Finding(where=f"{where}.{key}", found=str(getattr(estimand, key)), promised=promised)
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
                yield from (_of_every_measure(fault) for fault in error.findings)


def _of_every_measure(fault: Finding) -> Finding:
    """A key that a kind of measure does not have, beside the key of every measure that it may be meant for."""
    near = difflib.get_close_matches(fault.where.rpartition(".")[2], Measure.model_fields, n=1)
    return replace(fault, promised=f"{fault.promised}; did you mean {near[0]!r}?") if near else fault


def _priors(plan: Plan) -> Iterator[Finding]:
    for words in [plan.bayes.run_sd_prior, *plan.bayes.sensitivity]:
        try:
            parse_prior(words)
        except BadInput as error:
            yield from error.findings or (Finding(where="bayes", found=words, promised=error.what),)


def _families(plan: Plan) -> Iterator[Finding]:
    """Families corrected by Dunnett's method whose members are no arms of one shared control."""
    for family, method in plan.families.items():
        members = {identity: h for identity, h, _ in plan.expanded() if h.family == family}
        if method == DUNNETT and members:
            yield from unfit(members)


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


def _attainable_p(plan: Plan) -> Iterator[Lint]:
    """Tests by counting whose smallest p is above what they are judged at, were every other test of the family sure."""
    hypotheses = {identity: h for identity, h, _ in plan.expanded()}
    smallest = {identity: _smallest_p(plan, h, extra) for identity, h, extra in plan.expanded()}
    for identity, h in hypotheses.items():
        p, said = smallest[identity]
        alpha = h.alpha or plan.inference.alpha
        if p > alpha:
            yield _unattainable(identity, f"{said}: the smallest attainable one-sided p is {p:.3g}", alpha)
            continue
        correct = CORRECTIONS.get(plan.families.get(h.family or "", "none"))
        if p and correct:
            family = {other: smallest[other][0] for other, one in hypotheses.items() if one.family == h.family}
            best = correct(family, alpha=alpha)[identity]
            if not best.rejected:
                says = (
                    f"{said}: the smallest attainable p is {p:.3g}, and {best.p_adjusted:.3g} in the family {h.family} "
                    f"of {len(family)} even where every other test is sure"
                )
                yield _unattainable(identity, says, alpha)


def _smallest_p(plan: Plan, h: Hypothesis, extra: Where) -> tuple[float, str]:
    """The smallest one-sided p that a test by counting can have, and of how many; 0 for the others."""
    smallest_p = ESTIMATORS[h.test].smallest_p
    if smallest_p is None:
        return 0.0, ""
    sizes = {level: len(units) for level, units in matching_units(plan, h, extra).items()}
    if plan.inside is not None:
        sizes |= {level: n for level, n in plan.inside.controls.model_dump().items() if level in (h.contrast or {})}
    weights = h.contrast or dict.fromkeys(sizes, 1.0)
    found = smallest_p({name: PlannedLevel(weight=weights[name], n_units=n) for name, n in sizes.items()})
    return (found.p, found.says) if found else (0.0, "")


def _unattainable(identity: str, says: str, alpha: float) -> Lint:
    remedy = f"more units, another family, or a test that can reach alpha = {alpha}"
    return Lint(code="unattainable-p", severity="refuse", where=identity, says=says, remedy=remedy)


def _item_names(plan: Plan, files: Mapping[str, list[dict[str, Any]]]) -> Iterator[Lint]:
    """Attributes and values of items that the plan names and no item file has, where the files are at hand."""
    if (
        plan.import_ is not None
        or not files
        or any(items.file and name not in files for name, items in plan.items.items())
    ):
        return
    known: dict[str, set[str]] = {}
    for row in chain.from_iterable(files.values()):
        for key, value in row.items():
            known.setdefault(key, set()).update(() if value is None else (str(value),))
    apart = {name for name, measure in plan.measures.items() if MEASURES[measure.kind].table == "readings"}
    named = [one for one in named_attributes(plan, apart=apart) if one.attribute not in MADE_OF_ITEMS]
    for fault in unmet(named, known):
        says = f"{fault.where} names {fault.found}"
        yield Lint(code="unmet-name", severity="refuse", where=fault.where, says=says, remedy=fault.promised)


def _labels(plan: Plan, study: Path) -> Iterator[Lint]:
    """A judge's labels beside those that a measure lists: one it does not know, and one that never comes."""
    for name, measure in plan.measures.items():
        judge = plan.judges.get(measure.judge or "")
        given = None if judge is None else verdict_labels(judge, study)
        params = MEASURES[measure.kind].configure(measure.params, where=f"measures.{name}")
        if given is None or not isinstance(params, LabelRate):
            continue
        unknown_here = [label for label in given if label not in params.listed]
        if unknown_here and params.unknown == "refuse":
            said = f"the judge {measure.judge} may say {', '.join(unknown_here)}, which the measure does not list"
            yield _label_lint(name, f"{said}: the analysis would stop")
        never = [label for label in params.listed if label not in given]
        if never:
            yield _label_lint(name, f"the judge {measure.judge} never says {', '.join(never)}")


def _label_lint(measure: str, says: str) -> Lint:
    remedy = f"[measures.{measure}]  positive, negative and missing name each label of the judge, and no other"
    return Lint(code="labels", severity="refuse", where=f"measures.{measure}", says=says, remedy=remedy)


def _equivalence(plan: Plan) -> Iterator[Lint]:
    """How much units may differ before a claim of equivalence can no longer succeed."""
    for identity, h, extra in plan.expanded():
        band = next(b for b in h.partition.bands if b.name == h.predicted)
        if band.lower is None or band.upper is None or ESTIMATORS[h.test].family != "t on unit means":
            continue
        fewest = min((len(units) for units in matching_units(plan, h, extra).values()), default=0)
        if fewest >= 2:
            yield _power_lint(plan, identity, h, fewest, (band.upper - band.lower) / 2)


def _power_lint(plan: Plan, identity: str, h: Hypothesis, seeds: int, sesoi: float) -> Lint:
    weights = (1.0,) if ESTIMATORS[h.test].is_paired else tuple((h.contrast or {"all": 1.0}).values())
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
