"""`seedlock generate`: every promised request, behind the gate, resumable after any crash; then the seal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import batched
from typing import Any

from generation.answer import Answer, tables_of
from generation.backends import Backend, Setting, backend
from generation.items import Item, read_items
from generation.option_check import count_options
from generation.progress import GenerateProgress, Quiet
from generation.request import Prompt, Request, requests_of
from generation.run_models import RunModel, run_models
from generation.sealing import items_table, restore_sealed, rows_by_run, runs_table, seal_generated
from prereg.canonical import canonical_json, write_atomic
from prereg.errors import BadInput, Finding, Incomplete, OutOfOrder
from prereg.gate import LockedPlan
from prereg.run_tables import Decoding
from schemas.seal import Seal
from schemas.store import Store

BATCH = 256
FLUSH_ROWS = 4096
FLUSH_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What `seedlock generate` did.

    Parameters
    ----------
    planned, already, answered
        Requests the plan makes, found with a row, and given a row now.
    statuses
        What became of all of them: rows by status of `completions`.
    cut_off
        Answers that reached the planned length, kept or not.
    runs
        Run -> rows.
    sealed
        Sealed files, relative to the repository.
    """

    planned: int
    already: int
    answered: int
    statuses: Mapping[str, int]
    cut_off: int
    runs: Mapping[str, int]
    sealed: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The account, for a person."""
        yield f"planned   {self.planned} requests over {len(self.runs)} runs"
        yield f"answered  {self.answered} now, {self.already} before"
        yield "became    " + ", ".join(f"{rows} {status}" for status, rows in self.statuses.items())
        if self.cut_off:
            yield f"cut off   {self.cut_off} answers reached the planned length"
        left = self.planned - self.already - self.answered
        if left:
            yield f"left      {left} requests; nothing is sealed before every one has its row"
        yield from (f"sealed    {file}" for file in self.sealed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One run and its requests, in batches whose make-up follows from the plan alone."""

    model: RunModel
    batches: tuple[tuple[Request, ...], ...]


def generate_study(
    locked: LockedPlan,
    *,
    progress: GenerateProgress | None = None,
    batch_size: int = BATCH,
    probes_only: bool = False,
) -> Generated:
    """Put every item of a locked plan to every run, then seal the rows.

    Every planned request ends as one row: an answer, or the reason there is none. A batch is stored whole or not at
    all, and the batches of a run are the same whenever it is started, so that a run that was killed and resumed gives
    the same bytes as one that was not.

    Parameters
    ----------
    probes_only
        Score the probes and leave answers for later. Rows are sealed once every planned request has one, whichever
        command made it.

    Raises
    ------
    OutOfOrder
        The data are made elsewhere, or a run is not trained yet.
    Incomplete, LockedFileChanged
        A model is missing, or its bytes differ from the ledger or the plan's pin.
    BadInput
        Items, decoding or backend cannot be used, or the store holds answers to other requests.
    """
    decoding = _decoding(locked)
    items = read_items(locked)
    models = run_models(locked)
    place = backend(decoding, Setting(hosted=locked.plan.hosted, workbench=locked.paths.runs))
    work = _work(models, items, place, decoding, batch_size)
    told = progress or Quiet()
    with Store.open(locked.paths.store) as store:
        store.append("runs", runs_table(locked))
        store.append("items", items_table(items))
        restore_sealed(locked, store)
        stored = {str(row[0]) for row in store.con.execute("SELECT request_id FROM completions").fetchall()}
        planned = {request.request_id for one in work for batch in one.batches for request in batch}
        _refuse_strangers(locked, stored - planned)
        asked = [_probes(one) for one in work] if probes_only else work
        wanted = {request.request_id for one in asked for batch in one.batches for request in batch}
        told.begin(len(wanted), len(wanted & stored))
        place.prepare([(one.model, left) for one in asked if (left := _left(one, stored))])
        for one in asked:
            _account(locked, store, len(planned))
            _carry_out(one, place, store, stored, told, account=lambda: _account(locked, store, len(planned)))
        _account(locked, store, len(planned))
        seals: list[Seal] = []
        if not (probes_only and store.rows("completions") < len(planned)):
            _require_all(locked, store, len(planned))
            seals = _seal(locked, store, work, {"backend": decoding.backend, "batch_size": batch_size}, place)
        return Generated(
            planned=len(planned),
            already=len(stored),
            answered=store.rows("completions") - len(stored),
            statuses=_counted(store, "SELECT status, count(*) FROM completions GROUP BY status ORDER BY status"),
            cut_off=sum(
                _counted(store, "SELECT finish, count(*) FROM requests WHERE finish = 'length' GROUP BY 1").values()
            ),
            runs=rows_by_run(store),
            sealed=tuple(locked.paths.relative(found.file) for found in seals),
        )


