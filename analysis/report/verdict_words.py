"""Words of a report that say how strong a result is, held to its results whoever built it.

Each version of Seedlock writes a page in its own way; in all of them an outcome stands behind the hypothesis that it is
of, every section has the study's status, and the Markdown names status and verdicts. Those are read here; that the
rest of the prose is the builder's, only building it again can show.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from seedlock.analysis.report.contradictions import fault
from seedlock.analysis.report.sections.answer import confidence_words
from seedlock.analysis.report.sections.hypotheses import outcome_of, outcome_words
from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.gate import Status
from seedlock.prereg.verify.marks import attributes_of, marks
from seedlock.prereg.verify.pages import REPORT

STATUSES = frozenset(get_args(Status.__value__))
_HYPOTHESIS = re.compile(r"/hypotheses/(\d{1,6})(?:/|$)")
_VERDICT = re.compile(r"^Verdict: \*\*(.*)\*\* \(([^()]*)\)\.$", re.MULTILINE)
_CLASSES = ("outcome", "chip", "confidence")


def verdict_faults(pages: Mapping[str, str], markdown: str, data: Mapping[str, Any]) -> Iterator[Finding]:
    """Outcomes, statuses, confidence and verdicts that are not those of the results, nor these those of the bands."""
    for number, h in enumerate(data["hypotheses"]):
        standing = [band["name"] for band in h["bands"] if not band["excluded"]]
        if h["verdict"] != (standing if h["estimate"] is not None else []):
            yield fault(f"/hypotheses/{number}/verdict", str(h["verdict"])[:200], str(standing)[:200])
    for name, page in pages.items():
        marked = list(_marked(page))
        yield from _statuses(name, [words for kind, _, words in marked if kind == "chip"], data["status"])
        if name == REPORT:
            yield from _outcomes(name, [(of, words) for kind, of, words in marked if kind == "outcome"], data)
        if name == REPORT and "answer" in data:  # results of a shape that has none are R6's to say
            promised = confidence_words(data["answer"]["confidence"])
            for words in sorted({words for kind, _, words in marked if kind == "confidence"} - {promised}):
                yield fault(f"{name} confidence", words, promised)
    yield from _markdown(markdown, data)


def _marked(page: str) -> Iterator[tuple[str, int | None, str]]:
    """Kind, number of the hypothesis that was named last, and words of each marked element."""
    named: int | None = None
    waiting = ""
    for mark in marks(page):
        if waiting:
            yield waiting, named, " ".join(mark.text.split()) if mark.kind == "text" else ""
            waiting = ""
        if mark.kind == "start" and "=" in mark.text:
            attributes = attributes_of(mark.text)
            pointer = attributes.get("data-quoted", attributes.get("data-ref", ""))
            if of := _HYPOTHESIS.match(pointer):
                named = int(of[1])
            classes = attributes.get("class", "").split()
            waiting = next((kind for kind in _CLASSES if kind in classes), "")


def _outcomes(name: str, found: list[tuple[int | None, str]], data: Mapping[str, Any]) -> Iterator[Finding]:
    """Each hypothesis has one outcome, behind its name, in the words for what it came to."""
    for number, h in enumerate(data["hypotheses"]):
        kind = outcome_of(h)
        allowed = {kind, outcome_words(kind, data["status"])}  # versions before the last say the first of any study
        words = [said.partition(" ")[2] for of, said in found if of == number]
        if len(words) != 1 or words[0] not in allowed:
            yield fault(f"{name} {h['id']}", ", ".join(words) or "no outcome", " or ".join(sorted(allowed)))
    if len(found) != len(data["hypotheses"]):
        yield fault(name, f"{len(found)} outcomes", f"{len(data['hypotheses'])}, one a hypothesis")


def _statuses(name: str, chips: list[str], status: str) -> Iterator[Finding]:
    if other := sorted({chip for chip in chips if chip.lower() in STATUSES - {status}}):
        yield fault(name, f"status {', '.join(other)}", status)
    if status.capitalize() not in chips:
        yield fault(name, "its status nowhere", status)


def _markdown(markdown: str, data: Mapping[str, Any]) -> Iterator[Finding]:
    if f"> **{data['status'].upper()}.**" not in markdown:
        yield fault("report.md", "its status nowhere", data["status"].upper())
    promised: Counter[tuple[str, str]] = Counter()
    older: Counter[tuple[str, str]] = Counter()
    for h in data["hypotheses"]:
        kind = outcome_of(h)
        older[(h["decision"], kind)] += 1
        promised[(h["decision"], outcome_words(kind, data["status"]))] += 1
    found = Counter((_plain(decision), words) for decision, words in _VERDICT.findall(markdown))
    if found not in (promised, older):
        wrong = found - (promised | older) or (promised - found)
        said = "; ".join(f"{decision} ({words})" for decision, words in sorted(wrong))
        yield fault("report.md", f"other verdicts: {said}"[:200], "the verdicts of results.json")


def _plain(text: str) -> str:
    """Markdown as it is shown."""
    return re.sub(r"\\(.)", r"\1", text)
