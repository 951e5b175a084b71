"""Which completions the report shows: the first few of a seeded shuffle of each cell, fixed by the plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa

from analysis.scores import NamedMeasure
from prereg.canonical import sha256_json
from prereg.plan import Plan

LONGEST = 4000
"""Characters of a completion that results.json carries; the sealed data hold the rest."""


def draw_samples(
    batches: Iterable[pa.Table], named: NamedMeasure | None, plan: Plan, runs: pd.DataFrame, items: pd.DataFrame
) -> list[dict[str, Any]]:
    """The planned samples, by cell and score.

    Each completion's place in the shuffle is the digest of the plan's seed and its request id, so that neither row
    order nor a random generator's version can choose what is shown.

    Parameters
    ----------
    batches
        Completions.
    named
        The measure that says whether a completion fires; None where the plan names none.
    """
    rule = plan.samples
    if rule is None:
        return []
    best: dict[tuple[str, ...], list[tuple[str, dict[str, Any]]]] = {}
    run_rows = runs.set_index("run_id").to_dict("index")
    item_rows = items.drop_duplicates("item_id").set_index("item_id").to_dict("index")
    for whole in batches:
        batch = named.rows(whole) if named else whole
        scores = named.measure.score(batch, named.params).score.to_pylist() if named else [None] * batch.num_rows
        for row, score in zip(
            batch.select(["request_id", "run_id", "item_id", "draw", "text"]).to_pylist(), scores, strict=True
        ):
            if row["text"] is None:
                continue
            keys = {**run_rows[row["run_id"]], **item_rows[row["item_id"]]}
            cell = tuple(str(keys.get(factor)) for factor in rule.by)
            fires = None if score is None else bool(score > 0)
            place = sha256_json([rule.seed, row["request_id"]])
            kept = best.setdefault((*cell, str(fires)), [])
            kept.append((place, {**_shown(row), "cell": dict(zip(rule.by, cell, strict=True)), "fires": fires}))
            kept.sort(key=lambda entry: entry[0])
            del kept[rule.per_cell :]
    return [sample for _, group in sorted(best.items()) for _, sample in group]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    text = str(row["text"])
    return {
        "run_id": row["run_id"],
        "item_id": row["item_id"],
        "draw": row["draw"],
        "text": text[:LONGEST],
        "characters": len(text),
    }
