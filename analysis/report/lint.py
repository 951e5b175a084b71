"""Read a finished report as a sceptic would: unbound numbers, bare figures, leftovers, and verdicts too strong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any, NamedTuple

from seedlock.analysis.findings.tally import ROLES
from seedlock.analysis.report.contradictions import contradictions, fault
from seedlock.analysis.report.overstatements import overstatements
from seedlock.analysis.report.sections.answer import confidence_words
from seedlock.analysis.report.sections.hypotheses import outcome_of, outcome_words
from seedlock.analysis.results.schema import Results
from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.verify.marks import Mark, attributes_of, marks
from seedlock.prereg.verify.number_binding import check_markdown, check_page, strange_marks
from seedlock.prereg.verify.pages import REPORT

_LEFTOVER = re.compile(
    r"\bTODO\b|\bFIXME\b|\bTBD\b|\{\{|\}\}|\{%|\blorem ipsum\b|\bundefined\b"
    r"|\b[Nn]a[Nn]\b|\bNone\b|\bnull\b|[-\u2212]?\binf\b"
    r"|\bXXX\b|\?\?\?|\bplaceholder\b|\bto be (?:written|determined|done|added)\b"
)
_CAPTION_PARTS = ("Look at:", "How to read it:", "Had the claim been false:")
_QUOTED = {"pre", "code", "script", "style", "svg"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def lint_report(
    pages: Mapping[str, str], markdown: str, results: Results, plan: Plan | None = None, *, knows_tests: bool = True
) -> list[Finding]:
    """Every fault of a report, all at once; an empty list lets it out.

    Parameters
    ----------
    pages
        Name and text of report.html and, but for older reports, appendix.html.
    markdown
        report.md.
    results
        What results.json says.
    plan
        From which the gates of each hypothesis are known; without it only the results' own word counts.
    knows_tests
        Whether the results' tests are this Seedlock's.
    """
    data = results.model_dump(mode="json")
    unbound = [fault for name, page in pages.items() for fault in check_page(page, data, name)]
    unbound += check_markdown(markdown, *pages.values())
    return [*unbound, *lint_words(pages, results, plan, knows_tests=knows_tests)]


def lint_words(
    pages: Mapping[str, str], results: Results, plan: Plan | None = None, *, knows_tests: bool = True
) -> list[Finding]:
    """Every fault of a report but those of its numbers' bindings; parameters as in `lint_report`."""
    if any(map(strange_marks, pages.values())):
        return []
    data = results.model_dump(mode="json")
    return [
        *(found for name, page in pages.items() for found in _reading(name, page, data)),
        *contradictions(data, knows_tests=knows_tests),
        *overstatements(data, plan),
    ]


class _Open(NamedTuple):  # a page has tens of thousands, as of marks
    """An element that has not ended: its tag and those around it, all their classes, and whether one is bound."""

    tag: str
    tags: frozenset[str]
    classes: frozenset[str]
    is_bound: bool

    @classmethod
    def inside(cls, around: _Open, tag: str, a: dict[str, str]) -> _Open:
        """An element within another."""
        classes = around.classes | frozenset(a["class"].split()) if "class" in a else around.classes
        is_bound = around.is_bound or "data-quoted" in a or "data-ref" in a
        return cls(tag, around.tags if tag in around.tags else around.tags | {tag}, classes, is_bound)


_TOP = _Open("", frozenset(), frozenset(), is_bound=False)


