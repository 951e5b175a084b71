"""Read a finished report as a sceptic would: unbound numbers, bare figures, leftovers, and verdicts too strong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from analysis.results import Results
from prereg.binding import check_markdown, check_page
from prereg.errors import Finding
from prereg.gate import LockedPlan
from prereg.plan import Plan

_LEFTOVER = re.compile(
    r"\bTODO\b|\bFIXME\b|\bTBD\b|\{\{|\}\}|\{%|\blorem ipsum\b|\bundefined\b"
    r"|\b[Nn]a[Nn]\b|\bNone\b|\bnull\b|[-\u2212]?\binf\b"
)
_CAPTION_PARTS = ("Look at:", "How to read it:", "Had the claim been false:")
_QUOTED = {"pre", "code", "script", "style", "svg"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def lint_report(page: str, markdown: str, results: Results, locked: LockedPlan | None = None) -> list[Finding]:
    """Every fault of a report, all at once; an empty list lets it out.

    Parameters
    ----------
    page, markdown
        report.html and report.md.
    results
        What results.json says.
    locked
        The plan, from which the gates of each hypothesis are known; without it only the results' own word counts.
    """
    data = results.model_dump(mode="json")
    return [
        *check_page(page, data),
        *check_markdown(markdown, page),
        *_reading(page, results),
        *contradictions(data),
        *overstatements(data, locked.plan if locked else None),
    ]


class _Reading(HTMLParser):
    """The page as its reader meets it: prose outside quotations, captions, pictures, pointers and their formats."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[tuple[str, dict[str, str]]] = []
        self.prose: list[tuple[int, str]] = []
        self.figures: list[tuple[str, int]] = []
        self.captions: list[list[str]] = []
        self.unlabelled: list[int] = []
        self.formats: dict[str, set[str]] = {}
        self.loads: list[tuple[int, str]] = []
        self.chips = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self.stack.append((tag, a))
        if tag == "figure":
            self.figures.append((a.get("id", ""), self.getpos()[0]))
            self.captions.append([])
        if tag == "svg" and not a.get("aria-label"):
            self.unlabelled.append(self.getpos()[0])
        if "data-format" in a:
            self.formats.setdefault(a.get("data-ref", ""), set()).add(a["data-format"])
        for name in ("src", "srcset", "data", "poster"):
            if a.get(name):
                self.loads.append((self.getpos()[0], a[name]))
        if tag in {"link", "iframe", "base"}:
            self.loads.append((self.getpos()[0], a.get("href", tag)))

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _ in self.stack}
        if "figcaption" in tags and self.captions:
            self.captions[-1].append(data)
        is_bound = any("data-quoted" in a or "data-ref" in a for _, a in self.stack)
        if not tags & _QUOTED and not is_bound:
            self.prose.append((self.getpos()[0], data))
        if any("chip" in a.get("class", "").split() for _, a in self.stack):
            self.chips += 1


def _reading(page: str, results: Results) -> Iterator[Finding]:
    reader = _Reading()
    reader.feed(page)
    reader.close()
    for line, text in reader.prose:
        for found in _LEFTOVER.findall(text):
            yield _fault(f"report.html line {line}", f"{found!r} in {_brief(text)}", "finished prose")
    for (name, line), words in zip(reader.figures, reader.captions, strict=True):
        for part in _CAPTION_PARTS:
            if not re.search(re.escape(part) + r"\s*\S", "".join(words)):
                yield _fault(f"figure {name!r}, line {line}", f"no {part[:-1]!r}", "a caption that says how to read it")
    for line in reader.unlabelled:
        yield _fault(f"report.html line {line}", "a picture without words", "aria-label")
    for line, address in reader.loads:
        yield _fault(f"report.html line {line}", f"loads {address}", "a page that loads nothing")
    for ref, formats in reader.formats.items():
        if len(formats) > 1:
            yield _fault(ref, f"printed as {', '.join(sorted(formats))}", "one number, one way to write it")
    sections = len(re.findall(r"<section\b", page))
    if reader.chips < sections:
        yield _fault(
            "report.html", f"status {results.status} in {reader.chips} of {sections} places", "on every section"
        )


def contradictions(results: Mapping[str, Any]) -> Iterator[Finding]:
    """Two statements of one quantity that cannot both be true."""
    a = results["accounting"]
    if a["runs_with_data"] + len(a["runs_missing"]) != a["runs_planned"]:
        found = f"{a['runs_with_data']} with data and {len(a['runs_missing'])} missing"
        yield _fault("/accounting", found, f"{a['runs_planned']} planned")
    for i, h in enumerate(results["hypotheses"]):
        yield from _hypothesis_contradictions(f"/hypotheses/{i}", h)
    for i, cell in enumerate(results["cells"]):
        yield from _cell_contradictions(f"/cells/{i}", cell)


