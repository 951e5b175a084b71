"""Read JSON lines: one object a line, UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from seedlock.generation.intake.json_lines import json_objects, plain_text, why_unreadable
from seedlock.generation.intake.raw import BATCH_ROWS, Fault, RawBatch, require_columns
from seedlock.prereg.errors import BadInput, Finding


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted keys of a JSON-lines file as raw batches; a row's number is its line.

    A line that is no JSON object, repeats a key, or holds NaN, bytes that are not UTF-8 or a list where a plain
    value is wanted is a fault of that line. Blank lines are skipped.

    Raises
    ------
    BadInput
        Not UTF-8 text of bounded lines; no line is a JSON object; a wanted key is in no row of the first batch.
    """
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
    for line in json_objects(path):
        if isinstance(line, Fault):
            faults.append(line)
            continue
        number, row = line
        try:
            rows.append([plain_text(row.get(name), name) for name in columns])
        except ValueError as error:
            faults.append(Fault(row=number, reason=why_unreadable(error), content=json.dumps(row)))
            continue
        at.append(number)
        keys.update(row)
        if len(rows) == BATCH_ROWS:
            yield at, rows, keys, faults
            at, rows, faults = [], [], []
    yield at, rows, keys, faults
