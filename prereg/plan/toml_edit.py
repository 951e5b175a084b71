"""Set one key of a TOML file and leave all else as its author wrote it, comments too."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(r"^\s*\[", re.MULTILINE)


def with_value(text: str, table: str, key: str, value: str) -> str:
    """`text` with `key = value` in `[table]`: in the place of its old value, else below the table's header.

    Parameters
    ----------
    value
        As TOML spells it. Whoever calls parses the result: a file that spells its tables otherwise comes out wrong.
    """
    header = re.search(rf"^\[{re.escape(table)}\][ \t]*(#.*)?$", text, re.MULTILINE)
    if header is None:
        return f"{text.rstrip()}\n\n[{table}]\n{key} = {value}\n"
    following = _HEADER.search(text, header.end())
    end = following.start() if following else len(text)
    own = re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*=[ \t]*", re.MULTILINE).search(text, header.end(), end)
    if own is None:
        return f"{text[: header.end()]}\n{key} = {value}{text[header.end() :]}"
    return text[: own.end()] + value + text[own.end() + _length(text[own.end() :]) :]


def _length(text: str) -> int:
    """How many characters the value takes that `text` begins with."""
    depth = at = 0
    for at, piece in _pieces(text):
        if piece in "[{":
            depth += 1
        elif piece in "]}":
            depth -= 1
        elif piece in "\n#" and depth == 0:
            return len(text[:at].rstrip())
        if depth == 0 and piece in "]}":
            return at + 1
    return len(text.rstrip()) if depth == 0 else at


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Every character that is none of a string or a comment, with its place; a comment is its line's end."""
    at = 0
    while at < len(text):
        quoted = re.compile(r'"""(?:.|\n)*?"""|\'\'\'(?:.|\n)*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'').match(text, at)
        comment = re.compile(r"#[^\n]*").match(text, at)
        if quoted is None:
            yield at, text[at]
        at = (quoted or comment or re.compile(r".|\n").match(text, at)).end()  # type: ignore[union-attr]
