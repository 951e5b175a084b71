"""The report of a synthesis: one page, its Markdown twin, the forest, and what `verify` builds again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.report.figures.pooled import pooled_figure
from seedlock.analysis.report.figures.questions import QuestionView
from seedlock.analysis.report.figures.style import Figure
from seedlock.analysis.report.markdown import render_twin
from seedlock.analysis.report.page import render
from seedlock.analysis.report.sections.answer import Fact, StatusView
from seedlock.analysis.report.sections.synthesis import (
    band_table,
    effect_table,
    kind_of,
    left_out_table,
    other_table,
    reason_lines,
    registered_table,
    spread_facts,
    status_view,
)
from seedlock.analysis.report.text.pieces import Line, Quote, Table
from seedlock.analysis.report.text.records import bullets
from seedlock.analysis.results.synthesis import SynthesisResults
from seedlock.prereg.base.canonical import canonical_json
from seedlock.prereg.errors import Finding
from seedlock.prereg.verify.number_binding import check_markdown, check_page, strange_marks

PAGE, TWIN = "report.html", "report.md"
_SECTIONS = (
    ("answer", "Answer"),
    ("found", "Promised and found"),
    ("accounting", "Nothing swept away"),
    ("check", "Check"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisView:
    """Everything that the page and its twin say."""

    study: str
    lock_id: str
    tool_version: str
    status: StatusView
    heading: Line
    question: Line
    sentences: tuple[Line, ...]
    status_reasons: tuple[Line, ...]
    forest: QuestionView
    promised: Line
    include: Line
    spread: tuple[Fact, ...]
    found: tuple[Table, ...]
    counted: tuple[Table, ...]
    known: tuple[Line, ...]
    caveats: tuple[Line, ...]
    cannot_know: tuple[Line, ...]
    review: str


def synthesis_files(results: SynthesisResults) -> dict[str, bytes]:
    """Name and bytes of every file of the report that is drawn; the same results give the same bytes."""
    figure = pooled_figure(results, kind_of(results))
    view, data = _view(results, figure), results.model_dump(mode="json")
    page = render("synthesis.html.j2", view, data, sections=_SECTIONS)
    plotted = canonical_json(dict(figure.data)) + b"\n"
    return {
        PAGE: page.encode(),
        TWIN: render_twin("synthesis.md.j2", view, data).encode(),
        f"figures/{figure.slug}.svg": figure.svg.encode(),
        f"figures/{figure.slug}.png": figure.png,
        f"figures/{figure.slug}.json": plotted,
    }


def _view(results: SynthesisResults, figure: Figure) -> SynthesisView:
    forest = QuestionView(title=figure.title, finding=(), caption=figure.caption, plots=(figure,))
    found = (effect_table(results), band_table(results), other_table(results))
    counted = (left_out_table(results), registered_table(results))
    predicted: Line = (Quote("/claim"), " Predicted: ", Quote("/predicted"), ". Verdict: ", Quote("/decision"), ".")
    return SynthesisView(
        study=results.synthesis,
        lock_id=results.lock_id,
        tool_version=results.tool_version,
        status=status_view(results),
        heading=(Quote("/title"),),
        question=(Quote("/question"),),
        sentences=bullets("/sentences", results.sentences),
        status_reasons=tuple(reason_lines(results)),
        forest=forest,
        promised=predicted,
        include=("Effects were chosen by this rule: ", Quote("/include")),
        spread=spread_facts(results),
        found=tuple(table for table in found if table is not None),
        counted=tuple(table for table in counted if table is not None),
        known=bullets("/known", results.known),
        caveats=bullets("/caveats", results.caveats),
        cannot_know=bullets("/cannot_know", results.cannot_know),
        review=_review(results),
    )


def _review(results: SynthesisResults) -> str:
    """Shell commands that hold the pooled files against the ledgers of their studies."""
    lines = ["# the pooled results are those that the ledgers name"]
    for study, digest in dict.fromkeys((effect.study, effect.results_sha256) for effect in results.effects):
        lines.append(f"grep -c {digest} lockfiles/{study}/ledger.jsonl")
    lines += [
        "# and every file of this report has the digest of its manifest",
        f"cd reports/syntheses/{results.synthesis} && sha256sum -c --strict manifest.sha256",
        f"seedlock verify {results.synthesis}",
    ]
    return "\n".join(lines)


def page_faults(pages: dict[str, bytes], data: Any) -> Iterator[Finding]:
    """Numbers that are not what results.json says, or are bound to nothing."""
    page, twin = (pages[name].decode("utf-8", "replace") for name in (PAGE, TWIN))
    yield from check_page(page, data, PAGE)
    if not strange_marks(page):
        yield from check_markdown(twin, page)
