"""`seedlock generate`: every promised request, behind the gate, resumable after any crash, sealed run by run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seedlock.generation.backends import Backend, Setting, backend
from seedlock.generation.local.option_check import count_options
from seedlock.generation.progress import GenerateProgress, Quiet
from seedlock.generation.requests.answer import Answer, tables_of
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import audit_items, read_items
from seedlock.generation.requests.run_models import run_models
from seedlock.generation.sealing.run_and_item_tables import items_table, runs_table
from seedlock.generation.sealing.seals import Seals
from seedlock.generation.work import Work, audit_first, by_room, lay_out
from seedlock.prereg.base.canonical import canonical_json, write_atomic
from seedlock.prereg.errors import BadInput, Finding, Incomplete, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.plan.hosted import HOSTED_BACKENDS
from seedlock.prereg.plan.runs import Decoding
from seedlock.schemas.store import Store

BATCH = 256
FLUSH_ROWS = 4096
FLUSH_S = 5.0
BY_STATUS = "SELECT status, count(*) FROM completions GROUP BY status ORDER BY status"
IDS_OF_RUN = "SELECT request_id FROM completions WHERE run_id = ?"
ROWS_OF_ITEMS = "SELECT count(*) FROM completions WHERE run_id = ? AND item_id IN (SELECT unnest(?))"
BY_RUN = "SELECT run_id, count(*) FROM completions GROUP BY run_id ORDER BY run_id"


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
    may_be_paid_twice
        Requests that were sent again because their answer was lost, to an API that may have carried them out before.
    runs
        Run -> rows.
    runs_sealed
        Runs whose rows are all sealed.
    sealed
        Files sealed now, or found sealed, relative to the repository.
    """

    planned: int
    already: int
    answered: int
    statuses: Mapping[str, int]
    cut_off: int
    may_be_paid_twice: int
    runs: Mapping[str, int]
    runs_sealed: int
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
        if self.may_be_paid_twice:
            yield f"paid      {self.may_be_paid_twice} lost answers were asked for again, and may be paid for twice"
        left = self.planned - self.already - self.answered
        if left:
            yield f"left      {left} requests; a run is sealed once every one of its requests has its row"
        yield f"sealed    {self.runs_sealed} of {len(self.runs)} runs, {len(self.sealed)} files"


