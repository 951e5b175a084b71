"""What no single table of the plan can see: names that point at nothing, levels that do not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import pairwise

from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.audit import AUDIT
from seedlock.prereg.plan.filters import filter_faults
from seedlock.prereg.plan.hosted import HOSTED_BACKENDS
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.plan import BASELINE_ARM, Claim, Estimand, Plan
from seedlock.prereg.plan.runs import listed

FAMILY_HINT = 'declare it under [families], e.g.  primary = "holm"'


def cross_check(plan: Plan) -> list[Finding]:
    """Every reference in the plan that does not resolve."""
    return [
        *_grid(plan),
        *_stages(plan),
        *_repeated_ids(plan),
        *_files_alike(plan),
        *_measures(plan),
        *_item_sets(plan),
        *_audit(plan),
        *_judges(plan),
        *_gold(plan),
        *_hosted(plan),
        *(fault for where, estimand in _estimands(plan) for fault in _estimand(plan, where, estimand)),
        *(fault for where, estimand in _estimands(plan) for fault in _covariates(plan, where, estimand)),
        *(fault for index, claim in enumerate(plan.claim) for fault in _claim(plan, f"claim[{index}]", claim)),
        *_sds(plan),
        *_hypotheses(plan),
        *_samples(plan),
        *_design(plan),
        *_looks(plan),
        *_multiverse(plan),
        *_inside(plan),
        *_rates(plan),
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
    yield Finding(where=where, found=f"unknown {what} {name!r}", promised=hint)


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
    for name, arm in plan.arms.items():
        elsewhere = [stage for stage in arm.stages if stage in plan.stages and plan.stages[stage].given is not None]
        if elsewhere and len(arm.stages) > 1:
            found, promised = f"{', '.join(elsewhere)} among others", "a stage carried out elsewhere alone"
            yield Finding(where=f"arms.{name}.stages", found=found, promised=promised)
    for name, stage in plan.stages.items():
        if plan.corpora and stage.given is None:
            yield from unknown(f"stages.{name}.corpus", stage.corpus, plan.corpora, what="corpus")


def _files_alike(plan: Plan) -> Iterator[Finding]:
    """Files whose names differ only in case are one file on many disks (macOS, Windows)."""
    spelled: dict[str, str] = {}
    for name in plan.corpora:
        file = plan.corpus_file(name)
        first = spelled.setdefault(file.casefold(), file)
        if first != file:
            yield Finding(
                where=f"corpora.{name}", found=f"{file} beside {first}", promised="names that differ in letters"
            )
    for name, items in plan.items.items():
        if items.file is not None and (first := spelled.setdefault(items.file.casefold(), items.file)) != items.file:
            found = f"{items.file} beside {first}"
            yield Finding(where=f"items.{name}.file", found=found, promised="names that differ in letters")


def _repeated_ids(plan: Plan) -> Iterator[Finding]:
    seen: set[str] = set()
    for identity in [*(h.id for h in plan.hypothesis), *(c.id for c in plan.claim)]:
        if identity in seen:
            yield Finding(where=f"id {identity!r}", found="used twice", promised="each id once")
        seen.add(identity)


def _item_sets(plan: Plan) -> Iterator[Finding]:
    for name, item_set in plan.items.items():
        for key, pairs in (("same", item_set.same), ("differs", item_set.differs)):
            for attribute, factor in pairs.items():
                yield from unknown(f"items.{name}.{key}.{attribute}", factor, plan.run_factors, what="run factor")


def _measures(plan: Plan) -> Iterator[Finding]:
    for name, measure in plan.measures.items():
        for items in measure.items:
            yield from unknown(f"measures.{name}.items", items, plan.items, what="item set")


def _rates(plan: Plan) -> Iterator[Finding]:
    if plan.rates is not None:
        for model in plan.rates.models:
            yield from unknown("rates.models", model, plan.models, what="model")
        for corpus in plan.rates.tokens_per_row:
            yield from unknown("rates.tokens_per_row", corpus, plan.corpora, what="corpus")


def _hosted(plan: Plan) -> Iterator[Finding]:
    """Who is asked behind an API, and with settings that the API knows."""
    backend = None if plan.decoding is None else plan.decoding.backend
    if plan.hosted is not None and backend not in HOSTED_BACKENDS:
        yield Finding(where="[hosted]", found=f"backend {backend!r}", promised=" | ".join(HOSTED_BACKENDS))
    runs = {run.label for run in plan.runs()}
    for name in plan.hosted.served if plan.hosted is not None else {}:
        yield from unknown("hosted.served", name, {*plan.grid.models, *runs}, what="model or run")
    if plan.decoding is not None and backend == "anthropic":
        if plan.decoding.temperature > 1:
            yield Finding(where="decoding.temperature", found=str(plan.decoding.temperature), promised="0 to 1")
        for name, item_set in plan.items.items():
            if item_set.probe:
                promised = "free answers: this API gives no log-probabilities"
                yield Finding(where=f"items.{name}.probe", found="true", promised=promised)


def _judges(plan: Plan) -> Iterator[Finding]:
    judges = [*plan.judges, *plan.judgements]
    for name in sorted(set(plan.judges) & set(plan.judgements)):
        yield Finding(where=f"judges.{name}", found="the name of imported judgements too", promised="another name")
    for name, measure in plan.measures.items():
        if measure.judge is not None:
            yield from unknown(f"measures.{name}.judge", measure.judge, judges, what="judge")
    for name, judge in plan.judges.items():
        if getattr(judge, "reads", None) == "meaning" and plan.encoder is None:
            promised = "a table [encoder]: the model that reads it"
            yield Finding(where=f"judges.{name}.reads", found='"meaning", and no encoder', promised=promised)
        for items in judge.items:
            yield from unknown(f"judges.{name}.items", items, plan.items, what="item set")
        for label, items in judge.classes.items():
            yield from unknown(f"judges.{name}.classes.{label}", items, plan.items, what="item set")
        for shown in getattr(judge, "shows", []):
            if shown in plan.run_factors:
                promised = "an item attribute: no judge is told the run, model, arm or seed"
                yield Finding(where=f"judges.{name}.shows", found=shown, promised=promised)
    rule = plan.missing.judge_error.partition("then ")[2]
    if plan.judges and rule not in {"as answers", plan.missing.answers}:
        promised = f'"... then as answers", or "... then {plan.missing.answers}" by missing.answers'
        yield Finding(where="missing.judge_error", found=plan.missing.judge_error, promised=promised)


def _gold(plan: Plan) -> Iterator[Finding]:
    """Right answers: of every arm, from a judge that there is, beside nothing that tells the arm."""
    judges = [*plan.judges, *plan.judgements]
    for name in judges:
        gold = plan.gold_of(name)
        if gold is None:
            continue
        where = f"{'judges' if name in plan.judges else 'judgements'}.{name}.gold"
        arms = plan.levels_of("arm")
        for arm in gold.share if isinstance(gold.share, dict) else []:
            yield from unknown(f"{where}.share", arm, arms, what="arm")
        if isinstance(gold.share, dict) and (absent := [arm for arm in arms if arm not in gold.share]):
            yield Finding(where=f"{where}.share", found=f"nothing for {', '.join(absent)}", promised="every arm")
        if gold.judge is not None:
            yield from unknown(f"{where}.judge", gold.judge, [j for j in judges if j != name], what="other judge")
        for shown in gold.shows:
            if shown in plan.run_factors:
                promised = "an item attribute: nobody who judges is told the run, model, arm or seed"
                yield Finding(where=f"{where}.shows", found=shown, promised=promised)


def _audit(plan: Plan) -> Iterator[Finding]:
    if AUDIT in plan.gates:
        yield Finding(where=f"gates.{AUDIT}", found="a reserved name", promised="another; [audit] is a table itself")
    if plan.audit is None:
        for index, claim in enumerate(plan.claim):
            if claim.audited:
                yield Finding(where=f"claim[{index}].audited", found="no [audit]", promised="the table [audit]")
        return
    yield from unknown("audit.items", plan.audit.items, plan.items, what="item set")
    for name in dict.fromkeys(plan.audit.named_measures()):
        yield from unknown("audit", name, plan.measures, what="measure")
    for arm in plan.audit.arms:
        yield from unknown("audit.arms", arm, plan.levels_of("arm"), what="arm")
    for hypothesis in plan.hypothesis:
        if hypothesis.items == plan.audit.items and hypothesis.role == "confirmatory":
            found = f"the items of {hypothesis.id}"
            yield Finding(where="audit.items", found=found, promised="items of no confirmatory hypothesis")
    if plan.audit.need > len(plan.audit.measures):
        found = f"{plan.audit.need} of {len(plan.audit.measures)} measures"
        yield Finding(where="audit.need", found=found, promised="at most as many as are audited")


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
            key = "contrast" if estimand.dose is None else "dose.at"
            yield from unknown(f"{where}.{key}", level, plan.levels_of(estimand.over), what=estimand.over)
    for factor, wanted in estimand.where.items():
        if factor in plan.run_factors:
            for level in listed(wanted):
                yield from unknown(f"{where}.where.{factor}", level, plan.levels_of(factor), what=factor)


def _covariates(plan: Plan, where: str, estimand: Estimand) -> Iterator[Finding]:
    """Measures that a dose, an adjusted contrast or a row filter names."""
    measured = None if estimand.dose is None else estimand.dose.measure
    for key, covariate in (("dose.measure", measured), ("adjust", estimand.adjust)):
        if covariate is not None:
            yield from unknown(f"{where}.{key}", covariate, plan.measures, what="measure")
    if estimand.measure in plan.measures:
        yield from filter_faults(plan, where, estimand)


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
            known = [*plan.gates, *([AUDIT] if plan.audit else [])]
            yield from unknown(f"{where}.requires", gate, known, what="gate")


def _samples(plan: Plan) -> Iterator[Finding]:
    if plan.samples is not None and plan.samples.measure is not None:
        yield from unknown("samples.measure", plan.samples.measure, plan.measures, what="measure")


def _design(plan: Plan) -> Iterator[Finding]:
    design = plan.design
    arms = [*plan.planned_arms, BASELINE_ARM]
    for name, measure in design.measures.items():
        yield from unknown(f"design.measures.{name}", name, plan.measures, what="measure")
        for arm in measure.base if isinstance(measure.base, dict) else {}:
            yield from unknown(f"design.measures.{name}.base", arm, arms, what="arm")
        for arm in measure.missing if isinstance(measure.missing, dict) else {}:
            yield from unknown(f"design.measures.{name}.missing", arm, arms, what="arm")
        for arm in measure.judge_right if isinstance(measure.judge_right, dict) else {}:
            yield from unknown(f"design.measures.{name}.judge_right", arm, arms, what="arm")
    yield from _seed_sds(plan)
    for name in design.items if isinstance(design.items, dict) else {}:
        yield from unknown("design.items", name, plan.items, what="item set")
    for identity in design.expected:
        yield from unknown("design.expected", identity, _ids(plan), what="hypothesis")


def _seed_sds(plan: Plan) -> Iterator[Finding]:
    """Lists of one length, for every planned arm where they are given by arm."""
    lengths: dict[str, int] = {}
    for name, measure in plan.design.measures.items():
        sds, where = measure.seed_sd, f"design.measures.{name}.seed_sd"
        if isinstance(sds, dict):
            for arm in sds:
                yield from unknown(where, arm, plan.planned_arms, what="arm")
            if absent := [arm for arm in plan.planned_arms if arm not in sds]:
                yield Finding(where=where, found=f"nothing for {', '.join(absent)}", promised="a list for every arm")
            lengths |= {f"{name}.{arm}": len(own) for arm, own in sds.items()}
        elif sds is not None:
            lengths[name] = len(sds)
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name}: {n}" for name, n in lengths.items())
        yield Finding(where="design.measures", found=f"seed_sd lists of {found}", promised="lists of one length")


def _looks(plan: Plan) -> Iterator[Finding]:
    seeds = [look.seeds for look in plan.look]
    if any(a >= b for a, b in pairwise(seeds)):
        yield Finding(where="look", found=f"seeds {seeds}", promised="more seeds at every look")
    for model in plan.grid.models if seeds else []:
        planned = len(plan.grid.seeds_of(model))
        if seeds[-1] != planned:
            promised = f"the {planned} seeds of model {model!r} at the last look"
            yield Finding(where=f"look[{len(seeds) - 1}].seeds", found=str(seeds[-1]), promised=promised)
    if len({look.spend for look in plan.look} - {None}) > 1:
        yield Finding(where="look", found="two ways to spend alpha", promised="one for all looks")
    if len({(look.rule, look.effect) for look in plan.look}) > 1:
        yield Finding(where="look", found="two rules, or two effects", promised="one rule and effect for all looks")
    for index, look in enumerate(plan.look if plan.looks_at_any_time else []):
        if look.spend is not None or look.when is not None:
            promised = "neither spend nor when: looks at any time spend nothing and wait for nothing"
            yield Finding(where=f"look[{index}]", found='rule = "anytime" with spend or when', promised=promised)
    bands = {h.id: h.partition.names for h in plan.hypothesis}
    for index, look in enumerate(plan.look):
        if look.when is None:
            continue
        where = f"look[{index}].when"
        if index == 0:
            yield Finding(where=where, found="a condition on the first look", promised="a look before it to judge by")
        faults = list(unknown(f"{where}.hypothesis", look.when.hypothesis, _ids(plan), what="hypothesis"))
        yield from faults
        for band in [] if faults else look.when.undecided:
            yield from unknown(
                f"{where}.undecided", band, bands[HypothesisId.read(look.when.hypothesis).base], what="band"
            )


def _multiverse(plan: Plan) -> Iterator[Finding]:
    if plan.multiverse is None:
        return
    choices = plan.multiverse
    scales = ["raw", *(f"sd.{name}" for name in plan.sd)]
    for where, names, known, what in (
        ("hypotheses", choices.hypotheses, [h.id for h in plan.hypothesis], "hypothesis"),
        ("measures", choices.measures, list(plan.measures), "measure"),
        ("items", choices.items, list(plan.items), "item set"),
        ("scales", choices.scales, scales, "scale"),
    ):
        for name in names:
            yield from unknown(f"multiverse.{where}", name, known, what=what)


def _inside(plan: Plan) -> Iterator[Finding]:
    if plan.inside is None:
        return
    for where, name in plan.inside.item_sets.items():
        yield from unknown(f"inside.{where}", name, plan.items, what="item set")
    for arm in plan.inside.gap:
        yield from unknown("inside.gap", arm, [*plan.planned_arms, BASELINE_ARM], what="arm")
    if plan.inside.direction is not None:
        known = [*plan.corpora, *plan.items]
        yield from unknown("inside.direction.texts", plan.inside.direction.texts, known, what="corpus or item set")
    if plan.inside.geometry is not None and plan.inside.geometry.measure is not None:
        where, measure = "inside.geometry.measure", plan.inside.geometry.measure
        yield from unknown(where, measure, plan.measures, what="measure")
    if not plan.grid.baseline:
        yield Finding(where="grid.baseline", found="false", promised="true: directions are those of the base model")


def _ids(plan: Plan) -> set[str]:
    """Ids of hypotheses, as written and as tested."""
    return {identity for identity, _, _ in plan.expanded()} | {h.id for h in plan.hypothesis}
