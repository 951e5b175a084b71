"""Nested records of a log as raw rows: a column is named by the dotted path to its value."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from seedlock.generation.intake.json_lines import plain_row, why_unreadable
from seedlock.generation.intake.raw import BATCH_ROWS, Failed, Fault, RawBatch, Undecoded, require_columns
from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.statuses import Status

PATHS_SHOWN = 60
DEEPEST_PATH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One answer of a log, or its failure.

    Parameters
    ----------
    row
        Its number in the file, from 1.
    fields
        What the log holds, under the log's own keys, and what the importer adds under keys of its own.
    status, reason
        What became of it, where the log says that there is no answer; both None otherwise.
    """

    row: int
    fields: dict[str, Any]
    status: Status | None = None
    reason: str | None = None


class _Absent:
    """No such path."""


ABSENT = _Absent()


def at_path(value: object, path: str) -> object:
    """Return the value at a dotted path: keys of objects (which may hold dots themselves) and places in lists.

    `ABSENT` where the path leads nowhere; null below a null.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        if path in value:
            return value[path]
        for cut in (place for place, char in enumerate(path) if char == "."):
            if path[:cut] in value:
                found = at_path(value[path[:cut]], path[cut + 1 :])
                if found is not ABSENT:
                    return found
        return ABSENT
    if isinstance(value, list):
        place, _, rest = path.partition(".")
        if place.isdecimal() and place.isascii() and int(place) < len(value):
            return at_path(value[int(place)], rest) if rest else value[int(place)]
    return ABSENT


def record_batches(path: Path, columns: Sequence[str], records: Iterator[Record | Fault]) -> Iterator[RawBatch]:
    """Yield the wanted paths of every record as raw batches.

    Raises
    ------
    BadInput
        No record at all, or a wanted path that leads nowhere in the first batch.
    """
    for number, found in enumerate(itertools.batched(records, BATCH_ROWS)):
        rows = [record for record in found if isinstance(record, Record)]
        if number == 0:
            _refuse_unknown(path, columns, rows, [fault for fault in found if isinstance(fault, Fault)])
        yield _batch(columns, rows, [fault for fault in found if isinstance(fault, Fault)])


def _batch(columns: Sequence[str], records: Sequence[Record], faults: list[Fault]) -> RawBatch:
    """Render records as text; one that cannot be is a fault."""
    kept: list[Record] = []
    rows: list[list[str | None]] = []
    undecoded: list[Undecoded] = []
    for record in records:
        content = functools.partial(json.dumps, record.fields, default=str)
        try:
            values, unread = plain_row({name: _value(record, name) for name in columns}, columns)
        except ValueError as error:
            faults.append(Fault(row=record.row, reason=why_unreadable(error), content=content()))
            continue
        rows.append(values)
        kept.append(record)
        if unread:
            undecoded.append(Undecoded(row=record.row, columns=unread, content=content()))
    texts = [pa.array([row[index] for row in rows], pa.string()) for index in range(len(columns))]
    return RawBatch(
        at=pa.array([record.row for record in kept], pa.int64()),
        columns=pa.table(texts, names=list(columns)),
        faults=tuple(faults),
        failed=Failed(
            status=pa.array([record.status for record in kept], pa.string()),
            reason=pa.array([record.reason for record in kept], pa.string()),
        ),
        undecoded=tuple(undecoded),
    )


def _value(record: Record, name: str) -> object:
    """A record's value of one column; absent is null."""
    value = at_path(record.fields, name)
    return None if value is ABSENT else value


def _refuse_unknown(path: Path, columns: Sequence[str], records: Sequence[Record], faults: Sequence[Fault]) -> None:
    """Refuse a file without records, and wanted paths that are in none of them."""
    if not records:
        shown = faults[0].reason if faults else "nothing"
        raise BadInput(f"{path.name} holds no readable row", Finding(where=path.name, found=shown, promised="rows"))
    there = [name for name in columns if any(at_path(record.fields, name) is not ABSENT for record in records)]
    if len(there) < len(set(columns)):
        known = dict.fromkeys(itertools.chain.from_iterable(_paths(record.fields) for record in records[:20]))
        require_columns(list(dict.fromkeys([*there, *list(known)[:PATHS_SHOWN]])), columns, path)


def _paths(value: object, path: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the paths that lead to plain values."""
    inner: Iterator[tuple[str, object]]
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = ((str(place), one) for place, one in enumerate(value[:2]))
    else:
        if path:
            yield path
        return
    if depth < DEEPEST_PATH:
        for key, one in inner:
            yield from _paths(one, f"{path}.{key}" if path else key, depth + 1)
