"""Design lints that need no simulation: promises that could not be kept, or could be kept too easily."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.plan import BASELINE_ARM, Estimand, Plan
from seedlock.prereg.plan.replication import replication
from seedlock.prereg.plan.runs import Where, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One remark on a design.

    Parameters
    ----------
    code
        Permanent name; a plan acknowledges a refusal under `[acknowledge]` by it.
    severity
        "refuse" stops the lock unless acknowledged; "warn" and "note" are shown and locked with the plan.
    """

    code: str
    severity: Literal["refuse", "warn", "note"]
    where: str
    says: str
    remedy: str
    acknowledged: str | None = None


def lint_plan(plan: Plan) -> list[Lint]:
    """Every remark on the plan, refusals first."""
    found = [
        *_seed_claims(plan),
        *_mixed_models(plan),
        *_families(plan),
        *_claims(plan),
        *_replicates(plan),
        *_drawn_once(plan),
        *_organisms(plan),
        *_retrospective(plan),
    ]
    return acknowledge(plan, found)


def acknowledge(plan: Plan, found: list[Lint]) -> list[Lint]:
    """The same remarks with the plan's own acknowledgements beside them, refusals first."""
    order = {"refuse": 0, "warn": 1, "note": 2}
    marked = [
        Lint(
            code=lint.code,
            severity=lint.severity,
            where=lint.where,
            says=lint.says,
            remedy=lint.remedy,
            acknowledged=plan.acknowledge.get(lint.code),
        )
        for lint in found
    ]
    return sorted(marked, key=lambda lint: order[lint.severity])


def require_lockable(study: str, lints: list[Lint]) -> None:
    """Refuse a design with a fault that its plan does not acknowledge.

    Raises
    ------
    BadInput
        With every such fault.
    """
    refused = [lint for lint in lints if lint.severity == "refuse" and lint.acknowledged is None]
    if refused:
        codes = sorted({lint.code for lint in refused})
        raise BadInput(
            f"the design of {study} cannot keep its promises",
            *(Finding(where=f"{lint.where} [{lint.code}]", found=lint.says, promised=lint.remedy) for lint in refused),
            then=f'change the plan,  or say why it stands:  [acknowledge]  {codes[0]} = "..."',
        )


def matching_units(plan: Plan, hypothesis: Estimand, extra: Where) -> dict[str, set[str]]:
    """Level of the contrasted factor -> units, over the planned runs that the hypothesis selects."""
    units: dict[str, set[str]] = {}
    where = {**hypothesis.where, **extra}
    for run in plan.runs():
        wanted = {f: listed(v) for f, v in where.items() if run.has(f)}
        if any(run.factor(factor) not in levels for factor, levels in wanted.items()):
            continue
        if any(factor in plan.run_factors and not run.has(factor) for factor in where):
            continue
        if not run.has(hypothesis.over) or not run.has(hypothesis.unit):
            continue
        level = run.factor(hypothesis.over)
        if hypothesis.contrast is None:
            if run.arm == BASELINE_ARM:
                continue
            level = "all"
        elif level not in hypothesis.contrast:
            continue
        units.setdefault(level, set()).add(run.factor(hypothesis.unit))
    if BASELINE_ARM in units and (hypothesis.over, hypothesis.unit) == ("arm", "seed"):
        units[BASELINE_ARM] = set().union(*(found for level, found in units.items() if level != BASELINE_ARM))
    return units


def _seed_claims(plan: Plan) -> Iterator[Lint]:
    for identity, hypothesis, extra in plan.expanded():
        if hypothesis.unit not in plan.run_factors:
            continue
        units = matching_units(plan, hypothesis, extra)
        if hypothesis.dose is not None and units:  # a line takes its error from all runs, not from those of a level
            units = {"all": {f"{level}/{unit}" for level, found in units.items() for unit in found}}
        short = {level: len(found) for level, found in units.items() if len(found) < 2}
        if short:
            counts = ", ".join(f"{level}: {n}" for level, n in short.items())
            yield Lint(
                code=f"one-{hypothesis.unit}",
                severity="refuse",
                where=identity,
                says=f"a claim about {hypothesis.unit}s from fewer than two of them ({counts})",
                remedy=f"plan at least two {hypothesis.unit}s a level, or take another unit",
            )
        elif hypothesis.unit == "seed" and units and min(map(len, units.values())) < 3:
            yield Lint(
                code="two-seeds",
                severity="warn",
                where=identity,
                says="two seeds a level leave one degree of freedom a level; intervals will be very wide",
                remedy="plan three seeds or more",
            )


