"""Bind what a report prints to `results.json`: one formatter for writing, one checker for verifying.

A number in the report is written as

    <data value="0.1168" data-ref="/hypotheses/0/estimate" data-format="percent1">11.7%</data>

and a sentence that was computed or quoted as `<span data-quoted="/answer/sentences/0">...</span>`. The checker
resolves each pointer in results.json, formats again and compares. Digits anywhere else in the page's text are
unbound, except in code, commands, figures, references and times.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from itertools import chain
from typing import Any

from seedlock.prereg.base.canonical import canonical_json
from seedlock.prereg.base.json_pointer import resolve
from seedlock.prereg.errors import Finding
from seedlock.prereg.verify.marks import Mark, attributes_of, marks, without_quoted

MAX_DECIMALS = 20
MAX_OPEN = 100
UNDEFINED = "not defined"
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_FREE = {"code", "pre", "svg", "script", "style", "cite", "time", "title", "head"}
_BINDS = frozenset({"data-ref", "data-quoted"})
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def format_value(value: Any, spec: str) -> str:  # noqa: PLR0911  (one return a format reads best)
    """Write one value of results.json as a person reads it.

    Parameters
    ----------
    value
        A number, text, or None, which is written as "not defined".
    spec
        `percentD` (0.117 -> 11.7%), `ppD` (0.383 -> 38.3 pp), `numberD`, `p` (0.0004 -> < 0.001), `integer`,
        `text`; D is the number of decimals.
    """
    if value is None:
        return UNDEFINED
    kind = spec.rstrip("0123456789")
    decimals = int(spec[len(kind) :] or 0)
    if decimals > MAX_DECIMALS or (kind != "text" and not isinstance(value, int | float)):
        raise ValueError(f"no {spec!r} of {str(value)[:40]!r}")
    match kind:
        case "percent":
            return f"{_fixed(100 * value, decimals)}%"
        case "pp":
            return f"{_fixed(100 * value, decimals)} pp"
        case "number":
            return _fixed(value, decimals)
        case "p":
            return "< 0.001" if value < 0.001 else f"{value:.3f}"
        case "integer":
            return f"{value:,d}"
        case "text":
            return str(value)
        case _:
            raise ValueError(f"unknown format {spec!r}")


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    is_zero = not text.strip("-0.,")
    return text.lstrip("-") if is_zero else text.replace("-", "\u2212")


def _raw(value: Any) -> str:
    """The value as results.json spells it."""
    return canonical_json(value).decode()


def bound_number(results: Any, ref: str, spec: str) -> str:
    """The `<data>` element for the value at pointer `ref` of results.json (as plain JSON data)."""
    value = resolve(results, ref)
    raw = html.escape(_raw(value), quote=True)
    text = html.escape(format_value(value, spec))
    return f'<data value="{raw}" data-ref="{html.escape(ref)}" data-format="{spec}">{text}</data>'


def bound_text(results: Any, ref: str, tag: str = "span") -> str:
    """An element that quotes the text at pointer `ref` of results.json, escaped."""
    text = html.escape(str(resolve(results, ref)))
    return f'<{tag} data-quoted="{html.escape(ref)}">{text}</{tag}>'


@dataclass(slots=True)
class _Open:
    """An element whose end has not come yet."""

    tag: str
    attributes: dict[str, str]
    line: int
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Bound elements with their text, digits that stand outside any of them, and marks that are none of ours."""

    bound: list[_Open]
    loose: list[tuple[int, str]]
    strange: list[tuple[int, str]]


