"""Read JSON lines: one object a line, UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from generation.intake.lines import longest_line
from generation.intake.raw import BATCH_ROWS, Fault, RawBatch, require_columns
from prereg.errors import BadInput, Finding


class _Unreadable(ValueError):
    """A line that is JSON to Python and still no row."""


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted keys of a JSON-lines file as raw batches; a row's number is its line.

    A line that is no JSON object, repeats a key, or holds NaN, bytes that are not UTF-8 or a list where a plain
    value is wanted is a fault of that line. Blank lines are skipped.

    Raises
    ------
    BadInput
        Not UTF-8 text of bounded lines; no line is a JSON object; a wanted key is in no row of the first batch.
    """
    longest_line(path)
    is_first = True
    for at, rows, keys, faults in _batches(path, columns):
        if is_first:
            if not rows:
                shown = faults[0].reason if faults else "only blank lines"
                found = Finding(where=path.name, found=shown, promised="one JSON object a line")
                raise BadInput(f"{path.name} does not hold JSON lines", found)
            require_columns(sorted(keys), columns, path)
            is_first = False
        texts = [pa.array([row[index] for row in rows], pa.string()) for index in range(len(columns))]
        table = pa.table(texts, names=list(columns))
        yield RawBatch(at=pa.array(at, pa.int64()), columns=table, faults=tuple(faults))


type _Batch = tuple[list[int], list[list[str | None]], set[str], list[Fault]]


def _batches(path: Path, columns: Sequence[str]) -> Iterator[_Batch]:
    """Parse line by line; at least one batch, even of nothing."""
    at: list[int] = []
    rows: list[list[str | None]] = []
    keys: set[str] = set()
    faults: list[Fault] = []
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.isspace():
                continue
            try:
                row = _parse(line, is_first=number == 1)
                rows.append([_plain(row.get(name), name) for name in columns])
            except (ValueError, RecursionError) as error:
                content = line.decode(errors="backslashreplace").rstrip("\n")
                faults.append(Fault(row=number, reason=_reason(error), content=content))
                continue
            at.append(number)
            keys.update(row)
            if len(rows) == BATCH_ROWS:
                yield at, rows, keys, faults
                at, rows, faults = [], [], []
    yield at, rows, keys, faults


def _parse(line: bytes, *, is_first: bool) -> dict[str, Any]:
    """Parse one line as a JSON object of distinct keys and encodable text."""
    text = line.decode("utf-8-sig" if is_first else "utf-8")
    row = DECODER.decode(text)
    if not isinstance(row, dict):
        raise _Unreadable("the line is not a JSON object")
    return row


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a key given twice."""
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _Unreadable("a key is given twice")
    return row


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity: JSON has neither."""
    raise _Unreadable(f"{name} is not JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refuse_constant)


def _plain(value: object, name: str) -> str | None:
    """Render a JSON value as text; lists and objects are refused."""
    if isinstance(value, str):
        if not value.isascii():
            value.encode()
        return value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    raise _Unreadable(f"{name} holds a list or an object")


def _reason(error: Exception) -> str:
    """Why a line cannot be read, in words that group well."""
    if isinstance(error, _Unreadable):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return "text is not UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "text holds half of a surrogate pair"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "not JSON, or cut off"