def generate_study(
    locked: LockedPlan,
    *,
    progress: GenerateProgress | None = None,
    batch_size: int = BATCH,
    probes_only: bool = False,
    audit: Callable[[LockedPlan], None] | None = None,
) -> Generated:
    """Put every item of a locked plan to every run, and seal each run as soon as it has all its rows.

    Every planned request ends as one row: an answer, or the reason there is none. A batch is stored whole or not at
    all, and the batches of a run are the same whenever it is started, so that a run that was killed and resumed gives
    the same bytes as one that was not. A sealed run is not asked again.

    Parameters
    ----------
    probes_only
        Score the probes and leave answers for later. A run is sealed once each of its requests has a row, whichever
        command made it.
    audit
        Judges the metric audit on what is sealed, and raises where that ends the generation. Where anything in the plan
        rests on the audit, its items are put to every run and sealed first, also when only probes are asked for; no
        other item is asked before this was called.

    Raises
    ------
    OutOfOrder
        The data are made elsewhere, or a run is not trained yet.
    Incomplete, LockedFileChanged
        A model is missing, or its bytes differ from the ledger or the plan's pin.
    BadInput
        Items, decoding or backend cannot be used, or the store holds answers to other requests.
    """
    if locked.plan.begins_with_audit and audit is None:
        raise ValueError("the plan rests on its audit: nothing else is asked before it is judged")
    decoding = _decoding(locked)
    items = read_items(locked)
    models = run_models(locked)
    place = backend(decoding, Setting(hosted=locked.plan.hosted, workbench=locked.paths.runs))
    first = audit_items(locked.plan, items) if locked.plan.begins_with_audit else frozenset()
    work = lay_out(models, items, place, decoding, batch_size)
    if first and not first.issuperset(item.item_id for item in items):
        work = audit_first(work, first)
    planned = sum(one.rows for one in work)
    told = progress or Quiet()
    how = {"backend": decoding.backend, "batch_size": batch_size}
    with Store.open(locked.paths.store) as store:
        store.append("runs", runs_table(locked.lock.runs))
        store.append("items", items_table(items))
        seals = Seals(locked, store)
        seals.restore()
        already = _n_rows(store)
        _refuse_strangers(locked, store, work, seals)
        seals.check(one.part for one in work)
        asked = [one.probes() if probes_only and not one.is_audit else one for one in work]
        wanted = sum(one.rows for one in asked)
        found = sum(_n_answered(store, one) for one in asked)
        told.begin(wanted, found)
        for is_audit in (True, False):
            stage = [(whole, one) for whole, one in zip(work, asked, strict=True) if one.is_audit == is_audit]
            if audit is not None and not is_audit and _is_due(work, seals):
                audit(locked)
            for group in by_room([pair for pair in stage if not seals.holds(pair[0].part)]):
                left = [(whole, one.due(_stored(store, one))) for whole, one in group]
                place.prepare([due for _, due in left if due.left])
                for whole, due in left:
                    _account(locked, store, planned)
                    found += _carry_out(due, place, store, told, account=lambda: _account(locked, store, planned))
                    if _n_answered(store, whole) == whole.rows:
                        seals.seal(whole.part, {**how, **_made(whole, place)})
        _account(locked, store, planned)
        _require_all(locked, wanted - found)
        return Generated(
            planned=planned,
            already=already,
            answered=_n_rows(store) - already,
            statuses=_counted(store, BY_STATUS),
            cut_off=sum(
                _counted(store, "SELECT finish, count(*) FROM requests WHERE finish = 'length' GROUP BY 1").values()
            ),
            may_be_paid_twice=_may_be_paid_twice(work, place, decoding),
            runs={run.run_id: 0 for run in locked.due} | _counted(store, BY_RUN),
            runs_sealed=sum(seals.holds(one.part) for one in work if not one.is_audit),
            sealed=seals.files(),
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


def _is_due(work: Sequence[Work], seals: Seals) -> bool:
    """Whether the audit has items of its own, and something else is still to be sealed."""
    return any(one.is_audit for one in work) and not all(seals.holds(one.part) for one in work)


def _refuse_strangers(locked: LockedPlan, store: Store, work: Sequence[Work], seals: Seals) -> None:
    """Rows of another plan, model or adapter are not answers to these requests; those of sealed runs were sealed."""
    runs = {one.model.run_id for one in work}
    strangers = sum(rows for run, rows in _counted(store, BY_RUN).items() if run not in runs)
    for run in sorted({one.model.run_id for one in work if not seals.holds(one.part)}):
        stored = {str(row[0]) for row in store.con.execute(IDS_OF_RUN, [run]).fetchall()}
        if stored:
            own = (request for one in work if one.model.run_id == run for request in one.requests())
            strangers += len(stored - {request.request_id for request in own})
    if strangers:
        at = locked.paths.relative(locked.paths.store)
        raise BadInput(
            f"the store of {locked.paths.name} holds answers to other requests",
            Finding(where=at, found=f"{strangers} rows of another plan", promised="rows of the locked plan"),
            then=f"move {at} away if nothing of it is sealed,  or name a new study",
        )


def _stored(store: Store, one: Work) -> set[str]:
    """Ids of the rows that a run has."""
    return {str(row[0]) for row in store.con.execute(IDS_OF_RUN, [one.model.run_id]).fetchall()}


def _n_rows(store: Store) -> int:
    return int(store.con.execute("SELECT count(*) FROM completions").fetchall()[0][0])


def _n_answered(store: Store, one: Work) -> int:
    """Rows of a run that answer these of its prompts."""
    if not one.prompts:
        return 0
    items = [prompt.item_id for prompt in one.prompts]
    return int(store.con.execute(ROWS_OF_ITEMS, [one.model.run_id, items]).fetchall()[0][0])


def _may_be_paid_twice(work: Sequence[Work], place: Backend, decoding: Decoding) -> int:
    """Lost answers that were asked for again, where somebody else bills them."""
    if decoding.backend not in HOSTED_BACKENDS:
        return 0
    return sum(int(place.describe(list(one.requests())).get("may_be_paid_twice", 0)) for one in work)


def _carry_out(due: Due, place: Backend, store: Store, told: GenerateProgress, *, account: Callable[[], None]) -> int:
    """Answer what has no row yet, whole batches at a time, and store every few seconds; how many rows came of it."""
    if not due.left:
        return 0
    wanted = {request.request_id for request in due.left}
    held: list[Answer] = []
    since, stored = time.monotonic(), 0
    for answers in place.answer(due.model, due.batches):
        new = [answer for answer in answers if answer.request.request_id in wanted]
        wanted.difference_update(answer.request.request_id for answer in new)
        held += new
        told.answered(new)
        if len(held) >= FLUSH_ROWS or time.monotonic() - since > FLUSH_S:
            stored += _store(store, held)
            account()
            held, since = [], time.monotonic()
    return stored + _store(store, held)


def _store(store: Store, answers: Sequence[Answer]) -> int:
    if answers:
        with store.transaction():
            for table, rows in tables_of(answers).items():
                store.append(table, rows)
    return len(answers)


def _account(locked: LockedPlan, store: Store, planned: int) -> None:
    """Write how far the answers are, for `seedlock status`: a store has room for one reader at a time."""
    statuses = _counted(store, BY_STATUS)
    write_atomic(locked.paths.answers, canonical_json({"planned": planned, "statuses": statuses}) + b"\n")


def _require_all(locked: LockedPlan, left: int) -> None:
    """A backend that leaves a request out is no success."""
    if left:
        fault = Finding(where="store", found=f"{left} requests without a row", promised="one row a request")
        raise Incomplete(f"{locked.paths.name} lacks answers", fault, then=f"seedlock generate {locked.paths.name}")


def _made(one: Work, place: Backend) -> dict[str, Any]:
    """How the answers of a run came about, for the ledger."""
    prompts = {prompt.sha256: prompt for prompt in one.prompts}
    return {"options": count_options(prompts.values()), **place.describe(list(one.requests()))}


def _counted(store: Store, query: str) -> dict[str, int]:
    return {str(name): int(rows) for name, rows in store.con.execute(query).fetchall()}
