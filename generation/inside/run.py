"""`seedlock inside`: every planned reading, behind the gate, resumable after any crash; then the seal."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import batched, groupby
from pathlib import Path
from typing import Any

import torch

from seedlock.generation.inside.conditions import conditions_table
from seedlock.generation.inside.direction import Sight
from seedlock.generation.inside.loaded_models import Bench
from seedlock.generation.inside.passes import passes_of, runs_by_model, sight_of
from seedlock.generation.inside.progress import InsideProgress, Quiet
from seedlock.generation.inside.rows import Pass, Reading, readings_table
from seedlock.generation.local.worker_pool import LayOut, Part, carried_out
from seedlock.generation.requests.items import Item, read_items
from seedlock.generation.requests.run_models import RunModel, run_models
from seedlock.generation.sealing.restore import restore_sealed
from seedlock.generation.sealing.run_and_item_tables import items_table, runs_table
from seedlock.prereg.base.canonical import canonical_json, read_json, sha256_json, write_atomic
from seedlock.prereg.base.machine import cores
from seedlock.prereg.errors import BadInput, Finding, Incomplete
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.lock.ledger import Event, append_event, read_ledger
from seedlock.prereg.lock.superseded import READ, numbered, readings_of
from seedlock.prereg.plan.inside import Inside
from seedlock.prereg.plan.runs import Decoding
from seedlock.schemas.seal import seal
from seedlock.schemas.store import Store

BATCH = 64
FLUSH_ROWS = 8192
FLUSH_S = 5.0
PART = 24
"""Passes handed out at a time, all of one run."""
MANY_ROWS = 20_000
"""Readings for which a helper process is worth its start of some seconds."""
SMALL_MODEL_BYTES = 1 << 28
"""Weights up to which every process may hold models of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedInside:
    """What `seedlock inside` did.

    Parameters
    ----------
    planned, already, read
        Readings that the plan asks for, found with a row, and made now.
    layers
        Base model -> the layer chosen on source texts, with its probe's accuracy on texts held out.
    statuses
        Rows by status.
    """

    planned: int
    already: int
    read: int
    layers: Mapping[str, tuple[int, float]]
    statuses: Mapping[str, int]
    sealed: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The account, for a person."""
        yield f"planned   {self.planned} readings"
        yield f"read      {self.read} now, {self.already} before"
        yield "became    " + ", ".join(f"{rows} {status}" for status, rows in self.statuses.items())
        for model, (layer, accuracy) in self.layers.items():
            yield f"direction {model}: layer {layer}, {accuracy:.1%} of held-out texts told apart"
        yield from (f"sealed    {file}" for file in self.sealed)


def look_inside(
    locked: LockedPlan,
    *,
    progress: InsideProgress | None = None,
    batch_size: int = BATCH,
    workers: int | None = None,
) -> LookedInside:
    """Make every reading that a locked plan's [inside] asks for, then seal them.

    Every reading ends as one row: a number, or the reason there is none. A pass is stored whole or not at all, so that
    a look that was killed goes on where it stopped and seals the same bytes.

    Parameters
    ----------
    batch_size
        Prompts read at a time.
    workers
        Processes that read, each with a model of its own; by default one a core for much work on small models without a
        GPU, else this one alone. No reading depends on it.

    Raises
    ------
    OutOfOrder
        A run is not trained yet.
    Incomplete, LockedFileChanged
        A model is missing, or its bytes differ from the ledger or the plan's pin.
    BadInput
        The plan has no [inside], or the store holds readings of other models.
    """
    plan = _asked_for(locked)
    items, models = read_items(locked), run_models(locked)
    bench = _bench(locked, items, batch_size)
    told = progress or Quiet()
    with Store.open(locked.paths.store) as store:
        restore_sealed(locked.paths, locked.events, store, sorted(READ))
        _refuse_others(locked, store, models)
        work, sights = _lay_out(locked, bench, items, models, plan)
        stored = _stored(store)
        todo = [index for index, one in enumerate(work) if not _is_done(one, stored)]
        planned = sum(one.n_rows for one in work)
        already = planned - sum(work[index].n_rows for index in todo)
        told.begin(planned, already)
        store.append("runs", runs_table(locked.lock.runs))
        store.append("items", items_table(items))
        store.append("conditions", conditions_table(condition for one in work for condition in one.conditions))
        for sight in sights:
            store.append("directions", sight.table())
        if workers is None:
            workers = _workers(bench, models, planned - already)
        again = partial(_laid_out_again, locked, batch_size)
        _carry_out(_made(work, todo, again, workers), work, store, told)
        if (found := store.rows("readings")) != planned:
            fault = Finding(where="store", found=f"{found} readings", promised=str(planned))
            raise Incomplete(f"{locked.paths.name} lacks readings", fault, then=f"seedlock inside {locked.paths.name}")
        sealed = _seal(locked, store, bench, has_direction=bool(sights))
        return LookedInside(
            planned=planned,
            already=already,
            read=planned - already,
            layers={sight.model: (sight.layer, sight.probes[sight.layer].accuracy) for sight in sights},
            statuses=_counted(store, "SELECT status, count(*) FROM readings GROUP BY status ORDER BY status"),
            sealed=sealed,
        )


def _asked_for(locked: LockedPlan) -> Inside:
    if locked.plan.inside is None:
        fault = Finding(where="[inside]", found="nothing", promised="what to read inside the models")
        raise BadInput(f"the plan of {locked.paths.name} looks inside nothing", fault, then="add it, and amend")
    return locked.plan.inside


def _bench(locked: LockedPlan, items: Sequence[Item], batch_size: int) -> Bench:
    return Bench(items, locked.plan.decoding or Decoding(temperature=0.0, max_new_tokens=1), batch_size)


def _lay_out(
    locked: LockedPlan, bench: Bench, items: Sequence[Item], models: Sequence[RunModel], plan: Inside
) -> tuple[list[Pass], list[Sight]]:
    """Every pass of every base model, with the direction of each."""
    work: list[Pass] = []
    sights: list[Sight] = []
    for runs in runs_by_model(locked, models):
        sight = sight_of(locked, bench, items, runs, plan)
        sights += [] if sight is None else [sight]
        work += passes_of(locked, bench, items, runs, plan=plan, sight=sight)
    return work, sights


def _workers(bench: Bench, models: Sequence[RunModel], rows: int) -> int:
    """How many processes are worth their start, and have room."""
    small = all(model.is_local and _size(Path(model.base)) <= SMALL_MODEL_BYTES for model in models)
    return cores() if bench.device.type == "cpu" and small and rows >= MANY_ROWS else 1


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def _laid_out_again(locked: LockedPlan, batch_size: int) -> list[Pass]:
    """The same passes in another process; directions are read back from where the first found them."""
    items, models = read_items(locked), run_models(locked)
    work, _ = _lay_out(locked, _bench(locked, items, batch_size), items, models, _asked_for(locked))
    return work


def _parts(work: Sequence[Pass], todo: Sequence[int]) -> list[Part]:
    """Indices of passes to do, in order, in parts that stay with one run."""
    by_run = groupby(todo, key=lambda index: work[index].run.run_id)
    return [part for _, own in by_run for part in batched(own, PART)]


def _made(
    work: Sequence[Pass], todo: Sequence[int], again: LayOut[list[Reading]], workers: int
) -> Generator[tuple[int, list[Reading]]]:
    """Every pass to do with its readings: by helpers where there are several, and what they leave out here."""
    left = dict.fromkeys(todo)
    if workers > 1:
        for index, rows in carried_out(again, _parts(work, todo), workers=workers, preload=__name__):
            left.pop(index)
            yield index, rows
    for index in left:
        yield index, work[index].make()


def _carry_out(
    made: Generator[tuple[int, list[Reading]]], work: Sequence[Pass], store: Store, told: InsideProgress
) -> None:
    """Store what is read every few seconds, whole passes at a time."""
    held: list[Reading] = []
    since = time.monotonic()
    try:
        with closing(made):
            for index, rows in made:
                one = work[index]
                if len(rows) != one.n_rows:
                    fault = Finding(where=one.run.label, found=f"{len(rows)} readings", promised=str(one.n_rows))
                    raise Incomplete("a pass did not give what it was planned to give", fault)
                held += rows
                told.read(one.run.label, len(rows))
                if len(held) >= FLUSH_ROWS or time.monotonic() - since > FLUSH_S:
                    store.append("readings", readings_table(held))
                    held, since = [], time.monotonic()
    finally:
        if held:
            store.append("readings", readings_table(held))


def _stored(store: Store) -> dict[tuple[str, str, str], set[str]]:
    """(run, reading, condition) -> items with a row."""
    found: dict[tuple[str, str, str], set[str]] = {}
    query = "SELECT run_id, reading, condition, list(item_id) FROM readings GROUP BY run_id, reading, condition"
    for run, reading, condition, items in store.con.execute(query).fetchall():
        found[str(run), str(reading), str(condition)] = set(items)
    return found


def _is_done(one: Pass, stored: Mapping[tuple[str, str, str], set[str]]) -> bool:
    return all(
        set(one.items) <= stored.get((one.run.run_id, kind, condition.name), set()) for kind, condition in one.wanted
    )


def _refuse_others(locked: LockedPlan, store: Store, models: Sequence[RunModel]) -> None:
    """Readings of other models than those here are not mixed with theirs; the last look records whose they are.

    Runs that were not there then may join: a planned look brings more seeds.
    """
    record = locked.paths.runs / "inside" / "models.json"
    here: dict[str, Any] = {
        "inside": None if locked.plan.inside is None else sha256_json(locked.plan.inside.model_dump(mode="json")),
        **{model.run_id: [model.revision, model.adapter_sha256] for model in models},
    }
    known: dict[str, Any] = read_json(record.read_bytes()) if record.is_file() and store.rows("readings") else {}
    faults = [
        Finding(where=key, found=str(here.get(key)), promised=f"{promised} (when they were read)")
        for key, promised in sorted(known.items())
        if here.get(key) != promised
    ]
    if faults:
        raise BadInput(
            f"the store of {locked.paths.name} holds readings of other models or another plan",
            *faults[:20],
            then=f"move {locked.paths.relative(locked.paths.store)} away if nothing of it is sealed",
        )
    write_atomic(record, canonical_json(here) + b"\n")


def _seal(locked: LockedPlan, store: Store, bench: Bench, *, has_direction: bool) -> tuple[str, ...]:
    """Seal every table that was filled and enter each in the ledger once."""
    sealed = []
    for table in ("runs", "items", "conditions", *(["directions"] if has_direction else []), "readings"):
        known = [e for e in read_ledger(locked.paths.ledger) if e.name == "data.sealed" and e.body["table"] == table]
        found = seal(store, table, locked.paths.runs / "sealed" / _file_of(locked, table, known))
        sealed.append(locked.paths.relative(found.file))
        if same := [str(e.body["file"]) for e in known if e.body["sha256"] == found.sha256]:
            if found.file.name not in same:  # a later look left this table as it was
                found.file.unlink()
                sealed[-1] = locked.paths.relative(found.file.with_name(same[-1]))
            continue
        body: dict[str, Any] = {"table": table, "file": found.file.name, "sha256": found.sha256, "rows": found.rows}
        if table == "readings":
            runs = _counted(store, "SELECT run_id, count(*) FROM readings GROUP BY run_id ORDER BY run_id")
            made = {"device": bench.device.type, "threads": torch.get_num_threads(), "batch_size": bench.batch_size}
            body |= {"lock_id": locked.lock_id, "due": len(locked.due), "runs": runs, "inside": made}
        append_event(locked.paths.ledger, "data.sealed", body)
    return tuple(sealed)


def _file_of(locked: LockedPlan, table: str, known: Sequence[Event]) -> str:
    """Where a table is sealed: where it is already, or beside that where more runs are due now."""
    if known and (table not in READ or readings_of(locked.events, due=len(locked.due)) is not None):
        return str(known[-1].body["file"])
    name = f"{table}.parquet"
    return numbered(name, locked.events, table="readings") if table in READ else name


def _counted(store: Store, query: str) -> dict[str, int]:
    return {str(name): int(rows) for name, rows in store.con.execute(query).fetchall()}
