"""The forms of two registries, filled in from a locked plan: what each question is called, and its answer.

OSF Preregistration, version 3 (https://osf.io/prereg), with the question ids of its API; AsPredicted
(https://aspredicted.org), with those of the OSF's form of that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seedlock.prereg.base.reading import sha256_regular
from seedlock.prereg.lock.document import lock_paths
from seedlock.prereg.lock.state import StudyState
from seedlock.prereg.register import words

type Form = Literal["osf", "aspredicted"]
FORMS: tuple[Form, ...] = ("osf", "aspredicted")

EXPERIMENT = (
    "Experiment - A researcher randomly assigns treatments to study subjects, this includes field or lab experiments. "
    "This is also known as an intervention experiment and includes randomized controlled trials."
)
NO_BLINDING = "No blinding is involved in this study."
BEFORE, UNSEEN, AFTER = (
    "Registration prior to creation of data",
    "Registration prior to analysis of the data",
    "Registration following analysis of the data",
)
NOT_YET, COMPLICATED, ALREADY = (
    "No, no data have been collected for this study yet.",
    "It's complicated. We have already collected some data but explain in Question 8 why readers may consider this a "
    "valid pre-registration nevertheless.",
    "Yes, we already collected the data.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One question of a form; `id` is the one that the registry's API knows it by."""

    id: str
    question: str
    answer: str | list[str]


def answers(state: StudyState, form: Form) -> list[Answer]:
    """Every question of the form that a plan answers, in the form's order."""
    lock_id = sha256_regular(lock_paths(state.paths)[-1])
    return _osf(state, lock_id) if form == "osf" else _aspredicted(state, lock_id)


def _osf(state: StudyState, lock_id: str) -> list[Answer]:
    plan = state.plan
    judged = "Judges read answers without the arm, model or run that they come from." if plan.judges else ""
    rows: list[tuple[str, str, str | list[str]]] = [
        ("q2", "Hypotheses", words.hypotheses(plan, "confirmatory") or "None: the study is exploratory."),
        ("q3", "Study type", EXPERIMENT),
        ("q4", "Blinding", [NO_BLINDING]),
        ("q5", "Is there any additional blinding in this study?", judged),
        ("q6.question", "Study design", words.paragraphs([plan.study.question, words.manipulated(plan)])),
        ("q7", "Randomization", "Seeds are fixed in the plan; every arm is trained with each of them."),
        ("q8", "Existing Data", _existing(state)),
        ("q9", "Explanation of existing data", words.existing(plan)),
        ("q10.question", "Data collection procedures", words.collection(plan)),
        ("q11", "Sample size", words.sample_size(state)),
        ("q12", "Sample size rationale", words.rationale(state)),
        ("q13", "Stopping rule", words.stopping(plan)),
        ("q14.question", "Manipulated variables", words.manipulated(plan)),
        ("q15.question", "Measured variables", words.measured(plan)),
        ("q16.question", "Indices", "A measure's score is a mean over items within a run, then over runs."),
        ("q17.question", "Statistical models", words.models(plan)),
        ("q18", "Transformations", _scales(state)),
        ("q19", "Inference criteria", words.criteria(plan)),
        ("q20", "Data exclusion", words.exclusions(plan)),
        ("q21", "Missing data", words.exclusions(plan)),
        ("q22", "Exploratory analysis", words.hypotheses(plan, "exploratory")),
        ("q23", "Other", words.lock_note(state, lock_id)),
    ]
    return _answered(rows)


def _aspredicted(state: StudyState, lock_id: str) -> list[Answer]:
    plan = state.plan
    other = [words.existing(plan), words.hypotheses(plan, "exploratory"), words.lock_note(state, lock_id)]
    rows: list[tuple[str, str, str | list[str]]] = [
        ("data", "Have any data been collected for this study already?", _collected(state)),
        ("hypothesis", "What's the main question being asked or hypothesis being tested in this study?",
         words.paragraphs([plan.study.question, words.hypotheses(plan, "confirmatory")])),
        ("dependent", "Describe the key dependent variable(s) specifying how they will be measured.",
         words.measured(plan)),
        ("conditions", "How many and which conditions will participants be assigned to?", words.manipulated(plan)),
        ("analyses", "Specify exactly which analyses you will conduct to examine the main question/hypothesis.",
         words.paragraphs([words.models(plan), words.criteria(plan)])),
        ("outliers", "Describe exactly how outliers will be defined and handled, and your precise rule(s) for "
         "excluding observations.", words.exclusions(plan)),
        ("sample", "How many observations will be collected or what will determine sample size?",
         words.paragraphs([words.sample_size(state), words.stopping(plan)])),
        ("other", "Anything else you would like to pre-register?", words.paragraphs(other)),
        ("name", "Give a title for this AsPredicted pre-registration.", plan.study.title),
        ("study_type", "For record keeping purposes, please tell us the type of study you are pre-registering.",
         "Experiment"),
    ]  # fmt: skip
    return _answered(rows)


def _answered(rows: Sequence[tuple[str, str, str | list[str]]]) -> list[Answer]:
    return [Answer(id=id, question=question, answer=answer) for id, question, answer in rows if answer]


def _existing(state: StudyState) -> str:
    """The statement that is true on the day of the registration, by the plan and by the ledger."""
    names = {event.name for event in state.events}
    if state.plan.study.exposure == "published" or names & {"report.built", "look.opened"}:
        return AFTER
    return UNSEEN if "data.sealed" in names else BEFORE


def _collected(state: StudyState) -> str:
    if _existing(state) != BEFORE:
        return ALREADY
    return COMPLICATED if state.plan.study.exposure == "pilot" else NOT_YET


def _scales(state: StudyState) -> str:
    scales = sorted({h.scale for h in state.plan.hypothesis} - {"raw"})
    return f"Estimates are on the scale {', '.join(scales)}." if scales else ""


def as_text(found: Sequence[Answer]) -> str:
    """The form to copy from: each question as a heading with its answer below."""
    shown = [
        f"## {one.question}\n\n{one.answer if isinstance(one.answer, str) else chr(10).join(one.answer)}"
        for one in found
    ]
    return "\n\n".join(shown) + "\n"


def as_json(state: StudyState, form: Form, found: Sequence[Answer]) -> dict[str, Any]:
    """For the OSF's API, a draft registration (`PATCH /v2/draft_registrations/ID/`); for AsPredicted, answers by id."""
    responses = {one.id: one.answer for one in found}
    if form == "aspredicted":
        return responses
    study = state.plan.study
    attributes = {"title": study.title, "description": study.question, "registration_responses": responses}
    return {"data": {"type": "draft_registrations", "attributes": attributes}}
