"""Lines of a report: plain words, numbers bound to `results.json`, quotations of it, and code.

Every section is said once in these pieces and written twice, as HTML and as Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# C0 and C1 controls but line feed and tab, zero-width and bidi formatting, line separators, lone surrogates, BOM.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


@dataclass(frozen=True, slots=True)
class Number:
    """The value at `ref` of results.json, written by `spec` (see `prereg.verify.number_binding.format_value`)."""

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
    """A table of lines. `numeric` and `muted` name columns by index.

    `is_prose` marks one whose cells are sentences: on a phone each row stands as a block of its own.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    numeric: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()
    is_prose: bool = False


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
