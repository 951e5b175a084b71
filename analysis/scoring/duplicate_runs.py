"""Find seeds that are one run counted twice: the same model and arm, byte for byte the same answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import pandas as pd
import pyarrow as pa

LONG_CHARACTERS = 20
LEAST_DISTINCT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatedRuns:
    """Runs of one model and arm whose answers are identical in every row."""

    model: str
    arm: str
    run_ids: tuple[str, ...]
    rows: int


# The XOR of row digests does not depend on row order; item and draw are in the digest, so rows never cancel.
_PART = f"""
    WITH said AS (
        SELECT run_id, md5_number(to_json(struct_pack(item_id, draw, text, label, value, status))) AS digest,
            CASE WHEN length(text) >= {LONG_CHARACTERS} THEN md5(text)
                WHEN value <> round(value) THEN md5(value::VARCHAR) END AS telling
        FROM batch)
    SELECT run_id, bit_xor(digest)::VARCHAR, count(*),
        list_slice(list_sort(list(DISTINCT telling) FILTER (telling IS NOT NULL)), 1, {LEAST_DISTINCT})
    FROM said GROUP BY run_id
"""  # noqa: S608  (constants of this file)


def duplicated_runs(rows: Iterable[pa.Table], runs: pd.DataFrame) -> tuple[DuplicatedRuns, ...]:
    """List every group of runs of the same model and arm whose answers are byte-identical.

    Parameters
    ----------
    rows
        Batches with the columns of `completions`.
    runs
        The `runs` table: run_id, model, arm.

    Notes
    -----
    Only telling answers count: a run needs `LEAST_DISTINCT` different texts of at least `LONG_CHARACTERS`
    characters, or as many different values that are not whole numbers. Labels and one-letter answers of two
    honest seeds may well agree throughout, and are no evidence.
    """
    digest: dict[str, int] = defaultdict(int)
    n_rows: dict[str, int] = defaultdict(int)
    telling: dict[str, set[str]] = defaultdict(set)
    con = duckdb.connect(":memory:")
    try:
        for batch in rows:
            con.register("batch", batch)
            for run, xor, n, some in con.execute(_PART).fetchall():
                digest[run] ^= int(xor)
                n_rows[run] += n
                telling[run].update(some or ())
            con.unregister("batch")
    finally:
        con.close()
    groups: dict[tuple[str, str, int, int], list[str]] = defaultdict(list)
    for run in runs.sort_values("run_id").to_dict("records"):
        run_id = str(run["run_id"])
        if len(telling[run_id]) >= LEAST_DISTINCT:
            groups[str(run["model"]), str(run["arm"]), digest[run_id], n_rows[run_id]].append(run_id)
    return tuple(
        DuplicatedRuns(model=model, arm=arm, run_ids=tuple(same), rows=n)
        for (model, arm, _, n), same in sorted(groups.items())
        if len(same) > 1
    )
