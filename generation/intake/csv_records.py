"""Count a CSV file's records as RFC 4180 has them, and refuse quoting that lets one record swallow others.

Bytes are counted where quotes open and close only at the ends of fields; any other file is read record by record.
"""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seedlock.prereg.errors import BadInput, Finding

FIELD_LIMIT = 2**31 - 1
FEWEST_FIELDS = 3
"""Lines of fewer fields are no sign of a row: prose has commas too."""
CHUNK_BYTES = 2**22
MOST_BYTES = 2**26
"""A quoted field that is longer is left to the reader of records, which says where its quote opened."""
QUOTE, LINE_FEED, RETURN = b'"\n\r'
THEN = "close the quote, and double a quote inside one; or save the table as JSON lines or Parquet; nothing was sealed"


def count_records(path: Path, delimiter: str = ",") -> int:
    """Count the data records (the header and blank lines are none), in one pass over the file.

    Raises
    ------
    BadInput
        A quote that is left open, one that closes before its field ends (where a quote is escaped by a backslash,
        say), or a field over several lines of which one is a row of this file; with the row where the quote opened.
    """
    counted = counted_by_bytes(path, delimiter)
    return counted_by_records(path, delimiter) if counted is None else counted


def counted_by_records(path: Path, delimiter: str) -> int:
    """Count by reading every record, whatever its quotes are; refusals as in `count_records`."""
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        with path.open(encoding="latin-1", newline="") as stream:
            if stream.read(len(BOM_UTF8)) != BOM_UTF8.decode("latin-1"):
                stream.seek(0)
            return _count(path, csv.reader(stream, strict=True, delimiter=delimiter), delimiter)
    finally:
        csv.field_size_limit(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Records:
    """Whole records of a stretch of a file: how many bytes they take, how many they are, and those of several lines.

    `spanning` holds the place of each among the records that are not blank, and its bytes.
    """

    n_bytes: int
    n: int
    spanning: list[tuple[int, bytes]]


def counted_by_bytes(path: Path, delimiter: str) -> int | None:
    """Count the data records; None where a quote stands within a field, or a line ends in a lone carriage return."""
    if not delimiter.isascii():
        return None
    rest, n, width = b"", 0, 0
    with path.open("rb") as stream:
        stream.seek(len(BOM_UTF8) if stream.read(len(BOM_UTF8)) == BOM_UTF8 else 0)
        while len(rest) < MOST_BYTES:
            read = stream.read(CHUNK_BYTES)
            stretch = rest + read if read or not rest or rest.endswith(b"\n") else rest + b"\n"
            found = _records(stretch, ord(delimiter))
            if found is None or (not read and found.n_bytes < len(stretch)):
                return None
            width = width or _width(stretch[: found.n_bytes], delimiter)
            for place, record in found.spanning:
                if n + place:
                    _refuse_swallowed_lines(path, n + place, record, width, delimiter)
            n, rest = n + found.n, stretch[found.n_bytes :]
            if not read:
                return n - 1
    return None


def _records(stretch: bytes, delimiter: int) -> _Records | None:
    """The whole records at the start of a stretch; None where its quotes are not those of whole fields."""
    if stretch.count(b"\r") != stretch.count(b"\r\n") + stretch.endswith(b"\r"):
        return None
    at = np.frombuffer(stretch, np.uint8)
    line_ends, quotes = np.flatnonzero(at == LINE_FEED), np.flatnonzero(at == QUOTE)
    is_inside = np.searchsorted(quotes, line_ends) % 2 == 1
    ends = line_ends[~is_inside]
    if not len(ends):
        return _Records(n_bytes=0, n=0, spanning=[])
    n_bytes = int(ends[-1]) + 1
    quotes = quotes[quotes < n_bytes]
    before, after = at[quotes[::2] - 1], at[quotes[1::2] + 1]
    if len(quotes) and quotes[0] == 0:
        before[0] = LINE_FEED
    if not _all_of(before, (delimiter, LINE_FEED, QUOTE)) or not _all_of(after, (delimiter, LINE_FEED, RETURN, QUOTE)):
        return None
    starts = np.concatenate(([0], ends[:-1] + 1))
    length = ends - starts
    is_blank = (length == 0) | ((length == 1) & (at[starts] == RETURN))
    place = np.cumsum(~is_blank) - 1
    spanning = np.unique(np.searchsorted(ends, line_ends[is_inside & (line_ends < n_bytes)]))
    held = [(int(place[i]), stretch[starts[i] : ends[i]]) for i in spanning.tolist()]
    return _Records(n_bytes=n_bytes, n=int(place[-1]) + 1, spanning=held)


def _all_of(found: np.ndarray, wanted: tuple[int, ...]) -> bool:
    """Whether every byte is one of these."""
    is_wanted = np.zeros(len(found), dtype=bool)
    for byte in wanted:
        is_wanted |= found == byte
    return bool(is_wanted.all())


def _width(records: bytes, delimiter: str) -> int:
    """Fields of the first record that is not blank."""
    lines = io.StringIO(records.lstrip(b"\r\n").decode("latin-1"), newline="")
    return len(next(csv.reader(lines, delimiter=delimiter), []))


def _refuse_swallowed_lines(path: Path, row: int, record: bytes, width: int, delimiter: str) -> None:
    """Refuse a record over several lines where a line has as many fields as a row and looks like another one."""
    mark = delimiter.encode()
    if width >= FEWEST_FIELDS and any(line.count(mark) >= width - 1 for line in record.split(b"\n")[1:]):
        text = io.StringIO(record.decode("latin-1"), newline="")
        _refuse_swallowed(path, row, next(csv.reader(text, delimiter=delimiter)), width, delimiter)


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
