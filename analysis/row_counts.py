"""Rows of a sealed file, counted from the file: `verify` imports this and no schema, no pandas and no DuckDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.ledger import Event

OF_RUNS = frozenset({"completions", "counts"})
"""Tables whose seal says how many rows each run has."""
MOST_ROWS = 16_384
"""Rows of a row group that are read at once: as many as a seal writes."""


def miscounted(event: Event, file: Path) -> Iterator[Finding]:
    """Where a seal's `rows`, `runs` and `audited` are not what its file holds."""
    body, said = event.body, f"(ledger line {event.n})"
    try:
        rows = count_rows(file)
        if rows != body["rows"]:
            yield Finding(where=file.name, found=f"{rows} rows", promised=f"{body['rows']} rows {said}")
        elif body["table"] in OF_RUNS or body.keys() & {"runs", "audited"}:
            promised = Counter(body.get("runs", {})) + Counter(body.get("audited", {}))
            found = count_rows_of_runs(file)
            for run in sorted(found.keys() | promised.keys()):
                if found[run] != promised[run]:
                    told = f"{promised[run]} rows {said}"
                    yield Finding(where=f"{file.name}: {run}", found=f"{found[run]} rows", promised=told)
    except (pa.ArrowException, OSError, KeyError) as error:
        yield Finding(where=file.name, found=str(error)[:200], promised=f"a sealed table {said}")


def count_rows(file: Path) -> int:
    """How many rows a sealed file holds, by its footer."""
    return int(pq.read_metadata(file).num_rows)


def count_rows_of_runs(file: Path) -> Counter[str]:
    """Run -> rows of it in a sealed file, a row group at a time.

    Raises
    ------
    pyarrow.ArrowException
        It is no Parquet file, has no column `run_id`, or a row group is larger than any that is sealed.
    """
    total: Counter[str] = Counter()
    with pq.ParquetFile(file, memory_map=True) as parquet:
        for group in range(parquet.num_row_groups):
            if (rows := parquet.metadata.row_group(group).num_rows) > MOST_ROWS:
                raise pa.ArrowInvalid(f"row group {group} has {rows} rows, {MOST_ROWS} at most are sealed")
            runs = parquet.read_row_group(group, columns=["run_id"], use_threads=False)["run_id"]
            total.update(map(str, runs.to_pylist()))  # value_counts would import pyarrow.compute
    return total