def _decoding(locked: LockedPlan) -> Decoding:
    plan, study = locked.plan, locked.paths.name
    if plan.import_ is not None:
        fault = Finding(where="[import]", found="data made elsewhere", promised="items to put to models here")
        raise OutOfOrder(f"{study} generates nothing", fault, then=f"seedlock import {study}")
    if plan.decoding is None:
        fault = Finding(where="[decoding]", found="nothing", promised="temperature, max_new_tokens, draws")
        raise BadInput(f"the plan of {study} does not say how to sample", fault, then="add it, and amend")
    return plan.decoding


def _work(
    models: Sequence[RunModel], items: Sequence[Item], place: Backend, decoding: Decoding, batch_size: int
) -> list[_Work]:
    """Lay out every batch: answers before probes, prompts of like length together, draws of one prompt side by side."""
    written: dict[tuple[str, str], list[Prompt]] = {}
    work = []
    for model in models:
        key = (model.base, model.revision)
        if key not in written:
            written[key] = place.prompts(model, items)
        ordered = sorted(
            requests_of(model, written[key], decoding),
            key=lambda r: (len(r.prompt.tokens), r.prompt.item_id, r.draw),
        )
        kinds = ([r for r in ordered if (r.prompt.probe is not None) == is_probe] for is_probe in (False, True))
        work.append(_Work(model=model, batches=tuple(batch for kind in kinds for batch in batched(kind, batch_size))))
    return work


def _refuse_strangers(locked: LockedPlan, strangers: set[str]) -> None:
    """Rows of another plan, model or adapter are not answers to these requests."""
    if strangers:
        store = locked.paths.relative(locked.paths.store)
        raise BadInput(
            f"the store of {locked.paths.name} holds answers to other requests",
            Finding(where=store, found=f"{len(strangers)} rows of another plan", promised="rows of the locked plan"),
            then=f"move {store} away if nothing of it is sealed,  or name a new study",
        )


def _carry_out(
    one: _Work,
    place: Backend,
    store: Store,
    stored: set[str],
    told: GenerateProgress,
    *,
    account: Callable[[], None],
) -> None:
    """Answer what has no row yet, whole batches at a time; store every few seconds."""
    todo = [batch for batch in one.batches if any(request.request_id not in stored for request in batch)]
    if not todo:
        return
    held: list[Answer] = []
    since = time.monotonic()
    for answers in place.answer(one.model, todo):
        held += [answer for answer in answers if answer.request.request_id not in stored]
        told.answered([answer for answer in answers if answer.request.request_id not in stored])
        if len(held) >= FLUSH_ROWS or time.monotonic() - since > FLUSH_S:
            _store(store, held)
            account()
            held, since = [], time.monotonic()
    _store(store, held)


def _probes(one: _Work) -> _Work:
    """The batches of probes; none holds anything else."""
    return _Work(model=one.model, batches=tuple(b for b in one.batches if b[0].prompt.probe is not None))


def _seal(
    locked: LockedPlan, store: Store, work: Sequence[_Work], how: Mapping[str, Any], place: Backend
) -> list[Seal]:
    prompts = {request.prompt.sha256: request.prompt for one in work for batch in one.batches for request in batch}
    return seal_generated(locked, store, {**how, "options": count_options(prompts.values()), **place.describe()})


def _left(one: _Work, stored: set[str]) -> list[Request]:
    return [request for batch in one.batches for request in batch if request.request_id not in stored]


def _store(store: Store, answers: Sequence[Answer]) -> None:
    if answers:
        with store.transaction():
            for table, rows in tables_of(answers).items():
                store.append(table, rows)


def _account(locked: LockedPlan, store: Store, planned: int) -> None:
    """Write how far the answers are, for `seedlock status`: a store has room for one reader at a time."""
    statuses = _counted(store, "SELECT status, count(*) FROM completions GROUP BY status ORDER BY status")
    write_atomic(locked.paths.answers, canonical_json({"planned": planned, "statuses": statuses}) + b"\n")


def _require_all(locked: LockedPlan, store: Store, planned: int) -> None:
    """Nothing is sealed while a request has no row."""
    found = (store.rows("completions"), store.rows("requests"))
    if found != (planned, planned):
        fault = Finding(where="store", found=f"{found[0]} answers, {found[1]} requests", promised=f"{planned} of each")
        raise Incomplete(f"{locked.paths.name} lacks answers", fault, then=f"seedlock generate {locked.paths.name}")


def _counted(store: Store, query: str) -> dict[str, int]:
    return {str(name): int(rows) for name, rows in store.con.execute(query).fetchall()}
