"""JSON lines, strictly: one object of distinct keys a line, UTF-8; a line that is none is a fault of that line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from seedlock.generation.intake.lines import longest_line
from seedlock.generation.intake.raw import Fault

type JsonObject = dict[str, Any]


class Unreadable(ValueError):
    """A value that is JSON to Python and still no row."""


MOST_VALUES = 10_000_000
"""Values that one line or document may hold: each is many times as large in memory as in text."""


def json_objects(path: Path) -> Iterator[tuple[int, JsonObject] | Fault]:
    """Yield every line's number and object, or its fault; blank lines are skipped.

    Raises
    ------
    BadInput
        Not UTF-8 text of bounded lines.
    """
    longest_line(path)
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.isspace():
                continue
            try:
                yield number, _parse(line, is_first=number == 1)
            except (ValueError, RecursionError) as error:
                yield Fault(row=number, reason=why_unreadable(error), content=shown(line))


def shown(line: bytes) -> str:
    """A line's content for the quarantine, whatever its bytes."""
    return line.decode(errors="backslashreplace").rstrip("\n")


def _parse(line: bytes, *, is_first: bool) -> JsonObject:
    """Parse one line as a JSON object of distinct keys; bytes that are not UTF-8 stay as surrogates in its texts."""
    text = line.decode("utf-8-sig" if is_first else "utf-8", errors="surrogateescape")
    require_few_values(text)
    row = LINE_DECODER.decode(text)
    if not isinstance(row, dict):
        raise Unreadable("the line is not a JSON object")
    return row


def require_few_values(text: str | bytes) -> None:
    """Refuse JSON that would fill the memory, before it is parsed.

    Raises
    ------
    Unreadable
        It holds more than `MOST_VALUES` lists, objects and elements.
    """
    if len(text) > MOST_VALUES and _values(text) > MOST_VALUES:
        raise Unreadable(f"more than {MOST_VALUES:,} values in one")


def _values(text: str | bytes) -> int:
    """At least as many as the lists, objects and elements of some JSON text."""
    if isinstance(text, str):
        return sum(text.count(mark) for mark in ("[", "{", ","))
    return sum(text.count(mark) for mark in (b"[", b"{", b","))


def _distinct(pairs: list[tuple[str, Any]]) -> JsonObject:
    """Build an object, refusing a key given twice."""
    row = dict(pairs)
    if len(row) != len(pairs):
        raise Unreadable("a key is given twice")
    return row


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity: JSON has neither."""
    raise Unreadable(f"{name} is not JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refuse_constant)
LINE_DECODER = json.JSONDecoder(object_pairs_hook=_distinct)
"""Takes NaN and Infinity, which many writers put into lines: they matter only where the plan maps them."""


def plain_row(fields: Mapping[str, object], names: Sequence[str]) -> tuple[list[str | None], tuple[str, ...]]:
    """Render a row's values as text, and name those that hold bytes or characters that are no text: they are null."""
    values = [plain_text(fields.get(name), name) for name in names]
    undecoded = {place for place, value in enumerate(values) if value is not None and not is_encodable(value)}
    kept = [None if place in undecoded else value for place, value in enumerate(values)]
    return kept, tuple(names[place] for place in sorted(undecoded))


def is_encodable(text: str) -> bool:
    """Whether text is UTF-8: no half of a surrogate pair."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def plain_text(value: object, name: str) -> str | None:
    """Render a JSON value as text, NaN as null; lists and objects are refused with the path that goes on."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        raise Unreadable(f"{name} holds a list ({name}.* makes a row of each element, {name}.0 takes the first)")
    raise Unreadable(f"{name} holds an object ({name}.KEY takes one of its values)")


def why_unreadable(error: Exception) -> str:
    """Why a line cannot be read, in words that group well."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "not JSON, or cut off"
