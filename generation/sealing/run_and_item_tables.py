"""What is asked, as the tables that describe every answer: the promised runs and the items."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from seedlock.generation.requests.items import Item
from seedlock.prereg.lock.document import LockedRun


def runs_table(runs: Sequence[LockedRun]) -> pa.Table:
    """Every promised run with the factors of its arm."""
    factors = sorted({name for run in runs for name in run.factors})
    rows = [
        {
            "run_id": run.run_id,
            "model": run.model,
            "arm": run.arm,
            "seed": None if run.seed is None else str(run.seed),
            **{name: run.factors.get(name) for name in factors},
        }
        for run in runs
    ]
    names = ["run_id", "model", "arm", "seed", *factors]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))


def items_table(items: Sequence[Item]) -> pa.Table:
    """Every item of every set: its attributes (null where it has none of the name), how it is asked, and its pair."""
    names = sorted({"asked", "pair", *(name for item in items for name in item.attributes)})
    rows = [
        {
            "items": item.item_set,
            "item_id": item.item_id,
            **{name: item.attributes.get(name) for name in names},
            "asked": item.asked,
            "pair": item.pair,
        }
        for item in items
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in ["items", "item_id", *names]]))
