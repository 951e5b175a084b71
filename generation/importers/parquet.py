"""Read Parquet, row group by row group; columns are names, or dotted paths into structs and lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seedlock.generation.intake.nested import nested_batches, paths_below, paths_into
from seedlock.generation.intake.raw import BATCH_ROWS, RawBatch, as_text, decode, require_columns
from seedlock.prereg.errors import BadInput, Finding


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of a Parquet file as raw batches.

    Raises
    ------
    BadInput
        Not a Parquet file, or cut short; a wanted column is absent, doubled, or nested without a path into it.
    """
    try:
        with pq.ParquetFile(path) as parquet:
            if paths_into(parquet.schema_arrow, columns):
                yield from nested_batches(path, columns, parquet.schema_arrow, parquet.iter_batches)
                return
            require_columns([*parquet.schema_arrow.names, *paths_below(parquet.schema_arrow)], columns, path)
            if not parquet.metadata.num_rows:
                raise BadInput(f"{path.name} has no rows")
            row = 1
            for batch in parquet.iter_batches(BATCH_ROWS, columns=list(columns)):
                yield raw_batch(batch, columns, row, path)
                row += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        found = Finding(where=path.name, found=str(error).splitlines()[0], promised="a whole Parquet file")
        raise BadInput(f"{path.name} cannot be read as Parquet", found) from error


def raw_batch(batch: pa.RecordBatch, columns: Sequence[str], first: int, path: Path) -> RawBatch:
    """Render one batch as text; Arrow does not check UTF-8 when it reads."""
    at = pa.array(range(first, first + batch.num_rows), pa.int64())
    found = [batch.column(name) for name in columns]
    texts = [
        column if _is_binary(column) else as_text(column, name, path)
        for name, column in zip(columns, found, strict=True)
    ]
    raw = [column.cast(pa.large_binary()) for column in texts]
    decoded, undecoded = decode(at, raw, columns)
    return RawBatch(at=at, columns=pa.table(decoded, names=list(columns)), undecoded=undecoded)


def _is_binary(column: pa.Array) -> bool:
    """Whether a column holds bytes without a promise of an encoding."""
    return bool(pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type))