def _hypothesis_contradictions(ref: str, h: Mapping[str, Any]) -> Iterator[Finding]:
    if h["estimate"] is None:
        if not h["reasons"]:
            yield _fault(f"{ref}/reasons", "no estimate and no reason", "a reason beside every undefined number")
        return
    if h["ci"] is not None and not h["ci"][0] <= h["estimate"] <= h["ci"][1]:
        yield _fault(f"{ref}/ci", f"{h['ci']}", f"an interval around {h['estimate']}")
    if not math.isclose(h["ci_level"], 1 - 2 * h["alpha"], abs_tol=1e-9):
        yield _fault(f"{ref}/ci_level", f"{h['ci_level']}", f"1 - 2 alpha = {1 - 2 * h['alpha']}")
    left = [band["name"] for band in h["bands"] if band["excluded"] is False]
    if h["verdict"] and left != h["verdict"]:
        yield _fault(f"{ref}/verdict", f"{h['verdict']}", f"the bands not excluded: {left}")


def _cell_contradictions(ref: str, cell: Mapping[str, Any]) -> Iterator[Finding]:
    if cell["mean"] is None and not cell["reasons"]:
        yield _fault(f"{ref}/reasons", "no mean and no reason", "a reason beside every undefined number")
    if cell["k"] is not None and cell["n"] is not None and cell["k"] > cell["n"]:
        yield _fault(f"{ref}/k", f"{cell['k']} of {cell['n']}", "no more successes than answers")
    inside = cell["mean"] is None or cell["ci"] is None or cell["ci"][0] <= cell["mean"] <= cell["ci"][1]
    if not inside:
        yield _fault(f"{ref}/ci", f"{cell['ci']}", f"an interval around {cell['mean']}")


def overstatements(results: Mapping[str, Any], plan: Plan | None) -> Iterator[Finding]:
    """Verdicts stronger than their gates, members or status allow."""
    shut = {gate["name"] for gate in results["gates"] if gate["passed"] is not True}
    verdicts = {h["id"]: h for h in results["hypotheses"]}
    required = _required_gates(plan)
    for i, h in enumerate(results["hypotheses"]):
        ref = f"/hypotheses/{i}"
        closed = sorted(shut & set(required.get(h["id"], ())))
        if closed and h["verdict"]:
            yield _fault(f"{ref}/verdict", f"{h['verdict']}", f"not testable: gate {', '.join(closed)} did not hold")
        if h["verdict"] and h["estimate"] is None:
            yield _fault(f"{ref}/verdict", f"{h['verdict']}", "no verdict without an estimate")
        decided = h["decision"] in {band["name"] for band in h["bands"]}
        if decided and h["verdict"] != [h["decision"]]:
            yield _fault(f"{ref}/decision", h["decision"], f"what the bands leave: {h['verdict']}")
    for i, claim in enumerate(results["claims"]):
        met = [
            name in verdicts and verdicts[name]["verdict"] == [verdicts[name]["predicted"]] for name in claim["members"]
        ]
        holds = all(met) if claim["rule"] == "all_of" else any(met)
        if claim["decision"] == "supported" and not holds:
            yield _fault(f"/claims/{i}/decision", "supported", "not by the verdicts of its members")
    yield from _confidence(results)


def _required_gates(plan: Plan | None) -> dict[str, list[str]]:
    """Gates each hypothesis needs; a plan that names none for it needs all."""
    if plan is None:
        return {}
    return {name: plan.gates_of(h, extra) for name, h, extra in plan.expanded()}


def _confidence(results: Mapping[str, Any]) -> Iterator[Finding]:
    answer, where = results["answer"], "/answer/confidence"
    if answer["confidence"] == "high" and results["status"] != "confirmatory":
        yield _fault(where, "high", f"less, in a {results['status']} study")
    if answer["confidence"] == "high" and any(gate["passed"] is not True for gate in results["gates"]):
        yield _fault(where, "high", "less, where a gate did not hold")
    if results["status"] == "confirmatory" and results["deviations"]:
        yield _fault("/status", "confirmatory", "deviated: departures were declared")


def _fault(where: str, found: str, promised: str) -> Finding:
    return Finding(where=where, found=found, promised=promised)


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:77] + "..."
