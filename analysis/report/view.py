"""Everything a report says, gathered once for the page and its Markdown twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.report.figures.headline import headline_hypotheses
from seedlock.analysis.report.figures.questions import QuestionView, in_the_appendix, on_the_page
from seedlock.analysis.report.figures.style import Figure
from seedlock.analysis.report.sections import FOUND
from seedlock.analysis.report.sections.accounting import (
    DeviationView,
    accounting_facts,
    answers_table,
    deviation_views,
    gate_table,
    input_table,
    missing_runs,
)
from seedlock.analysis.report.sections.answer import AnswerView, StatusView, answer_view, status_view
from seedlock.analysis.report.sections.audit import AuditView, audit_view
from seedlock.analysis.report.sections.cells import cell_tables
from seedlock.analysis.report.sections.first_screen import (
    ScoreView,
    citation,
    scoreboard_views,
)
from seedlock.analysis.report.sections.hypotheses import HypothesisView, hypothesis_views
from seedlock.analysis.report.sections.judges import JudgesView, judges_view
from seedlock.analysis.report.sections.method import Paragraph, method_paragraphs
from seedlock.analysis.report.sections.promised import RoleView, role_views
from seedlock.analysis.report.sections.samples import SampleView, sample_views, training_views
from seedlock.analysis.report.text.pieces import Line, Table
from seedlock.analysis.report.text.records import bullets
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.verify.review_page import review_commands

type Fact = tuple[str, Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineView:
    """The figure of the first screen with what it found."""

    figure: Figure
    findings: tuple[Line, ...]
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The whole report in pieces, section by section."""

    study: str
    lock_id: str
    tool_version: str
    status: StatusView
    answer: AnswerView
    headline: HeadlineView
    scoreboard: tuple[ScoreView, ...]
    citation: str
    hypotheses: tuple[HypothesisView, ...]
    roles: tuple[RoleView, ...]
    found: tuple[Table, ...]
    accounting: tuple[Fact, ...]
    answers: Table | None
    missing_runs: tuple[Line, ...]
    lost_answers: Table | None
    gates: Table | None
    all_gates: Table | None
    judges: JudgesView | None
    audit: AuditView | None
    deviations: tuple[DeviationView, ...]
    known: tuple[Line, ...]
    caveats: tuple[Line, ...]
    next_steps: tuple[Line, ...]
    cannot_know: tuple[Line, ...]
    figures: tuple[QuestionView, ...]
    all_figures: tuple[QuestionView, ...]
    cells: tuple[Table, ...]
    samples: tuple[SampleView, ...]
    trained_on: tuple[SampleView, ...]
    method: tuple[Paragraph, ...]
    inputs: Table | None
    review: str
    check_page_sha256: str


def gather(results: Mapping[str, Any], locked: LockedPlan, headline: Figure, figures: tuple[Figure, ...]) -> View:
    """Gather the report of `results` (plain JSON data) under its lock; the first screen shows `headline`."""
    hypotheses = hypothesis_views(results)
    shown = headline_hypotheses(results)
    return View(
        study=locked.paths.name,
        lock_id=locked.lock_id,
        tool_version=results["tool_version"],
        status=status_view(results),
        answer=answer_view(results, locked),
        headline=headline_view(headline, hypotheses, shown),
        scoreboard=scoreboard_views(results, hypotheses),
        citation=citation(results, locked),
        hypotheses=hypotheses,
        roles=role_views(hypotheses, results["status"]),
        found=tuple(table for section in FOUND if (table := section(results)) is not None),
        accounting=accounting_facts(results),
        answers=answers_table(results),
        missing_runs=missing_runs(results),
        lost_answers=answers_table(results, only_lost=True),
        gates=gate_table(results, has_correlations=False),
        all_gates=gate_table(results, has_correlations=True),
        judges=judges_view(results),
        audit=audit_view(results),
        deviations=deviation_views(results),
        known=bullets("/known", results["known"]),
        caveats=bullets("/caveats", results["caveats"]),
        next_steps=bullets("/next_steps", results["next_steps"]),
        cannot_know=bullets("/cannot_know", results["cannot_know"]),
        figures=on_the_page(results, figures, shown[0]["measure"]),
        all_figures=in_the_appendix(figures),
        cells=cell_tables(results),
        samples=sample_views(results),
        trained_on=training_views(results),
        method=method_paragraphs(locked, results),
        inputs=input_table(results),
        review=review_commands(locked),
        check_page_sha256=results["check_page_sha256"],
    )


def headline_view(
    figure: Figure, hypotheses: Sequence[HypothesisView], shown: Sequence[Mapping[str, Any]]
) -> HeadlineView:
    """The figure of the first screen and, as its caption, the number of each hypothesis in it."""
    finding = [(*h.name, ": ", *h.number) for h in hypotheses if any(h.raw is s for s in shown)]
    return HeadlineView(figure=figure, findings=tuple(finding), key=key_of(figure))


def key_of(figure: Figure) -> str:
    """What the marks stand for, in one line: only those that are drawn."""
    arms = figure.data["arms"]
    marks = [
        ("circle: one unit", bool(arms)),
        ("grey behind circles: counting noise alone", any(arm["counting_noise"] for arm in arms)),
        ("dashed: base model", any(arm["base"] is not None for arm in arms)),
        ("tinted: the band that the plan names", True),
    ]
    said = "; ".join(words for words, is_drawn in marks if is_drawn)
    return f"{said[0].upper()}{said[1:]}."
