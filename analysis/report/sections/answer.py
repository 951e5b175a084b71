"""Answer first: the question, two sentences, how far to trust them, and what the study may call itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.report.sections.accounting import missing_facts
from seedlock.analysis.report.text.pieces import Code, Line, Number, Quote
from seedlock.analysis.report.text.records import bullets
from seedlock.prereg.lock.gate import LockedPlan, Status

type Fact = tuple[str, Line]

_MEANING: dict[Status, str] = {
    "confirmatory": "The plan was locked before the data came, and was followed.",
    "deviated": (
        "The plan was locked first and departed from since; each result touched is shown as planned and as deviated."
    ),
    "retrospective": (
        "Outputs of this study existed before its plan was locked. What follows describes these data; it confirms "
        "nothing."
    ),
    "exploratory": "The plan promises no confirmatory test. What follows suggests; it confirms nothing.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """What the study may call itself, on every section of the page."""

    name: Status
    meaning: str

    @property
    def word(self) -> str:
        """As the page prints it."""
        return self.name.capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """The top of the page."""

    title: Line
    question: Line
    sentences: tuple[Line, ...]
    confidence: str
    grounds: tuple[Line, ...]
    limits: tuple[Line, ...]
    status_reasons: tuple[Line, ...]
    facts: tuple[Fact, ...]


def status_view(results: Mapping[str, Any]) -> StatusView:
    """The study's status in words."""
    return StatusView(name=results["status"], meaning=_MEANING[results["status"]])


def answer_view(results: Mapping[str, Any], locked: LockedPlan) -> AnswerView:
    """The answer and what it stands on."""
    return AnswerView(
        title=(Quote("/title"),),
        question=(Quote("/question"),),
        sentences=bullets("/answer/sentences", results["answer"]["sentences"]),
        confidence=confidence_words(results["answer"]["confidence"]),
        grounds=bullets("/answer/grounds", results["answer"]["grounds"]),
        limits=bullets("/answer/reasons", results["answer"]["reasons"]),
        status_reasons=bullets("/status_reasons", results["status_reasons"]),
        facts=tuple(_facts(results, locked)),
    )


def confidence_words(level: str) -> str:
    """The level in words; an open headline has none, and what follows says what it lacks."""
    return "Still open: what would settle it" if level == "none" else f"Confidence in this answer: {level}"


def _facts(results: Mapping[str, Any], locked: LockedPlan) -> list[Fact]:
    def n(key: str) -> Number:
        return Number(f"/accounting/{key}", "integer")

    study = locked.paths.name
    made = (Code(locked.locks[0].created_asserted), " (its author's clock), lock ", Number("/lock_n", "integer"))
    verify = Code(f"seedlock verify {study}")
    return [
        ("Lock id", (Code(results["lock_id"]),)),
        ("Plan locked", made),
        ("Level reached", ("self-consistent (", Code("T0"), "); run ", verify, " for the level reached")),
        ("Departures", ("declared; each is told below" if results["deviations"] else "none declared",)),
        ("Looks", (n("looks_planned"), " planned, ", n("looks_used"), " used")),
        ("Runs", (n("runs_planned"), " planned, ", n("runs_with_data"), " with data")),
        *missing_facts(results),
    ]
