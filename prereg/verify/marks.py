"""Read the marks of a page and of Markdown in one pass each, however they are written: no pattern here looks back.

The report's templates write a small part of HTML: tags in lower case with quoted attributes. What is not of that part
is named and nothing is guessed; a hostile page costs no more time than its length.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from typing import Literal, NamedTuple

_TAG = re.compile(r"""<(/?)([A-Za-z][A-Za-z0-9:-]*+)(?:\s++[^\s"'<>/=]++(?:="[^"<]*+")?+)*+\s*+(/?)>""")
_ATTRIBUTE = re.compile(r"""\s([^\s"'<>/=]++)(?:="([^"]*+)")?+""")
MAX_MARKS = 400_000
MAX_STRANGE = 100
_LITERAL = ("script", "style", "textarea", "title")
"""Elements whose content is text up to their own end."""
_CODE = re.compile(r"`[^`\n]*+`")


class Mark(NamedTuple):  # a page has tens of thousands, which a frozen dataclass takes four times as long to make
    """One tag, or the text between two; `strange` is what the templates never write."""

    kind: Literal["start", "end", "text", "strange"]
    tag: str
    text: str
    line: int


@lru_cache(maxsize=2)  # a report and its appendix, which several readers go through
def marks(page: str) -> tuple[Mark, ...]:
    """Every tag of a page and the text between them, in order, with the line where each begins.

    Reading ends early at a page of more than `MAX_MARKS`, and after `MAX_STRANGE` that the templates never write.
    """
    found: list[Mark] = []
    at, line, size, strange = 0, 1, len(page), 0
    while at < size and strange < MAX_STRANGE:
        if len(found) >= MAX_MARKS:
            found.append(Mark("strange", "", f"more than {MAX_MARKS} tags and texts", line))
            break
        kind, tag, end = _next(page, at)
        text = page[at:end]
        if kind is not None:
            found.append(Mark(kind, tag, text, line))
            strange += kind == "strange"
        line += text.count("\n")
        at = end
        if tag in _LITERAL and kind == "start" and not text.endswith("/>"):
            end = _literal_end(page, at, tag)
            found.append(Mark("text", tag, page[at:end], line))
            line += page.count("\n", at, end)
            at = end
    return tuple(found)


def _next(page: str, at: int) -> tuple[Literal["start", "end", "text", "strange"] | None, str, int]:
    """Kind, tag and end of what begins at `at`; the kind of a comment or a document type is None."""
    if page[at] != "<":
        end = page.find("<", at)
        return "text", "", end if end >= 0 else len(page)
    if (tag := _TAG.match(page, at)) is not None:
        slash, name = tag.group(1, 2)
        return "end" if slash else "start", name.lower(), tag.end()
    if page.startswith("<!--", at):
        end = page.find("-->", at)
        return (None, "", end + 3) if end >= 0 else ("strange", "", len(page))
    if page.startswith(("<!DOCTYPE", "<!doctype", "<?xml"), at):
        end = page.find(">", at)
        return (None, "", end + 1) if end >= 0 else ("strange", "", len(page))
    end = page.find("<", at + 1)
    return "strange", "", end if end >= 0 else len(page)


def _literal_end(page: str, at: int, tag: str) -> int:
    end = page.find(f"</{tag}", at)
    return end if end >= 0 else len(page)


def attributes_of(tag: str) -> dict[str, str]:
    """Attributes of one start tag, unescaped; the first of a name counts, as in a browser."""
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(tag):
        found.setdefault(name.lower(), unescape(value))
    return found


def without_quoted(markdown: str) -> str:
    """Markdown without code, link targets and HTML comments; its lines stay where they are."""
    lines, fence = [], ""
    for line in _without_comments(markdown).split("\n"):
        opens = line[:3] if line.startswith(("```", "~~~")) else ""
        is_code = bool(fence or opens)
        if opens and (not fence or opens == fence):
            fence = "" if fence else opens
        lines.append("" if is_code else _without_targets(_CODE.sub("", line)))
    return "\n".join(lines)


def _without_targets(line: str) -> str:
    """A line without what its links lead to."""
    kept, at = [], 0
    while (start := line.find("](", at)) >= 0 and (end := line.find(")", start)) >= 0:
        kept.append(line[at:start])
        at = end + 1
    return "".join([*kept, line[at:]])


def _without_comments(text: str) -> str:
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept += [text[at:start], "\n" * text.count("\n", start, end)]
        at = end + 3
    return "".join([*kept, text[at:]])
