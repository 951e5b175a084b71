"""Raw rows: what every file format is reduced to before anything is decided about them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.prereg.errors import BadInput, Finding

BATCH_ROWS = 16_384
COLUMNS_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A source row that could not even be read: its number, why, and what stood there."""

    row: int
    reason: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecoded:
    """A row whose text cannot be decoded in some columns: they are null in the batch; `content` is what stood there."""

    row: int
    columns: tuple[str, ...]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBatch:
    """Some rows of a source file, every value as text.

    Parameters
    ----------
    at
        Row numbers in the file, counted from 1 (data rows; lines for JSON lines).
    columns
        The columns asked for, in that order, all of type string; null where the source has none.
    faults
        Rows of the same stretch that could not be read.
    failed
        What the format itself says became of a row that is no answer (a status and its reason), null where it
        is one; None for formats that say nothing. No column map turns such a row into an answer.
    undecoded
        Rows among `at` with columns that are null because their bytes are no text.
    """

    at: pa.Array
    columns: pa.Table
    faults: tuple[Fault, ...] = ()
    failed: Failed | None = None
    undecoded: tuple[Undecoded, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Status and reason of every row of a batch; null where the format says it is an answer."""

    status: pa.Array
    reason: pa.Array

    def filter(self, mask: pa.Array) -> Failed:
        """Keep the rows where `mask` is true."""
        return Failed(status=self.status.filter(mask), reason=self.reason.filter(mask))


class Importer(Protocol):
    """A file format: path and wanted columns in, raw batches out, in file order and bounded memory."""

    def __call__(self, path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
        """Read a file; refuse as a whole what is not this format."""
        ...


class NoSuchColumn(BadInput):
    """A file lacks a column; `there` is every column, or path to a plain value, that it has."""

    there: tuple[str, ...] = ()


def require_columns(found: Sequence[str], wanted: Sequence[str], path: Path) -> None:
    """Refuse a file that lacks a wanted column, or has it twice; every fault at once."""
    findings = []
    for name in wanted:
        if found.count(name) > 1:
            findings.append(Finding(where=name, found=f"{found.count(name)} columns", promised="one of that name"))
        elif name not in found:
            near = difflib.get_close_matches(name, found, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else _of_one_value(name, found)
            listed = ", ".join(list(dict.fromkeys(found))[:COLUMNS_SHOWN]) or "no column"
            findings.append(Finding(where=name, found=f"no such column{guess}", promised=f"one of: {listed}"))
    if findings:
        then = "name the columns in the plan as the file has them"
        refusal = NoSuchColumn(f"{path.name} does not have the columns the plan maps", *findings, then=then)
        refusal.there = tuple(dict.fromkeys(found))
        raise refusal


def _of_one_value(name: str, found: Sequence[str]) -> str:
    """What is said of a path that goes on below a column of plain values."""
    parts = name.split(".")
    above = [path for n in range(1, len(parts)) if (path := ".".join(parts[:n])) in found]
    if not above or any(one.startswith(f"{above[-1]}.") for one in found):
        return ""
    why = "JSON within a text is not unpacked: give its parts their own columns"
    return f"; {above[-1]!r} is one value a row ({why})"


def reworded(words: pa.Array, ours: Mapping[str, str]) -> pa.Array:
    """The source's words as ours; others stay as they are."""
    place = pc.index_in(words, value_set=pa.array(list(ours), pa.string()))
    return pc.coalesce(pa.array(list(ours.values()), pa.string()).take(place), words)


def as_text(column: pa.Array, name: str, path: Path) -> pa.Array:
    """Render any plain Arrow column as text: 42.0 as "42", True as "true"."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        found = Finding(where=name, found=str(column.type), promised="text, numbers or true/false")
        raise BadInput(f"{path.name} holds a column that is not plain values", found) from error


def decode(
    at: pa.Array, columns: Sequence[pa.Array], names: Sequence[str]
) -> tuple[list[pa.Array], tuple[Undecoded, ...]]:
    """Decode binary columns as UTF-8; a value that is none becomes null and is named with its row."""
    bad: dict[int, list[str]] = {}
    decoded = []
    for name, column in zip(names, columns, strict=True):
        try:
            decoded.append(column.cast(pa.string()))
        except pa.ArrowInvalid:
            texts = [_decoded(raw) for raw in column.to_pylist()]
            for place, (raw, text) in enumerate(zip(column.to_pylist(), texts, strict=True)):
                if raw is not None and text is None:
                    bad.setdefault(place, []).append(name)
            decoded.append(pa.array(texts, pa.string()))
    found = (
        Undecoded(
            row=at[place].as_py(),
            columns=tuple(bad[place]),
            content=repr({name: column[place].as_py() for name, column in zip(names, columns, strict=True)}),
        )
        for place in sorted(bad)
    )
    return decoded, tuple(found)


def _decoded(raw: bytes | None) -> str | None:
    """Bytes as UTF-8 text; None where they are not."""
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None
