"""Read JSON lines: one object a line, UTF-8."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from seedlock.generation.intake.json_lines import json_objects, plain_row, why_unreadable
from seedlock.generation.intake.raw import BATCH_ROWS, Fault, RawBatch, Undecoded, require_columns
from seedlock.prereg.errors import BadInput, Finding


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted keys of a JSON-lines file as raw batches; a row's number is its line.

    A line that is no JSON object, repeats a key, or holds a list where a plain value is wanted is a fault of that
    line. NaN is null. Blank lines are skipped.

    Raises
    ------
    BadInput
        Not UTF-8 text of bounded lines; no line is a JSON object; a wanted key is in no row of the first batch.
    """
    for number, (batch, keys) in enumerate(_batches(path, columns)):
        if number == 0:
            if not len(batch.at):
                shown = batch.faults[0].reason if batch.faults else "only blank lines"
                found = Finding(where=path.name, found=shown, promised="one JSON object a line")
                raise BadInput(f"{path.name} does not hold JSON lines", found)
            require_columns(sorted(keys), columns, path)
        yield batch


type _Batch = tuple[RawBatch, set[str]]


def _batches(path: Path, columns: Sequence[str]) -> Iterator[_Batch]:
    """Parse line by line; at least one batch, even of nothing, with the keys seen so far."""
    keys: set[str] = set()
    for lines in itertools.chain(itertools.batched(json_objects(path), BATCH_ROWS), [()]):
        at: list[int] = []
        rows: list[list[str | None]] = []
        faults = [line for line in lines if isinstance(line, Fault)]
        undecoded: list[Undecoded] = []
        for number, row in (line for line in lines if not isinstance(line, Fault)):
            try:
                values, unread = plain_row(row, columns)
            except ValueError as error:
                faults.append(Fault(row=number, reason=why_unreadable(error), content=json.dumps(row)))
                continue
            at.append(number)
            rows.append(values)
            keys.update(row)
            if unread:
                undecoded.append(Undecoded(row=number, columns=unread, content=json.dumps(row)))
        texts = [pa.array([row[index] for row in rows], pa.string()) for index in range(len(columns))]
        table = pa.table(texts, names=list(columns))
        faults.sort(key=lambda fault: fault.row)
        yield (
            RawBatch(at=pa.array(at, pa.int64()), columns=table, faults=tuple(faults), undecoded=tuple(undecoded)),
            keys,
        )
