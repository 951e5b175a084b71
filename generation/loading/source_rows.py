"""The rows of one file as the plan reads them: decompressed, decoded, parsed, and given the columns it derives."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from seedlock.generation.importers import csv, importer, json
from seedlock.generation.intake.derived import Derivation
from seedlock.generation.intake.file_parts import file_parts
from seedlock.generation.intake.plain_file import plain_file
from seedlock.generation.intake.raw import Importer, RawBatch
from seedlock.generation.intake.request import ImportRequest, Role

NUMBER_ROLES: tuple[Role, ...] = ("value", "k", "n", "mean")


def source_rows(request: ImportRequest, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of a file, those that the plan derives among them.

    Raises
    ------
    BadInput
        The file cannot be read as the plan says.
    """
    derive = derivation(request)
    with plain_file(request.path, request.reading.encoding) as plain:
        for batch in _reader(request)(plain, derive.source_columns(columns)):
            yield derive(batch, columns, request.path)


def derivation(request: ImportRequest) -> Derivation:
    """What the plan derives of one file."""
    reading = request.reading
    numbers = {column for role in NUMBER_ROLES if (column := request.column(role))}
    numbers |= {source for pair in reading.differences.values() for source in pair} | set(reading.keep)
    return Derivation(
        reading=reading,
        text=request.column("text"),
        status=request.column("status"),
        has_reason=request.column("reason") is not None,
        numbers=frozenset(numbers),
        file_parts=file_parts(request.path, reading),
    )


def _reader(request: ImportRequest) -> Importer:
    """The reader of a format, with what that format leaves open."""
    if request.format == "csv":
        return functools.partial(csv.read, delimiter=request.reading.delimiter)
    if request.format == "json":
        return functools.partial(json.read, rows_at=request.reading.rows_at)
    return importer(request.format)
