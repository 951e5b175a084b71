"""What no single table of the plan can see: names that point at nothing, levels that do not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from prereg.errors import Finding
from prereg.plan import BASELINE_ARM, Claim, Estimand, Plan

FAMILY_HINT = 'declare it under [families], e.g.  primary = "holm"'


def cross_check(plan: Plan) -> list[Finding]:
    """Every reference in the plan that does not resolve."""
    return [
        *_grid(plan),
        *_stages(plan),
        *_repeated_ids(plan),
        *(fault for where, estimand in _estimands(plan) for fault in _estimand(plan, where, estimand)),
        *(fault for index, claim in enumerate(plan.claim) for fault in _claim(plan, f"claim[{index}]", claim)),
        *_sds(plan),
        *_hypotheses(plan),
        *_samples(plan),
    ]


def _estimands(plan: Plan) -> Iterator[tuple[str, Estimand]]:
    yield from ((f"gates.{name}", gate) for name, gate in plan.gates.items())
    yield from ((f"hypothesis[{index}] ({h.id})", h) for index, h in enumerate(plan.hypothesis))


def unknown(where: str, name: str, known: Iterable[str], *, what: str) -> Iterator[Finding]:
    """A finding with "did you mean" when `name` is not among `known`."""
    names = sorted(known)
    if name in names:
        return
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(names) or 'none is declared'}"
    yield Finding(where=where, found=f"{what} {name!r}, which is not declared", promised=hint)


def _grid(plan: Plan) -> Iterator[Finding]:
    if BASELINE_ARM in plan.arms:
        yield Finding(where=f"arms.{BASELINE_ARM}", found="a reserved name", promised="grid.baseline = true")
    for model in plan.grid.models:
        yield from unknown("grid.models", model, plan.models, what="model")
    for arm in plan.grid.arms or []:
        yield from unknown("grid.arms", arm, plan.arms, what="arm")
    if isinstance(plan.grid.seeds, dict):
        for model in plan.grid.seeds:
            yield from unknown("grid.seeds", model, plan.grid.models, what="model")
    for model in plan.grid.models:
        seeds = plan.grid.seeds_of(model)
        if not seeds:
            yield Finding(where="grid.seeds", found=f"no seed for model {model!r}", promised="at least one")
        if len(set(seeds)) != len(seeds):
            yield Finding(where="grid.seeds", found=f"{seeds}", promised="each seed once")
    for name, arm_table in plan.arms.items():
        for stage in arm_table.stages:
            yield from unknown(f"arms.{name}.stages", stage, plan.stages, what="stage")
        for factor in arm_table.factors:
            if factor in {"model", "arm", "seed"}:
                yield Finding(where=f"arms.{name}.factors.{factor}", found="a reserved name", promised="another")


def _stages(plan: Plan) -> Iterator[Finding]:
    """A plan that describes any corpus describes all of them; one that describes none was trained elsewhere."""
    for name, stage in plan.stages.items():
        if plan.corpora:
            yield from unknown(f"stages.{name}.corpus", stage.corpus, plan.corpora, what="corpus")


def _repeated_ids(plan: Plan) -> Iterator[Finding]:
    seen: set[str] = set()
    for identity in [*(h.id for h in plan.hypothesis), *(c.id for c in plan.claim)]:
        if identity in seen:
            yield Finding(where=f"id {identity!r}", found="used twice", promised="each id once")
        seen.add(identity)


def _estimand(plan: Plan, where: str, estimand: Estimand) -> Iterator[Finding]:
    yield from unknown(f"{where}.measure", estimand.measure, plan.measures, what="measure")
    if estimand.items is not None:
        yield from unknown(f"{where}.items", estimand.items, plan.items, what="item set")
    if estimand.scale != "raw":
        scales = ["raw", *(f"sd.{name}" for name in plan.sd)]
        yield from unknown(f"{where}.scale", estimand.scale, scales, what="scale")
    if estimand.per is not None:
        if estimand.per not in estimand.where:
            yield from unknown(f"{where}.per", estimand.per, plan.run_factors, what="factor")
        if estimand.per == estimand.over and estimand.contrast:
            yield Finding(where=f"{where}.per", found="the contrasted factor itself", promised="another factor")
    if estimand.contrast is not None and estimand.over in plan.run_factors:
        for level in estimand.contrast:
            yield from unknown(f"{where}.contrast", level, plan.levels_of(estimand.over), what=estimand.over)
    for factor, wanted in estimand.where.items():
        if factor in plan.run_factors:
            for value in wanted if isinstance(wanted, list) else [wanted]:
                yield from unknown(f"{where}.where.{factor}", str(value), plan.levels_of(factor), what=factor)


def _claim(plan: Plan, where: str, claim: Claim) -> Iterator[Finding]:
    known = {identity for identity, _, _ in plan.expanded()}
    for member in claim.members:
        yield from unknown(where, member, known, what="hypothesis")


def _sds(plan: Plan) -> Iterator[Finding]:
    for name, sd in plan.sd.items():
        if sd.measure is not None:
            yield from unknown(f"sd.{name}.measure", sd.measure, plan.measures, what="measure")
        if sd.arm is not None:
            yield from unknown(f"sd.{name}.arm", sd.arm, [*plan.planned_arms, BASELINE_ARM], what="arm")
        if sd.items is not None:
            yield from unknown(f"sd.{name}.items", sd.items, plan.items, what="item set")


def _hypotheses(plan: Plan) -> Iterator[Finding]:
    for index, hypothesis in enumerate(plan.hypothesis):
        where = f"hypothesis[{index}] ({hypothesis.id})"
        if hypothesis.family is not None:
            for fault in unknown(f"{where}.family", hypothesis.family, plan.families, what="family"):
                yield Finding(where=fault.where, found=fault.found, promised=FAMILY_HINT)
        for gate in hypothesis.requires or []:
            yield from unknown(f"{where}.requires", gate, plan.gates, what="gate")


def _samples(plan: Plan) -> Iterator[Finding]:
    if plan.samples is not None and plan.samples.measure is not None:
        yield from unknown("samples.measure", plan.samples.measure, plan.measures, what="measure")
