"""How alike are the answers of two seeds? A copied run with one character appended is not a second run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import pandas as pd
import pyarrow as pa

from seedlock.analysis.scoring.duplicate_runs import LEAST_DISTINCT, LONG_CHARACTERS

SAMPLED = 400
"""Answers of a run that are compared, the same questions and draws in every run."""
READ_CHARACTERS = 600
BATCHES_HELD = 32
"""After so many batches only the first answers of each run are kept."""
SKETCH = 16
NEARLY = 0.75
"""Share of the sketch (the least hashes of runs of three words) that two nearly equal texts have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """Shares of `n` answers of two runs that are equal, and equal or nearly so."""

    run_ids: tuple[str, str]
    n: int
    equal: float
    near: float


_FIRST = f"QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY place, item_id, draw) <= {SAMPLED}"

_TELLING = f"""
    INSERT INTO telling
    SELECT run_id, item_id, draw, value,
        CASE WHEN length(text) >= {LONG_CHARACTERS} THEN left(text, {READ_CHARACTERS}) END AS text,
        md5_number_lower(concat_ws('/', item_id, draw)) AS place
    FROM batch
    WHERE status = 'ok' AND (length(text) >= {LONG_CHARACTERS} OR value <> round(value))
    {_FIRST}
"""  # noqa: S608  (constants of this file)

_KEEP_FIRST = f"CREATE OR REPLACE TABLE telling AS SELECT * FROM telling {_FIRST}"  # noqa: S608  (as above)

# Runs of three words, or of five characters where there are few words; the least hashes do not depend on where a
# text was cut or added to. Numbers are compared by six digits.
_SKETCH = f"""
    INSERT INTO answered
    WITH spelled AS (
        SELECT *, string_split(trim(regexp_replace(lower(text), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g')), ' ') AS w,
            regexp_replace(lower(text), '[^\\p{{L}}\\p{{N}}]+', '', 'g') AS c
        FROM telling)
    SELECT run_id, item_id, draw, md5(coalesce(text, value::VARCHAR)),
        CASE WHEN text IS NULL THEN [md5_number_lower(printf('%.6g', value))]
            ELSE list_sort(list_distinct(list_transform(
                CASE WHEN len(w) >= 6
                    THEN list_transform(range(1, len(w) - 1), lambda i: array_to_string(w[i:i + 2], ' '))
                    ELSE list_transform(range(1, greatest(length(c) - 3, 2)), lambda i: c[i:i + 4]) END,
                lambda x: md5_number_lower(x))))[1:{SKETCH}] END
    FROM spelled
"""  # noqa: S608  (constants of this file)

# An answer that a run gives to several questions (a refusal, say) tells nothing of who gave it.
_PAIRS = f"""
    WITH own AS (SELECT * FROM answered QUALIFY count(*) OVER (PARTITION BY run_id, sketch) = 1),
    placed AS (SELECT own.*, model, arm FROM own JOIN runs USING (run_id))
    SELECT a.run_id, b.run_id, count(*), avg((a.digest = b.digest)::INT),
        avg((len(list_intersect(a.sketch, b.sketch)) >= {NEARLY} * greatest(len(a.sketch), len(b.sketch)))::INT)
    FROM placed a JOIN placed b
        ON a.model = b.model AND a.arm = b.arm AND a.item_id = b.item_id AND a.draw IS NOT DISTINCT FROM b.draw
            AND a.run_id < b.run_id
    GROUP BY ALL HAVING count(*) >= {LEAST_DISTINCT} ORDER BY 1, 2
"""  # noqa: S608  (constants of this file)


def likeness_of_runs(rows: Iterable[pa.Table], runs: pd.DataFrame) -> tuple[Likeness, ...]:
    """Compare the answers of every two runs of one model and arm, question by question.

    Parameters
    ----------
    rows
        Batches with the columns of `completions`.
    runs
        The `runs` table: run_id, model, arm.

    Returns
    -------
    tuple of Likeness
        Pairs with at least five answers to compare, by run id.

    Notes
    -----
    Only telling answers count, as in `duplicated_runs`, and only those that a run gave once. Two texts are nearly equal
    where three quarters of the least hashes of their word triples are the same: one word in twelve may differ. Min-wise
    sketches: Broder (1997), https://doi.org/10.1109/SEQUEN.1997.666900
    """
    con = duckdb.connect(":memory:")
    try:
        con.execute(
            "CREATE TABLE telling (run_id VARCHAR, item_id VARCHAR, draw BIGINT, value DOUBLE, text VARCHAR,"
            " place UBIGINT);"
            "CREATE TABLE answered (run_id VARCHAR, item_id VARCHAR, draw BIGINT, digest VARCHAR, sketch UBIGINT[])"
        )
        for n, batch in enumerate(rows, start=1):
            con.register("batch", batch)
            con.execute(_TELLING)
            con.unregister("batch")
            if n % BATCHES_HELD == 0:
                con.execute(_KEEP_FIRST)
        con.execute(_KEEP_FIRST)
        con.execute(_SKETCH)
        con.register("runs", runs[["run_id", "model", "arm"]].astype(str))
        found = con.execute(_PAIRS).fetchall()
    finally:
        con.close()
    return tuple(
        Likeness(run_ids=(str(one), str(other)), n=int(n), equal=float(equal), near=float(near))
        for one, other, n, equal, near in found
    )
