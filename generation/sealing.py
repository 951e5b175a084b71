"""Generated rows become sealed tables, each with its line in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from generation.items import Item
from prereg.gate import LockedPlan
from prereg.ledger import append_event, read_ledger
from schemas.seal import Seal, restore, seal
from schemas.store import Store

SEALED = ("runs", "items", "completions", "requests")


def runs_table(locked: LockedPlan) -> pa.Table:
    """Every promised run with the factors of its arm."""
    factors = sorted({name for run in locked.lock.runs for name in run.factors})
    rows = [
        {
            "run_id": run.run_id,
            "model": run.model,
            "arm": run.arm,
            "seed": None if run.seed is None else str(run.seed),
            **{name: run.factors.get(name) for name in factors},
        }
        for run in locked.lock.runs
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


def restore_sealed(locked: LockedPlan, store: Store) -> None:
    """Put rows that are sealed already back into a store that lost them; nothing is asked of a model twice."""
    for event in locked.events:
        if event.name == "data.sealed" and event.body["table"] in {"completions", "requests"}:
            places = [path for path in locked.paths.seal_places(str(event.body["file"])) if path.is_file()]
            if places and store.rows(str(event.body["table"])) < int(event.body["rows"]):
                restore(store, str(event.body["table"]), places[0], sha256=str(event.body["sha256"]))


def seal_generated(locked: LockedPlan, store: Store, made: Mapping[str, Any]) -> list[Seal]:
    """Seal every table and enter each in the ledger once; `made` says where and how the answers were made."""
    sealed = []
    for table in SEALED:
        found = seal(store, table, locked.paths.runs / "sealed" / f"{table}.parquet")
        sealed.append(found)
        events = read_ledger(locked.paths.ledger)
        if any(event.name == "data.sealed" and event.body["sha256"] == found.sha256 for event in events):
            continue
        body: dict[str, Any] = {"table": table, "file": found.file.name, "sha256": found.sha256, "rows": found.rows}
        if table == "completions":
            body |= {
                "lock_id": locked.lock_id,
                "runs": rows_by_run(store),
                "finish": finishes(store),
                "generation": dict(made),
            }
        append_event(locked.paths.ledger, "data.sealed", body)
    return sealed


def rows_by_run(store: Store) -> dict[str, int]:
    """Run -> rows of completions."""
    found = store.con.execute("SELECT run_id, count(*) FROM completions GROUP BY run_id ORDER BY run_id").fetchall()
    return {str(run): int(rows) for run, rows in found}


def finishes(store: Store) -> dict[str, int]:
    """How answers ended -> rows."""
    found = store.con.execute("SELECT finish, count(*) FROM requests GROUP BY finish ORDER BY finish").fetchall()
    return {str(finish): int(rows) for finish, rows in found}