def _mixed_models(plan: Plan) -> Iterator[Lint]:
    """A variance is never estimated across model families: seeds of two models are not one sample."""
    for identity, hypothesis, extra in plan.expanded():
        if hypothesis.unit not in plan.run_factors or hypothesis.over == "model":
            continue
        models = listed({**hypothesis.where, **extra}.get("model", list(plan.grid.models)))
        if len(models) > 1 and hypothesis.unit != "model":
            yield Lint(
                code="mixed-models",
                severity="refuse",
                where=identity,
                says=f"{hypothesis.unit}s of {len(models)} models are taken as one sample",
                remedy='per = "model",  or  where = { model = "..." }',
            )


def _families(plan: Plan) -> Iterator[Lint]:
    confirmatory = [h for h in plan.hypothesis if h.role == "confirmatory"]
    outside = [h.id for h in confirmatory if h.family is None]
    covered = {HypothesisId.read(member).base for claim in plan.claim if claim.all_of for member in claim.members}
    loose = [identity for identity in outside if identity not in covered]
    if len(confirmatory) > 1 and loose:
        yield Lint(
            code="no-family",
            severity="warn",
            where=", ".join(loose),
            says="confirmatory hypotheses in no multiplicity family and in no all_of claim",
            remedy='family = "primary" and  [families]  primary = "holm",  or role = "exploratory"',
        )


def _claims(plan: Plan) -> Iterator[Lint]:
    exploratory = {h.id for h in plan.hypothesis if h.role == "exploratory"}
    for claim in plan.claim:
        weak = sorted({member for member in claim.members if HypothesisId.read(member).base in exploratory})
        if weak:
            yield Lint(
                code="claim-on-exploratory",
                severity="refuse",
                where=claim.id,
                says=f"a claim that rests on exploratory hypotheses: {', '.join(weak)}",
                remedy="make them confirmatory, or leave them out of the claim",
            )


def _replicates(plan: Plan) -> Iterator[Lint]:
    for identity, hypothesis, _ in plan.expanded():
        if plan.inference.seeds == "new" and hypothesis.unit not in plan.run_factors:
            yield Lint(
                code="unit-below-seed",
                severity="warn",
                where=identity,
                says=f"the plan is about new seeds, but this hypothesis replicates over {hypothesis.unit}",
                remedy='unit = "seed", or inference.seeds = "these"',
            )


def _drawn_once(plan: Plan) -> Iterator[Lint]:
    """A treatment that every run of a level shares is not replicated by them."""
    for identity, hypothesis, extra in plan.expanded():
        found = replication(plan, hypothesis, extra)
        if found.once:
            yield Lint(
                code="treatment-drawn-once",
                severity="warn",
                where=identity,
                says=found.says,
                remedy=f"leave out the seed of {', '.join(f'[stages.{name}]' for name in found.once)}: each run draws "
                "its own",
            )


def _organisms(plan: Plan) -> Iterator[Lint]:
    """Models with planted factors, in a plan that does not call its study what it is."""
    planted = [name for name, model in plan.models.items() if model.base.startswith("organism:")]
    words = " ".join([plan.study.title, plan.study.question, *plan.study.caveats]).lower()
    if planted and "control" not in words:
        yield Lint(
            code="positive-control",
            severity="note",
            where=", ".join(f"models.{name}" for name in planted),
            says="what the study looks for was planted in these models: they show that the pipeline finds it, "
            "and nothing of how others generalise (docs/organisms/README.md)",
            remedy='say "positive control" in the title, the question or the caveats',
        )


def _retrospective(plan: Plan) -> Iterator[Lint]:
    if plan.study.exposure == "published" or (plan.import_ is not None and plan.import_.file is not None):
        yield Lint(
            code="retrospective",
            severity="note",
            where="study.exposure",
            says="the data exist already: this analysis is retrospective and its report will say so on every page",
            remedy="nothing to do; a confirmatory study is locked before its data exist",
        )
