"""Nested records of a log as raw rows: a column is named by the dotted path to its value.

A path goes through keys of objects, places in lists (`choices.0`), and elements found by what they hold
(`top_logprobs[token=Yes].logprob`). `LIST.*` makes each element a row of its own; the column `*` is its place.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from seedlock.generation.intake.answers import readable
from seedlock.generation.intake.json_lines import plain_row, plain_text, why_unreadable
from seedlock.generation.intake.raw import BATCH_ROWS, Failed, Fault, RawBatch, Undecoded, require_columns
from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.statuses import Status

DEEPEST_PATH = 6
PLACE = "*"
SELECTOR = re.compile(r"\[(\w+)=(.*?)\](?:\.(.*))?$", re.DOTALL)


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
    """Return the value at a dotted path: keys (which may hold dots themselves), places in lists, selected elements.

    `ABSENT` where the path leads nowhere, or to several elements; null below a null.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        if path in value:
            return value[path]
        for cut in (place for place, char in enumerate(path) if char in ".["):
            if path[:cut] in value:
                found = at_path(value[path[:cut]], path[cut:].removeprefix("."))
                if found is not ABSENT:
                    return found
        return ABSENT
    return _in_list(value, path) if isinstance(value, list) else ABSENT


def _in_list(values: Sequence[object], path: str) -> object:
    """The value below a place in a list, or below the element that a selector names."""
    if path.startswith("["):
        return _selected(values, path)
    place, *further = re.split(r"(?=\[)|\.", path, maxsplit=1)
    if not (place.isdecimal() and place.isascii() and int(place) < len(values)):
        return ABSENT
    return at_path(values[int(place)], further[0]) if further and further[0] else values[int(place)]


def _selected(values: Sequence[object], path: str) -> object:
    """The one element of a list that holds a value under a key, or what lies below it."""
    step = SELECTOR.match(path)
    if step is None:
        return ABSENT
    key, wanted, rest = step.groups()
    found = [one for one in values if isinstance(one, dict) and key in one and _spelled(one[key]) == wanted]
    if len(found) != 1:
        return ABSENT
    return at_path(found[0], rest) if rest else found[0]


def _spelled(value: object) -> str | None:
    return None if isinstance(value, list | dict) else plain_text(value, "")


def _spread(columns: Sequence[str], records: Iterator[Record | Fault]) -> Iterator[Record | Fault]:
    """Make each element of the lists under `*` a record of its own, side by side; an empty list stays one."""
    lists = list(dict.fromkeys(name.partition(f".{PLACE}")[0] for name in columns if f".{PLACE}" in name))
    if not lists:
        yield from records
        return
    further = 0
    for record in records:
        row = record.row + further
        if isinstance(record, Fault):
            yield Fault(row=row, reason=record.reason, content=record.content)
            continue
        held = {name: _or_null(at_path(record.fields, name)) for name in lists}
        if fault := _unlike_lists(held):
            yield Fault(row=row, reason=fault, content=readable(record.fields))
            continue
        n = max(len(found) for found in held.values())
        for place in range(max(n, 1)):
            elements = {f"{name}.{PLACE}": found[place] if n else None for name, found in held.items()}
            fields = {**record.fields, PLACE: place, **elements}
            yield Record(row=row + place, fields=fields, status=record.status, reason=record.reason)
        further += max(n, 1) - 1


def _or_null(found: object) -> Any:
    return [] if found is ABSENT or found is None else found


def _unlike_lists(held: Mapping[str, Any]) -> str | None:
    """Why lists cannot be read side by side."""
    for name, found in held.items():
        if not isinstance(found, list):
            return f"{name} holds no list"
    lengths = {name: len(found) for name, found in held.items()}
    if len(set(lengths.values())) > 1:
        return "lists of different lengths: " + ", ".join(f"{name} {n}" for name, n in lengths.items())
    return None


def record_batches(path: Path, columns: Sequence[str], records: Iterator[Record | Fault]) -> Iterator[RawBatch]:
    """Yield the wanted paths of every record as raw batches.

    Raises
    ------
    BadInput
        No record at all, or a wanted path that leads nowhere in the first batch.
    """
    for number, found in enumerate(itertools.batched(_spread(columns, records), BATCH_ROWS)):
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
        content = functools.partial(readable, record.fields)
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
            reason=pa.array([_encodable(record.reason) for record in kept], pa.string()),
        ),
        undecoded=tuple(undecoded),
    )


def _encodable(reason: str | None) -> str | None:
    """A reason that quotes the source, where half a surrogate pair may stand."""
    return None if reason is None else reason.encode(errors="backslashreplace").decode()


def _value(record: Record, name: str) -> object:
    """A record's value of one column; absent is null."""
    value = record.fields[name] if name in record.fields else at_path(record.fields, name)
    return None if value is ABSENT else value


def _refuse_unknown(path: Path, columns: Sequence[str], records: Sequence[Record], faults: Sequence[Fault]) -> None:
    """Refuse a file without records, and wanted paths that are in none of them."""
    if not records:
        shown = faults[0].reason if faults else "nothing"
        raise BadInput(f"{path.name} holds no readable row", Finding(where=path.name, found=shown, promised="rows"))
    there = [name for name in columns if any(at_path(record.fields, name) is not ABSENT for record in records)]
    if len(there) < len(set(columns)):
        known = dict.fromkeys(itertools.chain.from_iterable(_paths(record.fields) for record in records[:20]))
        require_columns(list(dict.fromkeys([*there, *known])), columns, path)


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
