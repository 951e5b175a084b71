"""Seal rows: sorted Parquet whose bytes follow from its rows alone, named by its SHA-256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seedlock.prereg.errors import BadInput, Finding, LockedFileChanged
from seedlock.schemas import TABLES
from seedlock.schemas.store import BATCH_ROWS, Appended, Store

ROW_GROUP_ROWS = BATCH_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """A sealed file: what the ledger records of it."""

    file: Path
    sha256: str
    rows: int


def seal(
    store: Store, table: str, file: Path, *, runs: Sequence[str] | None = None, items: Sequence[str] | None = None
) -> Seal:
    """Write a table of the store, or the rows of some runs and items, as a sealed Parquet file.

    Sorted by the table's order, written by one thread with fixed settings and row groups of
    `ROW_GROUP_ROWS`: the same rows give the same bytes, whatever order they arrived in (for one version of
    pyarrow, which the environment lock pins). The file appears whole or not at all.

    Raises
    ------
    BadInput
        `file` exists with other bytes, or there is no row to seal.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    schema = TABLES[table].arrow(store.declared(table))
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        rows = _write(draft, schema, store.read(table, runs=runs, items=items))
        if not rows:
            raise BadInput(f"there is no row of {table!r} to seal", then="generate or import first")
        digest = sha256_of(draft)
        _refuse_other_bytes(file, digest)
        draft.replace(file)
        _flush_folder(file.parent)
    finally:
        draft.unlink(missing_ok=True)
    return Seal(file=file, sha256=digest, rows=rows)


def unseal(file: Path, *, sha256: str | None = None) -> Iterator[pa.Table]:
    """Yield a sealed file's rows in order, a row group at a time, after checking its digest.

    Raises
    ------
    LockedFileChanged
        The bytes are not those of the seal.
    """
    if sha256 is not None and (found := sha256_of(file)) != sha256:
        raise LockedFileChanged(
            "a sealed file changed",
            Finding(where=file.name, found=f"sha256 {found}", promised=f"sha256 {sha256}"),
        )
    with pq.ParquetFile(file, memory_map=True) as parquet:
        for group in range(parquet.num_row_groups):
            yield parquet.read_row_group(group, use_threads=False)


def restore(store: Store, table: str, file: Path, *, sha256: str) -> Appended:
    """Put a sealed file's rows back into a store; rows already there are left alone."""
    added = already_there = 0
    with store.transaction():
        mark = store.mark(table)
        for rows in unseal(file, sha256=sha256):
            appended = store.append(table, rows, before=mark)
            added += appended.added
            already_there += appended.already_there
    return Appended(added=added, already_there=already_there)


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(file: Path, schema: pa.Schema, batches: Iterable[pa.Table]) -> int:
    """Write row groups of a fixed size, each from one contiguous chunk, and flush to disk."""
    rows = 0
    with file.open("wb") as stream:
        with pq.ParquetWriter(
            stream,
            schema,
            version="2.6",
            compression="zstd",
            compression_level=3,
            use_dictionary=True,
            write_statistics=True,
            store_schema=False,
            data_page_version="1.0",
        ) as writer:
            for group in _regrouped(batches):
                writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
                rows += group.num_rows
        stream.flush()
        os.fsync(stream.fileno())
    return rows


def _regrouped(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut the stream into groups of exactly `ROW_GROUP_ROWS`, the last one shorter."""
    held: list[pa.Table] = []
    waiting = 0
    for batch in batches:
        held.append(batch)
        waiting += batch.num_rows
        while waiting >= ROW_GROUP_ROWS:
            whole = pa.concat_tables(held)
            yield whole.slice(0, ROW_GROUP_ROWS).combine_chunks()
            held = [whole.slice(ROW_GROUP_ROWS)]
            waiting -= ROW_GROUP_ROWS
    if waiting:
        yield pa.concat_tables(held).combine_chunks()


def _refuse_other_bytes(file: Path, digest: str) -> None:
    """A seal is final: writing the same bytes again is fine, other bytes are not."""
    if file.exists() and (found := sha256_of(file)) != digest:
        raise BadInput(
            "a sealed file is never overwritten",
            Finding(where=file.name, found=f"rows that hash to {digest}", promised=f"sha256 {found}"),
            then="seal to another file, or declare the deviation",
        )


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
