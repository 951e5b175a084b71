"""What a file of rows holds, column by column, in one pass and bounded memory."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.importers import csv, importer
from seedlock.generation.importers import json as json_format
from seedlock.generation.intake.json_documents import json_documents
from seedlock.generation.intake.plain_file import plain_file
from seedlock.generation.intake.raw import Importer, NoSuchColumn
from seedlock.prereg.errors import BadInput, Finding

LEVELS = 1000
MAX_COLUMNS = 400
NO_COLUMN = "\0"
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".eval": "inspect",
}
OWN_KEYS: Mapping[str, frozenset[str]] = {
    "lm_eval": frozenset({"doc_id", "doc", "resps", "filtered_resps"}),
    "inspect": frozenset({"eval", "samples"}),
    "openai_batch": frozenset({"custom_id", "response"}),
    "anthropic_batch": frozenset({"custom_id", "result"}),
    "openai_chat": frozenset({"choices", "object"}),
    "gemini_batch": frozenset({"key", "response"}),
}
"""Keys by which the first object of a JSON file says what wrote it."""
BATCHES = ("openai_batch", "anthropic_batch", "gemini_batch", "openai_chat")
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"

NUMBER_WITH_COMMA = r"^[+-]?[0-9]*,[0-9]+$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a file is read: a key of `IMPORTERS`, and what that format leaves open."""

    name: str
    delimiter: str = ","
    decimal: str = "."
    rows_at: str | None = None

    def reader(self) -> Importer:
        """The reader of files like this one."""
        if self.name == "csv":
            return functools.partial(csv.read, delimiter=self.delimiter)
        if self.name == "json":
            return functools.partial(json_format.read, rows_at=self.rows_at)
        return importer(self.name)


@dataclass(slots=True, kw_only=True)
class Column:
    """What stands in one column; `levels` counts its values, up to `LEVELS` different ones.

    `low` and `high` are the ends of its numbers, where every value is one; `has_comma` says that some of them have a
    decimal comma.
    """

    name: str
    n: int = 0
    nulls: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    is_open: bool = False
    is_number: bool = True
    is_whole: bool = True
    has_comma: bool = False
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, values: pa.Array, *, may_have_comma: bool = False) -> None:
        """Take in some more of its values."""
        self.n += len(values)
        self.nulls += values.null_count
        values = values.drop_null()
        if not len(values):
            return
        numerals = values
        if may_have_comma and pc.any(pc.match_substring_regex(values, NUMBER_WITH_COMMA)).as_py():
            self.has_comma, numerals = True, pc.replace_substring(values, ",", ".")
        if self.is_number and pc.all(pc.match_substring_regex(numerals, NUMBER)).as_py():
            numbers = numerals.cast(pa.float64())
            self.low = min(self.low, pc.min(numbers).as_py())
            self.high = max(self.high, pc.max(numbers).as_py())
            self.is_whole = self.is_whole and pc.all(pc.equal(numbers, pc.floor(numbers))).as_py()
        else:
            self.is_number = self.is_whole = False
        if not self.is_open:
            for one in pc.value_counts(values).to_pylist():
                self.levels[one["values"]] += one["counts"]
            self.is_open = len(self.levels) > LEVELS

    @property
    def n_levels(self) -> int:
        """Different values, or one more than are counted."""
        return len(self.levels)


def look(files: Sequence[Path]) -> tuple[Format, dict[str, Column]]:
    """The format of files that are alike, and what their columns hold over all of them.

    Raises
    ------
    BadInput
        No such file, files of several formats, or a file that its reader refuses.
    """
    formats = {format_of(file) for file in files}
    if len(formats) > 1:
        faults = [Finding(where=f.name, found=format_of(f).name, promised="the same for all") for f in files[:20]]
        raise BadInput("these files are not of one format", *faults, then="seedlock init DIR --from FILE")
    (found,) = formats
    names = list(dict.fromkeys(name for file in files for name in columns_there(file, found)))
    names.sort(key=lambda name: name.count("."))
    columns = {name: Column(name=name) for name in names[:MAX_COLUMNS]}
    for file in files:
        here = [name for name in columns_there(file, found) if name in columns]
        for batch in rows_of(file, found, here):
            for name in here:
                columns[name].add(batch[name].combine_chunks(), may_have_comma=found.delimiter != ",")
    if any(column.has_comma and column.is_number for column in columns.values()):
        found = replace(found, decimal=",")
    return found, {name: column for name, column in columns.items() if column.n > column.nulls}


def rows_of(file: Path, format: Format, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The wanted columns of a file, batch by batch, as text."""
    with plain_file(file) as plain:
        for batch in format.reader()(plain, columns):
            yield batch.columns


def columns_there(file: Path, format: Format) -> tuple[str, ...]:
    """Every column of a file, or path to a plain value: what its reader says when asked for one that is not there."""
    try:
        for _ in rows_of(file, format, [NO_COLUMN]):
            pass
    except NoSuchColumn as refusal:
        there = refusal.there
        return tuple(name for name in there if not any(other.startswith(f"{name}.") for other in there))
    return ()


def format_of(file: Path) -> Format:
    """What a file is, by its ending and its first bytes.

    Raises
    ------
    BadInput
        No such file, or neither ending nor content is known.
    """
    if file.is_dir():
        return Format(name="hf_dataset")
    if not file.is_file():
        raise BadInput("no such file", Finding(where=str(file), found="nothing", promised="a file of rows"))
    with plain_file(file) as plain:
        named = SUFFIXES.get(plain.suffix.lower()) or _by_content(plain)
        if named == "csv":
            return Format(name="csv", delimiter=_delimiter(plain))
        if named == "json":
            return _of_documents(plain)
    return Format(name=named)


def _by_content(file: Path) -> str:
    with file.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        lines = (line for line in stream if not line.isspace())
        first, second = next(lines, b""), next(lines, b"")
    if start == b"PAR1":
        return "parquet"
    if start == b"PK\x03\x04":
        return "inspect"
    try:
        row = json.loads(first)
    except ValueError:
        is_json = first.lstrip()[:1] in {b"[", b"{"}
        return "json" if is_json else "csv"
    is_document = file.suffix.lower() == ".json" and not second
    return _by_keys(row) if isinstance(row, dict) and not is_document else "json"


def _by_keys(row: Mapping[str, Any], otherwise: str = "jsonl") -> str:
    return next((name for name, keys in OWN_KEYS.items() if keys <= row.keys()), otherwise)


def _of_documents(file: Path) -> Format:
    """The format of a JSON document, and where its rows lie."""
    document = next(json_documents(file))
    if isinstance(document, dict):
        named = _by_keys(document, "json")
        found = [path for path, rows in _lists(document) if rows and all(isinstance(row, dict) for row in rows)]
        return Format(name=named, rows_at=found[0] if named == "json" and found else None)
    first = document[0] if isinstance(document, list) and document and isinstance(document[0], dict) else {}
    named = _by_keys(first, "json")
    return Format(name=named if named in BATCHES else "json")


def _lists(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every list in an object, nearest first in the order it stands there, by its dotted path."""
    for key, inner in value.items():
        if isinstance(inner, list):
            yield f"{before}{key}", inner
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _lists(inner, f"{before}{key}.")


def _delimiter(file: Path) -> str:
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline(csv.HEADER_LIMIT)
    return max(csv.DELIMITERS, key=header.count)
