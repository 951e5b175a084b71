"""Read JSON documents: an array of rows, or an object that holds the array at `rows_at`; pages one after another too.

Columns are dotted paths into a row, as for JSON lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.intake.answers import readable
from seedlock.generation.intake.json_documents import json_documents
from seedlock.generation.intake.raw import Fault, RawBatch
from seedlock.generation.intake.records import ABSENT, Record, at_path, record_batches
from seedlock.prereg.errors import BadInput, Finding


def read(path: Path, columns: Sequence[str], *, rows_at: str | None = None) -> Iterator[RawBatch]:
    """Yield the wanted columns of every row; a row's number is its place in the array, from 1.

    Raises
    ------
    BadInput
        Not JSON, no array of rows there (with those that are), or a wanted column leads nowhere.
    """
    return record_batches(path, columns, _records(path, rows_at))


def _records(path: Path, rows_at: str | None) -> Iterator[Record | Fault]:
    row = 0
    for document in json_documents(path):
        for one in _rows(document, rows_at, path):
            row += 1
            if isinstance(one, dict):
                yield Record(row=row, fields=one)
            else:
                yield Fault(row=row, reason="the row is not a JSON object", content=readable(one))


def _rows(document: Any, rows_at: str | None, path: Path) -> list[Any]:
    found = document if rows_at is None else at_path(document, rows_at)
    if isinstance(found, list):
        return found
    there = [key for key, value in document.items() if isinstance(value, list)] if isinstance(document, dict) else []
    said = "nothing" if found is ABSENT else f"a {type(found).__name__}"
    listed = " or ".join(f'rows_at = "{key}"' for key in there)
    fault = Finding(
        where=f"rows_at = {rows_at!r}" if rows_at else path.name,
        found=said if rows_at else "one object, no array",
        promised=(listed and f"{listed}  in [import]") or 'an array of rows (one object a line is  format = "jsonl")',
    )
    raise BadInput(f"{path.name} holds no array of rows there", fault)
