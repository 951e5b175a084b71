"""The report in a terminal: the same answer, verdicts and accounting, for `seedlock show STUDY`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from seedlock.analysis.findings.headline import units_text
from seedlock.analysis.report.sections.accounting import accounting_facts, missing_facts
from seedlock.analysis.report.sections.answer import confidence_words, status_view
from seedlock.analysis.report.sections.first_screen import GLYPHS, kind_words, role_words
from seedlock.analysis.report.sections.hypotheses import outcome_of
from seedlock.analysis.report.text.formats import exact_spec, hypothesis_spec
from seedlock.analysis.report.text.pieces import shows_hidden
from seedlock.analysis.report.writers import TextWriter
from seedlock.analysis.results.schema import HypothesisResult, Results
from seedlock.prereg.verify.number_binding import UNDEFINED, format_value

_COLOURS = {"confirmatory": "blue", "deviated": "yellow", "retrospective": "bold red", "exploratory": "red"}


def show(results: Results, console: Console | None = None) -> None:
    """Print the answer, one row a hypothesis and claim, and the accounting.

    Parameters
    ----------
    results
        What results.json says.
    console
        Where to; standard output by default.
    """
    (console or Console()).print(as_terminal(results))


def as_terminal(results: Results) -> RenderableType:
    """Everything `show` prints, as one renderable."""
    data = results.model_dump(mode="json")
    return Group(*_parts(data))


def _parts(data: Mapping[str, Any]) -> Iterator[RenderableType]:
    status = status_view(data)
    yield Panel(
        Group(
            Text(shows_hidden(data["title"]), style="bold"),
            Text(shows_hidden(data["question"]), style="italic"),
            *(Text(shows_hidden(sentence)) for sentence in ["", *data["answer"]["sentences"]]),
        ),
        title=Text(f"{status.word.upper()} · {data['study']}"),
        border_style=_COLOURS[status.name],
        padding=(1, 2),
    )
    yield Text(f"{status.word}. {status.meaning}", style=_COLOURS[status.name])
    yield Text(confidence_words(data["answer"]["confidence"]), style="bold")
    yield from (Text(f"  + {shows_hidden(ground)}") for ground in data["answer"]["grounds"])
    yield from (Text(f"  - {shows_hidden(reason)}") for reason in data["answer"]["reasons"])
    yield from _scoreboard(data)
    yield Text("")
    yield _hypotheses(data)
    if data["claims"]:
        yield _claims(data)
    writer = TextWriter(data)
    yield from (Text(f"{label}: {writer.line(line)}") for label, line in missing_facts(data))
    yield Text("Nothing swept away", style="bold")
    yield from (Text(f"  {label}: {writer.line(line)}") for label, line in accounting_facts(data))
    yield Text(f"  Departures from the plan: {len(data['deviations']) or 'none declared'}")
    yield Text(f"Lock {data['lock_id']}. The full report: reports/{data['study']}/report.html", style="dim")


def _scoreboard(data: Mapping[str, Any]) -> Iterator[Text]:
    """One line a role: how many of its hypotheses came out which way."""
    for role, some in groupby(data["answer"]["tally"], key=lambda t: t["role"]):
        kinds = (f"{GLYPHS[t['outcome']]} {t['n']} {kind_words(t['outcome'], data['status'])}" for t in some)
        yield Text(f"{role_words(role, data['status'])}: {', '.join(kinds)}")


def _hypotheses(data: Mapping[str, Any]) -> Table:
    table = Table(title="Promised and found", title_justify="left", pad_edge=False)
    for name in ("", "Hypothesis", "Estimate", "Interval", "Replication", "Verdict"):
        table.add_column(name, overflow="fold")
    for h in data["hypotheses"]:
        spec = hypothesis_spec(h)
        units = UNDEFINED if h["n_units"] is None else units_text(HypothesisResult.model_validate(h))
        table.add_row(
            GLYPHS[outcome_of(h)],
            Text(shows_hidden(h["id"])),
            format_value(h["estimate"], spec),
            _interval(h, spec),
            Text(shows_hidden(units)),
            Text(shows_hidden(h["decision"])),
        )
    return table


def _interval(h: Mapping[str, Any], spec: str) -> Text:
    if h["ci"] is None:
        return Text(UNDEFINED)
    low, high = (format_value(end, spec) for end in h["ci"])
    return Text(f"{format_value(h['ci_level'], exact_spec(h['ci_level'], 'percent'))} [{low}, {high}]")


def _claims(data: Mapping[str, Any]) -> Table:
    table = Table(title="Composite claims", title_justify="left", pad_edge=False)
    for name in ("Claim", "Says", "Verdict"):
        table.add_column(name, overflow="fold")
    for claim in data["claims"]:
        table.add_row(*(Text(shows_hidden(claim[key])) for key in ("id", "says", "decision")))
    return table
