"""The plan in sentences that a form asks for; each is made from the locked plan alone, and none adds to it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from seedlock.prereg.english import counted
from seedlock.prereg.lock.state import StudyState
from seedlock.prereg.plan.plan import Estimand, Hypothesis, Plan
from seedlock.prereg.plan.runs import Where

LEVELS = "The unit is the training run; claims speak of "
_SPEAKS_OF = {"new": "fine-tuning seeds not drawn here.", "these": "these runs only."}
_MISSING = {
    "exclude": "A missing answer is never scored and is left out.",
    "exclude and bound": "A missing answer is never scored; every verdict is also taken with all missing answers at "
    "their worst, both ways, and a verdict that flips between them is none.",
}
_MISSING_RUNS = {
    "refuse": "With a planned run missing there is no analysis.",
    "analyse and bound": "A missing run is disclosed, and its answers are bounded.",
    "analyse and disclose": "A missing run is disclosed, and what arrived is analysed.",
}
_FAMILIES = {"holm": "Holm", "dunnett": "Dunnett", "bh": "Benjamini and Hochberg", "none": "no correction"}


def hypotheses(plan: Plan, role: str) -> str:
    """Every hypothesis of one role: claim, estimand, bands, prediction."""
    return paragraphs(_hypothesis(h) for h in plan.hypothesis if h.role == role)


def _hypothesis(h: Hypothesis) -> str:
    bands = " < ".join(str(part) for part in h.bands)
    return f"{h.id}: {h.claim} Estimand: {estimand(h)}. Bands: {bands}. Predicted: {h.predicted}."


def estimand(h: Estimand) -> str:
    """What is estimated, in one clause."""
    of = f"the mean of {h.measure}"
    if h.dose is not None:
        at = h.dose.measure or ", ".join(f"{number:g}" for number in h.dose.numbers.values())
        of = f"{h.measure} over {h.over} at {at}, per {h.dose.step_words(h.over)}, by {h.test}"
    elif h.contrast:
        weights = " + ".join(f"{weight:g} x {level}" for level, weight in h.contrast.items())
        of = f"the contrast {weights} over {h.over} of {h.measure}"
    if h.adjust is not None:
        of += f", adjusted for {h.adjust}"
    each = f", for each {h.per}" if h.per else ""
    scale = "" if h.scale == "raw" else f", on the scale {h.scale}"
    return f"{of}{_where(h.where)}{each}{scale}; unit of replication: {h.unit}"


def _where(where: Where) -> str:
    return "".join(f", {key} = {value}" for key, value in where.items())


def existing(plan: Plan) -> str:
    """What the authors had seen when they wrote the plan."""
    seen = {"none": "No data of this study had been seen.", "pilot": "A pilot had been seen.", "published": ""}
    first = seen[plan.study.exposure] or "The data had been published, or seen, before the plan was written."
    return paragraphs([first, *plan.study.known])


def collection(plan: Plan) -> str:
    """How the data come to be: models, fine-tuning, questions, decoding."""
    models = [f"{name}: {model.base}, revision {model.revision}" for name, model in plan.models.items()]
    stages = [f"Stage {name}: {settings(stage)}" for name, stage in plan.stages.items()]
    decoding = [] if plan.decoding is None else [f"Decoding: {settings(plan.decoding)}"]
    imported = (
        [] if plan.import_ is None else [f"The answers are made elsewhere and imported as {plan.import_.format}."]
    )
    return paragraphs([*models, *stages, *decoding, *imported])


def settings(table: BaseModel) -> str:
    """The settings of a table of the plan, as they would be typed there."""
    stated = table.model_dump(mode="json", exclude_unset=True)
    return ", ".join(f"{key} = {value}" for key, value in stated.items() if value not in (None, [], {}))


def sample_size(state: StudyState) -> str:
    """Runs, by model, and what each is asked."""
    plan = state.plan
    each = [f"{name}: seeds {', '.join(map(str, plan.grid.seeds_of(name)))}" for name in plan.grid.models]
    draws = "" if plan.decoding is None else f" Each item is asked {counted(plan.decoding.draws, 'time')}."
    baseline = " The unmodified models go through everything too." if plan.grid.baseline else ""
    return f"{counted(len(state.lock.runs), 'run')}: arms x seeds, for each model ({'; '.join(each)}).{draws}{baseline}"


def rationale(state: StudyState) -> str:
    """Whether the design was simulated before the lock."""
    design = state.lock.design
    if design.simulation_sha256 is None:
        return f"The design was not simulated before the lock: {design.simulation_absent}."
    return f"The design was simulated before the lock (simulation.json, SHA-256 {design.simulation_sha256})."


def stopping(plan: Plan) -> str:
    """The planned looks, or that there is one analysis."""
    if not plan.look:
        return "There is one analysis, when every planned run is done."
    looks = [
        f"Look {n}, at {look.seeds} seeds an arm"
        + (f", if {settings(look.when)}" if look.when else "")
        + (f", alpha spent by {look.spend}" if look.spend else "")
        + (", by e-values, which are valid at every look and wherever one stops" if look.rule else "")
        for n, look in enumerate(plan.look, start=1)
    ]
    return paragraphs(looks)


def manipulated(plan: Plan) -> str:
    """The arms, and what each goes through."""
    arms = [
        f"{name}: {' then '.join(plan.arms[name].stages) or 'as imported'}{_where(dict(plan.arms[name].factors))}"
        for name in plan.planned_arms
    ]
    return f"Arm ({len(arms)} levels)\n" + "\n".join(arms)


def measured(plan: Plan) -> str:
    """The measures and their settings; judges by name."""
    said = []
    for name, measure in plan.measures.items():
        params = ", ".join(f"{key} = {value}" for key, value in measure.params.items())
        judge = f", as judged by {measure.judge}" if measure.judge else ""
        said.append(f"{name}: {measure.kind}{f' ({params})' if params else ''}{judge}")
    return "\n".join(said)


def models(plan: Plan) -> str:
    """The test of each hypothesis."""
    tests = [
        f"{h.id}: {h.test}{f', or {h.fallback} where units do not differ' if h.fallback else ''}"
        for h in plan.hypothesis
    ]
    bayes = [f"{h.id}: also the Bayesian model {h.bayes}" for h in plan.hypothesis if h.bayes]
    speaks = f"{LEVELS}{_SPEAKS_OF[plan.inference.seeds]}"
    return paragraphs(["\n".join(tests), *bayes, speaks])


def criteria(plan: Plan) -> str:
    """How a verdict is reached: bands, alpha, families, claims, gates."""
    rule = (
        f"The scale is cut into named bands. Each band is tested one-sided at alpha = {plan.inference.alpha:g} unless "
        "a hypothesis states its own; the verdict is the set of bands that the data do not exclude, and a prediction "
        "holds when only the predicted band is left."
    )
    own = [f"{h.id} is tested at alpha = {h.alpha:g}." for h in plan.hypothesis if h.alpha is not None]
    families = [f"The family {name} is corrected by {_FAMILIES[by]}." for name, by in plan.families.items()]
    claims = [
        f"{c.id} ({c.says}) holds when {'all' if c.all_of else 'any'} of {', '.join(c.members)} end as predicted."
        for c in plan.claim
    ]
    gates = [f"Gate {name}: {estimand(gate)} must end in {gate.need}." for name, gate in plan.gates.items()]
    audit = [] if plan.audit is None else [f"Measures are audited before they are believed: {settings(plan.audit)}."]
    return paragraphs([rule, *own, *families, *claims, *gates, *audit])


def exclusions(plan: Plan) -> str:
    """What is left out, and what is done with what never came."""
    return f"{_MISSING[plan.missing.answers]} {_MISSING_RUNS[plan.missing.runs]}"


def lock_note(state: StudyState, lock_id: str) -> str:
    """What the registration is of, and how anybody checks it."""
    lock = state.lock
    said = (
        f"This text was made from a locked plan: Seedlock study {state.paths.name}, lock {lock.n}, SHA-256 {lock_id}, "
        f"made {lock.created_asserted}. The lock pins the plan, {counted(len(lock.files), 'file')} that it names, and "
        f"the {counted(len(lock.code), 'source file')} that will judge it. Where this text and the locked plan differ, "
        "the plan counts."
    )
    return paragraphs([said, *(f"Caveat: {caveat}" for caveat in state.plan.study.caveats)])


def paragraphs(parts: Iterable[str]) -> str:
    """Paragraphs with an empty line between them; empty ones are left out."""
    return "\n\n".join(part for part in parts if part)
