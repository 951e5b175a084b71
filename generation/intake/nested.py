"""Nested Arrow columns as records: structs are objects, lists are lists, every value in them is text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from seedlock.generation.intake.raw import BATCH_ROWS, RawBatch, as_text, require_columns
from seedlock.generation.intake.records import Record, record_batches

type Batches = Callable[..., Iterable[pa.RecordBatch]]


def paths_into(schema: pa.Schema, columns: Sequence[str]) -> bool:
    """Whether some wanted column is no column but a path into one that nests."""
    return any(name not in schema.names and _top(schema, name) is not None for name in columns)


def paths_below(schema: pa.Schema) -> list[str]:
    """Every path into a column that nests, down to plain values."""
    return list(dict.fromkeys(_paths(one for one in schema if pa.types.is_nested(one.type))))


def nested_batches(path: Path, columns: Sequence[str], schema: pa.Schema, read: Batches) -> Iterator[RawBatch]:
    """Yield the wanted paths of every row, as `record_batches` does; `read(rows, columns=...)` yields the rows.

    Raises
    ------
    BadInput
        A path that begins at no column, or leads nowhere.
    """
    tops = {name: _top(schema, name) for name in columns}
    if None in tops.values() and (absent := [name for name, top in tops.items() if top is None and name != "*"]):
        require_columns(list(dict.fromkeys(_paths(schema))), absent, path)
    yield from record_batches(
        path, columns, _records(read(BATCH_ROWS, columns=[*{t for t in tops.values() if t}]), path)
    )


def _records(batches: Iterable[pa.RecordBatch], path: Path) -> Iterator[Record]:
    row = 0
    for batch in batches:
        texts = [_as_texts(batch.column(name), name, path) for name in batch.schema.names]
        for values in zip(*texts, strict=True):
            row += 1
            yield Record(row=row, fields=dict(zip(batch.schema.names, values, strict=True)))


def _as_texts(column: pa.Array, name: str, path: Path) -> list[Any]:
    """A column as Python values whose leaves are text; bytes that are no text stay as surrogates."""
    if not pa.types.is_nested(column.type):
        return [_decoded(one) for one in as_text(column, name, path).cast(pa.binary()).to_pylist()]
    found = column.cast(_with_leaves(column.type, pa.string())).cast(_with_leaves(column.type, pa.binary()))
    return [_decoded(one) for one in found.to_pylist(maps_as_pydicts="strict")]


def _with_leaves(kind: pa.DataType, leaf: pa.DataType) -> pa.DataType:
    """The same nesting over values of one type."""
    if pa.types.is_struct(kind):
        return pa.struct([(one.name, _with_leaves(one.type, leaf)) for one in kind])
    if pa.types.is_map(kind):
        return pa.map_(pa.string(), _with_leaves(kind.item_type, leaf))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_with_leaves(kind.value_type, leaf))
    return leaf


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, dict):
        return {key: _decoded(one) for key, one in value.items()}
    return [_decoded(one) for one in value] if isinstance(value, list) else value


def _top(schema: pa.Schema, name: str) -> str | None:
    """The column where a path begins."""
    cuts = [cut.start() for cut in re.finditer(r"[.\[]", name)]
    return next((start for cut in [len(name), *reversed(cuts)] if (start := name[:cut]) in schema.names), None)


def _paths(fields: Iterable[pa.Field], before: str = "") -> Iterator[str]:
    """Every path that leads to plain values."""
    for one in fields:
        kind, path = one.type, f"{before}{one.name}"
        while pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            kind, path = kind.value_type, f"{path}.*"
        if pa.types.is_struct(kind):
            yield from _paths(kind, f"{path}.")
        else:
            yield path
