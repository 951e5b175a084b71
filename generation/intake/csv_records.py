"""Count a CSV file's records as RFC 4180 has them, and refuse quoting that lets one record swallow others."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from seedlock.prereg.errors import BadInput, Finding

FIELD_LIMIT = 2**31 - 1
FEWEST_FIELDS = 3
"""Lines of fewer fields are no sign of a row: prose has commas too."""
THEN = "close the quote, and double a quote inside one; or save the table as JSON lines or Parquet; nothing was sealed"


def count_records(path: Path, delimiter: str = ",") -> int:
    """Count the data records (the header and blank lines are none), in one pass over the file.

    Raises
    ------
    BadInput
        A quote that is left open, one that closes before its field ends (where a quote is escaped by a backslash,
        say), or a field over several lines of which one is a row of this file; with the row where the quote opened.
    """
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        with path.open(encoding="latin-1", newline="") as stream:
            return _count(path, csv.reader(stream, strict=True, delimiter=delimiter), delimiter)
    finally:
        csv.field_size_limit(before)


def _count(path: Path, records: Iterator[list[str]], delimiter: str) -> int:
    """Count, and look at every record that spans lines."""
    row, width = -1, 0
    try:
        for record in records:
            if not record:
                continue
            row += 1
            width = width or len(record)
            if row and any("\n" in field for field in record):
                _refuse_swallowed(path, row, record, width, delimiter)
    except csv.Error as error:
        raise _damaged(path, row + 1, error) from error
    return row


def _damaged(path: Path, row: int, error: csv.Error) -> BadInput:
    """The refusal of a quote that is never closed, or not where its field ends."""
    if "end of data" in str(error):
        found, promised = "a quote that opens here and never closes", "the file to end outside a quote"
    else:
        found, promised = (
            "a quote that closes before its field ends",
            'a quote inside a quoted field written twice ("")',
        )
    where = f"row {row}" if row else "header"
    return BadInput(
        f"{path.name} is damaged by a quote", Finding(where=where, found=found, promised=promised), then=THEN
    )


def _refuse_swallowed(path: Path, row: int, record: Sequence[str], width: int, delimiter: str) -> None:
    """Refuse a field over several lines where a line looks like another row: as many fields, alike in half of them."""
    for place, field in enumerate(record):
        for line in field.splitlines()[1:]:
            inner = next(csv.reader([line], delimiter=delimiter), [])
            if width >= FEWEST_FIELDS and len(inner) == width and _is_alike(record, inner, besides=place):
                found = f"a quote that opens here and goes on over the row {line[:60]!r}"
                fault = Finding(where=f"row {row}", found=found, promised="a quote that closes in its own row")
                raise BadInput(f"{path.name} is damaged by a quote", fault, then=THEN)


def _is_alike(record: Sequence[str], inner: Sequence[str], *, besides: int) -> bool:
    """Whether at least half of the other fields are equal, or numbers both."""
    pairs = [(a, b) for at, (a, b) in enumerate(zip(record, inner, strict=False)) if at != besides]
    alike = sum(a == b or (_is_number(a) and _is_number(b)) for a, b in pairs)
    return alike > 0 and 2 * alike >= len(pairs)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