class _Reader:
    """Follows the elements of a page; at most one bound element is open at a time, which the pages keep to."""

    def __init__(self) -> None:
        self.stack: list[_Open] = []
        self.holder: _Open | None = None
        self.n_free = 0
        self.page = _Page(bound=[], loose=[], strange=[])

    def mark(self, mark: Mark) -> None:
        if mark.kind == "text":
            self._text(mark)
        elif mark.kind == "start" and mark.tag not in _VOID:
            self._start(mark)
        elif mark.kind == "end":
            self._end(mark.tag)
        elif mark.kind == "strange":
            self.page.strange.append((mark.line, mark.text[:100]))

    def _start(self, mark: Mark) -> None:
        attributes = attributes_of(mark.text) if " data-" in mark.text else {}
        element = _Open(mark.tag, attributes, mark.line)
        self.stack.append(element)
        if len(self.stack) == MAX_OPEN:
            self.page.strange.append((mark.line, f"{MAX_OPEN} elements in one another"))
        self.n_free += mark.tag in _FREE
        if not attributes.keys().isdisjoint(_BINDS):
            if self.holder is not None:
                self.page.strange.append((mark.line, f"a bound element inside another: {mark.text[:80]}"))
            self.holder = element

    def _end(self, tag: str) -> None:
        while self.stack:
            element = self.stack.pop()
            self.n_free -= element.tag in _FREE
            if self.holder is element:
                self.page.bound.append(element)
                self.holder = None
            if element.tag == tag:
                return

    def _text(self, mark: Mark) -> None:
        if self.holder is not None:
            self.holder.pieces.append(unescape(mark.text))
        elif not self.n_free and _NUMBER.search(text := unescape(mark.text)):
            self.page.loose.append((mark.line, " ".join(text.split())))


@lru_cache(maxsize=4)
def _parsed(page: str) -> _Page:
    """Read a page once for both of its checks."""
    reader = _Reader()
    for mark in marks(page):
        reader.mark(mark)
    return reader.page


def strange_marks(page: str) -> list[tuple[int, str]]:
    """Lines and marks of a page that the report's templates never write."""
    return _parsed(page).strange


def check_page(page: str, results: Any, name: str = "report.html") -> Iterator[Finding]:
    """Every number in a page that is not what results.json says, and every number bound to nothing."""
    found = _parsed(page)
    for line, text in found.strange:
        yield Finding(where=f"{name} line {line}", found=text, promised="a tag as the report's templates write them")
    for element in found.bound:
        yield from _check_element(element, results, name)
    for line, text in found.loose:
        yield Finding(where=f"{name} line {line}", found=text[:100], promised="no number outside results.json")


def _check_element(element: _Open, results: Any, name: str) -> Iterator[Finding]:
    quoted = element.attributes.get("data-quoted")
    ref = quoted if quoted is not None else element.attributes["data-ref"]
    where = f"{name} line {element.line} {ref}"
    try:
        value = resolve(results, ref)
        promised = str(value) if quoted is not None else format_value(value, element.attributes.get("data-format", ""))
        raw = _raw(value)
    except (KeyError, ValueError, TypeError) as error:
        yield Finding(where=where, found=str(error), promised="a value in results.json")
        return
    if element.text != promised:
        yield Finding(where=where, found=element.text[:100], promised=promised[:100])
    elif quoted is None and element.attributes.get("value") != raw:
        yield Finding(where=where, found=f"value={element.attributes.get('value')}", promised=raw)


def page_numbers(page: str) -> set[str]:
    """Every number that a page prints in bound elements: what its Markdown twin may print."""
    return {token for element in _parsed(page).bound for token in _NUMBER.findall(element.text)}


def page_formats(*pages: str) -> dict[str, str]:
    """Pointer of every number that a report's pages print, and the format it has there."""
    found: dict[str, str] = {}
    for element in chain.from_iterable(_parsed(page).bound for page in pages):
        if "data-ref" in element.attributes:
            found.setdefault(element.attributes["data-ref"], element.attributes.get("data-format", ""))
    return found


def check_markdown(markdown: str, *pages: str) -> Iterator[Finding]:
    """Every number in the Markdown report that its HTML twins do not print bound.

    Code spans, fenced blocks, links and HTML comments are quoted material and free.
    """
    allowed = set().union(*map(page_numbers, pages))
    text = without_quoted(markdown)
    for number, line in enumerate(text.splitlines(), start=1):
        for token in _NUMBER.findall(line):
            if token not in allowed:
                yield Finding(
                    where=f"report.md line {number}",
                    found=token,
                    promised="a number that a page prints",
                )
