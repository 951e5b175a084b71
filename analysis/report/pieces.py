"""Lines of a report: plain words, numbers bound to `results.json`, quotations of it, and code.

Every section is said once in these pieces and written twice, as HTML and as Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from prereg.binding import bound_number, bound_text, format_value
from prereg.pointer import resolve

# C0 and C1 controls but line feed and tab, zero-width and bidi formatting, line separators, lone surrogates, BOM.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~&])")


@dataclass(frozen=True, slots=True)
class Number:
    """The value at `ref` of results.json, written by `spec` (see `prereg.binding.format_value`)."""

    ref: str
    spec: str


@dataclass(frozen=True, slots=True)
class Quote:
    """The text at `ref` of results.json, word for word."""

    ref: str


@dataclass(frozen=True, slots=True)
class Code:
    """A setting of the plan, a command, a path or a digest."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Words that carry the point; no digits."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A reference (its label may carry a year) and where it leads."""

    text: str
    url: str


type Piece = str | Number | Quote | Code | Strong | Link
type Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of lines. `numeric` and `muted` name columns by index."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    numeric: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()


def pointer(*parts: str | int) -> str:
    """JSON pointer of keys and indices, escaped (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def joined(lines: Iterable[Line], by: str = ", ") -> Line:
    """One line of several, with words between them."""
    pieces: list[Piece] = []
    for line in lines:
        if pieces:
            pieces.append(by)
        pieces.extend(line)
    return tuple(pieces)


def shows_hidden(text: str) -> str:
    """`text` with characters that hide or reorder others spelled out, as ⟨U+202E⟩."""
    return _HIDDEN.sub(lambda match: f"⟨U+{ord(match.group()):04X}⟩", text)


def has_hidden(text: str) -> bool:
    """Whether `text` holds characters that a page would hide or reorder by."""
    return _HIDDEN.search(text) is not None


@dataclass(frozen=True, slots=True)
class HtmlWriter:
    """Writes lines as HTML, bound for `prereg.binding.check_page`."""

    results: Any

    def line(self, line: Line) -> Markup:
        """The line, escaped."""
        return Markup("").join(self._piece(piece) for piece in line)

    def _piece(self, piece: Piece) -> Markup:
        match piece:
            case Number(ref, spec):
                return Markup(bound_number(self.results, ref, spec))  # noqa: S704 - escapes what it writes
            case Quote(ref):
                return self._quote(ref)
            case Code(text):
                return Markup("<code>{}</code>").format(shows_hidden(text))
            case Strong(text):
                return Markup("<strong>{}</strong>").format(text)
            case Link(text, url):
                return Markup('<cite><a href="{}">{}</a></cite>').format(url, text)
            case str():
                return escape(piece)

    def _quote(self, ref: str) -> Markup:
        text = str(resolve(self.results, ref))
        if has_hidden(text):
            return Markup('<code class="hostile">{}</code>').format(shows_hidden(text))
        return Markup(bound_text(self.results, ref))  # noqa: S704 - escapes what it writes


@dataclass(frozen=True, slots=True)
class MarkdownWriter:
    """Writes lines as Markdown, for `prereg.binding.check_markdown`."""

    results: Any

    def line(self, line: Line) -> str:
        """The line on one line, with Markdown's own marks escaped."""
        return "".join(self._piece(piece) for piece in line)

    def _piece(self, piece: Piece) -> str:
        match piece:
            case Number(ref, spec):
                return plain(format_value(resolve(self.results, ref), spec))
            case Quote(ref):
                text = str(resolve(self.results, ref))
                return code_span(shows_hidden(text)) if has_hidden(text) else plain(text)
            case Code(text):
                return code_span(shows_hidden(text))
            case Strong(text):
                return f"**{plain(text)}**"
            case Link(text, url):
                return f"[{code_span(text)}]({url})"
            case str():
                return plain(piece)


def plain(text: str) -> str:
    """`text` as Markdown that means only itself, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(shows_hidden(text).split(" "))).replace("\n", " ")


def code_span(text: str) -> str:
    """`text` as a code span on one line; backticks become apostrophes, which keeps the span whole."""
    return "`" + text.replace("`", "'").replace("\n", " ") + "`"