class _Reading:
    """The page as its reader meets it: prose outside quotations, captions, pictures, pointers and their formats."""

    def __init__(self) -> None:
        self.line = 0
        self.stack: list[_Open] = []
        self.prose: list[tuple[int, str]] = []
        self.figures: list[tuple[str, int]] = []
        self.captions: list[list[str]] = []
        self.unlabelled: list[int] = []
        self.tables: list[tuple[int, str]] = []
        self.outcomes: list[str] = []
        self.chips: list[str] = []
        self.confidence = ""
        self.formats: dict[str, set[str]] = {}
        self.loads: list[tuple[int, str]] = []

    def mark(self, mark: Mark) -> None:
        """One mark of the page after the other."""
        self.line = mark.line
        if mark.kind == "start":
            self._start(mark.tag, attributes_of(mark.text))
        elif mark.kind == "end":
            self._end(mark.tag)
        else:
            self._data(unescape(mark.text))

    def _start(self, tag: str, a: dict[str, str]) -> None:
        if tag not in _VOID:
            self.stack.append(_Open.inside(self.stack[-1] if self.stack else _TOP, tag, a))
        if tag == "figure":
            self.figures.append((a.get("id", ""), self.line))
            self.captions.append([])
        if tag == "table":
            self.tables.append((self.line, ""))
        if tag == "svg" and not a.get("aria-label"):
            self.unlabelled.append(self.line)
        if tag in {"link", "iframe", "base"}:
            self.loads.append((self.line, a.get("href", tag)))
        if a:
            self._attributes(a)

    def _attributes(self, a: dict[str, str]) -> None:
        classes = a.get("class", "").split()
        if "outcome" in classes:
            self.outcomes.append("")
        if "chip" in classes:
            self.chips.append("")
        if "data-format" in a:
            self.formats.setdefault(a.get("data-ref", ""), set()).add(a["data-format"])
        for name in ("src", "srcset", "data", "poster"):
            if a.get(name):
                self.loads.append((self.line, a[name]))

    def _end(self, tag: str) -> None:
        while self.stack and self.stack.pop().tag != tag:
            pass

    def _data(self, data: str) -> None:
        here = self.stack[-1] if self.stack else _TOP
        if "figcaption" in here.tags and self.captions:
            self.captions[-1].append(data)
        if not here.is_bound and here.tags.isdisjoint(_QUOTED):
            self.prose.append((self.line, data))
        self._mark(data, here.tags, here.classes)

    def _mark(self, data: str, tags: frozenset[str], classes: frozenset[str]) -> None:
        """Words that carry a verdict without being a number, and the captions of tables."""
        if "caption" in tags and self.tables:
            self.tables[-1] = (self.tables[-1][0], self.tables[-1][1] + data)
        if "outcome" in classes and self.outcomes:
            self.outcomes[-1] += data
        if "chip" in classes and self.chips:
            self.chips[-1] += data
        if "confidence" in classes:
            self.confidence += data


def _reading(name: str, page: str, results: Mapping[str, Any]) -> Iterator[Finding]:
    reader = _Reading()
    for mark in marks(page):
        reader.mark(mark)
    for line, text in reader.prose:
        for found in _LEFTOVER.findall(text):
            yield fault(f"{name} line {line}", f"{found!r} in {_brief(text)}", "finished prose")
    yield from _captions(name, reader)
    for line in reader.unlabelled:
        yield fault(f"{name} line {line}", "a picture without words", "aria-label")
    for line, caption in reader.tables:
        if not caption.strip():
            yield fault(f"{name} line {line}", "a table without a caption", "a caption with what it holds")
    for line, address in reader.loads:
        yield fault(f"{name} line {line}", f"loads {address}", "a page that loads nothing")
    for ref, formats in reader.formats.items():
        if len(formats) > 1:
            yield fault(ref, f"printed as {', '.join(sorted(formats))}", "one number, one way to write it")
    yield from _statuses(name, reader, results["status"].capitalize(), sections=len(re.findall(r"<section\b", page)))
    if name == REPORT:
        yield from _verdict_words(reader, results)


def _captions(name: str, reader: _Reading) -> Iterator[Finding]:
    for (slug, line), words in zip(reader.figures, reader.captions, strict=True):
        for part in _CAPTION_PARTS:
            if not re.search(re.escape(part) + r"\s*\S", "".join(words)):
                where = f"{name} figure {slug!r}, line {line}"
                yield fault(where, f"no {part[:-1]!r}", "a caption with how to read it")


def _statuses(name: str, reader: _Reading, status: str, *, sections: int) -> Iterator[Finding]:
    if reader.chips.count(status) < sections:
        found = f"{status} in {reader.chips.count(status)} of {sections} places"
        yield fault(name, found, "the status on every section")
    if other := sorted({chip for chip in reader.chips if chip != status}):
        yield fault(name, f"status {', '.join(other)}", f"{status} everywhere")


def _verdict_words(reader: _Reading, results: Mapping[str, Any]) -> Iterator[Finding]:
    """Words that say how strong a verdict is, which no binding of numbers holds."""
    hypotheses = sorted(results["hypotheses"], key=lambda h: ROLES.index(h["role"]))
    promised = [outcome_words(outcome_of(h), results["status"]) for h in hypotheses]
    found_words = [" ".join(text.split()[1:]) for text in reader.outcomes]
    if len(found_words) != len(promised):
        yield fault("report.html", f"{len(found_words)} verdicts", f"{len(promised)}, one a hypothesis")
    for h, found, expected in zip(hypotheses, found_words, promised, strict=False):
        if found != expected:
            yield fault(f"report.html {h['id']}", found, expected)
    confidence = confidence_words(results["answer"]["confidence"])
    if reader.confidence.strip() != confidence:
        yield fault("report.html confidence", reader.confidence.strip() or "not stated", confidence)


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:77] + "..."
