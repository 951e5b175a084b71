"""Write lines as bound HTML, as Markdown, or as plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from seedlock.analysis.report.text.pieces import (
    Code,
    Line,
    Link,
    Number,
    Piece,
    Quote,
    Strong,
    has_hidden,
    shows_hidden,
)
from seedlock.prereg.base.json_pointer import resolve
from seedlock.prereg.verify.number_binding import bound_number, bound_text, format_value

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~&])")


@dataclass(frozen=True, slots=True)
class HtmlWriter:
    """Writes lines as HTML, bound for `prereg.verify.number_binding.check_page`."""

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
    """Writes lines as Markdown, for `prereg.verify.number_binding.check_markdown`."""

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


@dataclass(frozen=True, slots=True)
class TextWriter:
    """Writes lines as plain text, for a terminal."""

    results: Any

    def line(self, line: Line) -> str:
        """The line as it stands."""
        return "".join(self._piece(piece) for piece in line)

    def _piece(self, piece: Piece) -> str:
        match piece:
            case Number(ref, spec):
                return format_value(resolve(self.results, ref), spec)
            case Quote(ref):
                return shows_hidden(str(resolve(self.results, ref)))
            case Code(text) | Strong(text) | Link(text, _):
                return shows_hidden(text)
            case str():
                return piece
