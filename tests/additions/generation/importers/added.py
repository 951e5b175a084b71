"""Read values between tabs; the first line names the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from seedlock.generation.intake.raw import RawBatch, require_columns


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the whole file as one batch."""
    head, *rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    require_columns(head, columns, path)
    table = pa.table({name: pa.array([row[head.index(name)] for row in rows], pa.string()) for name in columns})
    yield RawBatch(at=pa.array(range(1, len(rows) + 1), pa.int64()), columns=table)
