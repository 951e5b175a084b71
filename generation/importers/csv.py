"""Read CSV (RFC 4180, UTF-8): an empty field is null, an empty quoted field is an empty text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from seedlock.generation.intake.csv_records import THEN, count_records
from seedlock.generation.intake.lines import longest_line
from seedlock.generation.intake.raw import Fault, RawBatch, decode, require_columns
from seedlock.prereg.errors import BadInput, Finding

BLOCK_BYTES = 2**20
"""Arrow reads up to 32 blocks ahead of the rows that are taken."""
HEADER_LIMIT = 2**20
DELIMITERS = ",;\t|"


class _Ragged:
    """Collects the rows whose number of fields is not the header's; the parser calls it in file order."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.rows: set[int] = set()

    def __call__(self, row: csv.InvalidRow) -> str:
        """Keep the row and go on."""
        reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        self.faults.append(Fault(row=row.number - 1, reason=reason, content=row.text))
        self.rows.add(row.number - 1)
        return "skip"

    def good_rows(self, first: int, n: int) -> pa.Array:
        """Numbers of the next `n` rows that were not skipped, from row `first` on."""
        if not self.rows:
            return pa.array(np.arange(first, first + n))
        candidates = (row for row in itertools.count(first) if row not in self.rows)
        return pa.array(itertools.islice(candidates, n), pa.int64())


def read(path: Path, columns: Sequence[str], *, delimiter: str = ",") -> Iterator[RawBatch]:
    """Yield the wanted columns of a CSV file as raw batches; row 1 is the first after the header.

    Raises
    ------
    BadInput
        Another delimiter than the plan says; quoting that lets
        one row swallow others, or rows that are lost on the way; not UTF-8 text with a header and
        bounded lines; a wanted column is absent or doubled; no data row.
    """
    block = max(BLOCK_BYTES, 2 * longest_line(path))
    _refuse_other_delimiter(path, columns, delimiter)
    promised = count_records(path, delimiter)
    ragged = _Ragged()
    next_row, n_read = 1, 0
    try:
        with _open(path, ragged, block, columns, delimiter) as reader:
            require_columns(reader.schema.names, columns, path)
            for batch in reader:
                at = ragged.good_rows(next_row, batch.num_rows)
                next_row = at[-1].as_py() + 1 if len(at) else next_row
                n_read += batch.num_rows
                texts, undecoded = decode(at, [batch.column(name) for name in columns], columns)
                yield RawBatch(at=at, columns=pa.table(texts, names=list(columns)), undecoded=undecoded)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:  # the latter of a row with too many or too few fields
        if "Empty CSV" in str(error):
            raise BadInput(f"{path.name} has a header and no rows") from error
        found = Finding(where=f"after row {next_row - 1}", found=str(error), promised="CSV with a header")
        raise BadInput(f"{path.name} cannot be read as CSV", found) from error
    if next_row == 1 and not ragged.faults:
        raise BadInput(f"{path.name} has a header and no rows")
    if (parsed := n_read + len(ragged.faults)) != promised:
        fault = Finding(
            where=path.name, found=f"{parsed} rows as parsed", promised=f"{promised} rows as the file has them"
        )
        raise BadInput(f"{path.name} loses rows when it is read", fault, then=THEN)
    if ragged.faults:
        none = pa.table({name: pa.array([], pa.string()) for name in columns})
        yield RawBatch(at=pa.array([], pa.int64()), columns=none, faults=tuple(ragged.faults))


def _refuse_other_delimiter(path: Path, columns: Sequence[str], delimiter: str) -> None:
    """Refuse a file whose header has no delimiter of the plan and many of another."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline(HEADER_LIMIT).rstrip("\r\n")
    if (delimiter in header and not header.startswith("sep=")) or set(columns) <= {header, header.strip('"')}:
        return
    if header.startswith("sep="):
        fault = Finding(where="line 1", found=f"{header!r}, which only Excel reads", promised="the columns' names")
        raise BadInput(f"{path.name} does not begin with its header", fault, then="delete that line and import again")
    seen = max(DELIMITERS, key=header.count)
    if n := header.count(seen):
        fault = Finding(
            where="header",
            found=f"{n} {seen!r} and no {delimiter!r}",
            promised=f"delimiter = {json.dumps(seen)}  in [import]",
        )
        raise BadInput(f"{path.name} is not separated by {delimiter!r}", fault, then="mend  delimiter  in [import]")


def _open(path: Path, ragged: _Ragged, block: int, columns: Sequence[str], delimiter: str) -> csv.CSVStreamingReader:
    """Open a streaming reader that never guesses a type."""
    return csv.open_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False, block_size=block),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=ragged),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.binary()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
