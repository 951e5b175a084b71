"""Read JSON lines: one object a line, UTF-8; columns are keys, or dotted paths below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from seedlock.generation.intake.json_lines import json_objects
from seedlock.generation.intake.raw import Fault, RawBatch
from seedlock.generation.intake.records import Record, record_batches
from seedlock.prereg.errors import BadInput, Finding


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of a JSON-lines file; a row's number is its line.

    A line that is no JSON object, repeats a key, or holds a list where a plain value is wanted is a fault of that
    line. NaN is null. Blank lines are skipped.

    Raises
    ------
    BadInput
        Not UTF-8 text of bounded lines; no line is a JSON object; a wanted column leads nowhere in the first batch.
    """
    return record_batches(path, columns, _records(path))


def _records(path: Path) -> Iterator[Record | Fault]:
    first: Fault | None = None
    is_read = False
    for line in json_objects(path):
        if isinstance(line, Fault):
            first = first or line
            yield line
        else:
            is_read = True
            yield Record(row=line[0], fields=line[1])
    if not is_read:
        found = Finding(
            where=path.name, found=first.reason if first else "only blank lines", promised="one JSON object a line"
        )
        is_document = first is not None and first.content.lstrip().startswith(("[", "{"))
        then = 'format = "json"  in [import], if it is one JSON document' if is_document else ""
        raise BadInput(f"{path.name} does not hold JSON lines", found, then=then)
