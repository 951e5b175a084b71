"""`seedlock generate`: every promised request, behind the gate, resumable after any crash, sealed run by run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import batched, chain
from typing import Any

from seedlock.generation.backends import Backend, Setting, backend
from seedlock.generation.local.option_check import count_options
from seedlock.generation.progress import GenerateProgress, Quiet
from seedlock.generation.requests.answer import Answer, tables_of
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item, audit_items, read_items
from seedlock.generation.requests.request import Prompt, Request, requests_of
from seedlock.generation.requests.run_models import RunModel, run_models
from seedlock.generation.sealing.run_and_item_tables import items_table, runs_table
from seedlock.generation.sealing.seals import Part, Seals
from seedlock.prereg.base.canonical import canonical_json, write_atomic
from seedlock.prereg.errors import BadInput, Finding, Incomplete, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.plan.runs import Decoding
from seedlock.schemas.store import Store

BATCH = 256
FLUSH_ROWS = 4096
FLUSH_S = 5.0
BY_STATUS = "SELECT status, count(*) FROM completions GROUP BY status ORDER BY status"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One run and its requests, in batches whose make-up follows from the plan alone."""

    model: RunModel
    batches: tuple[tuple[Request, ...], ...]
    items: tuple[str, ...] | None = None
    is_audit: bool = False

    @property
    def part(self) -> Part:
        """What is sealed of it."""
        rows = sum(map(len, self.batches))
        return Part(run_id=self.model.run_id, rows=rows, items=self.items, is_audit=self.is_audit)

    def probes(self) -> _Work:
        """The batches of probes; none holds anything else."""
        return replace(self, batches=tuple(b for b in self.batches if b[0].prompt.probe is not None))

    def due(self, stored: set[str]) -> Due:
        """What has no row yet."""
        left = [request for request in self.requests() if request.request_id not in stored]
        names = {request.request_id for request in left}
        batches = [batch for batch in self.batches if any(request.request_id in names for request in batch)]
        return Due(model=self.model, batches=batches, left=left)

    def requests(self) -> Iterator[Request]:
        """Every request."""
        return chain.from_iterable(self.batches)


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
    work = _work(models, items, place, decoding, batch_size)
    if first and not first.issuperset(item.item_id for item in items):
        work = _audit_first(work, first, batch_size)
    told = progress or Quiet()
    how = {"backend": decoding.backend, "batch_size": batch_size}
    with Store.open(locked.paths.store) as store:
        store.append("runs", runs_table(locked.lock.runs))
        store.append("items", items_table(items))
        seals = Seals(locked, store)
        seals.restore()
        stored = {str(row[0]) for row in store.con.execute("SELECT request_id FROM completions").fetchall()}
        already = len(stored)
        planned = {request.request_id for one in work for request in one.requests()}
        _refuse_strangers(locked, stored - planned)
        seals.check(one.part for one in work)
        asked = [one.probes() if probes_only and not one.is_audit else one for one in work]
        wanted = {request.request_id for one in asked for request in one.requests()}
        told.begin(len(wanted), len(wanted & stored))
        for is_audit in (True, False):
            stage = [(whole, one) for whole, one in zip(work, asked, strict=True) if one.is_audit == is_audit]
            if audit is not None and not is_audit and _is_due(work, seals):
                audit(locked)
            place.prepare([due for _, one in stage if (due := one.due(stored)).left])
            for whole, one in stage:
                _account(locked, store, len(planned))
                _carry_out(one, place, store, stored, told, account=lambda: _account(locked, store, len(planned)))
                if not seals.holds(whole.part) and not whole.due(stored).left:
                    seals.seal(whole.part, {**how, **_made(whole, place)})
        _account(locked, store, len(planned))
        _require_all(locked, wanted - stored)
        return Generated(
            planned=len(planned),
            already=already,
            answered=len(stored) - already,
            statuses=_counted(store, BY_STATUS),
            cut_off=sum(
                _counted(store, "SELECT finish, count(*) FROM requests WHERE finish = 'length' GROUP BY 1").values()
            ),
            may_be_paid_twice=int(
                place.describe([request for one in work for request in one.requests()]).get("may_be_paid_twice", 0)
            ),
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
        work.append(_Work(model=model, batches=_batches(ordered, batch_size)))
    return work


def _batches(ordered: Sequence[Request], size: int) -> tuple[tuple[Request, ...], ...]:
    kinds = ([r for r in ordered if (r.prompt.probe is not None) == is_probe] for is_probe in (False, True))
    return tuple(batch for kind in kinds for batch in batched(kind, size))


def _audit_first(work: Sequence[_Work], first: frozenset[str], batch_size: int) -> list[_Work]:
    """The items of the audit over all runs, then all other items over all runs; each with batches of its own."""
    staged = []
    for is_audit in (True, False):
        for one in work:
            own = [request for request in one.requests() if (request.prompt.item_id in first) == is_audit]
            names = tuple(sorted({request.prompt.item_id for request in own}))
            batches = _batches(own, batch_size)
            staged.append(_Work(model=one.model, batches=batches, items=names, is_audit=is_audit))
    return staged


def _is_due(work: Sequence[_Work], seals: Seals) -> bool:
    """Whether the audit has items of its own, and something else is still to be sealed."""
    return any(one.is_audit for one in work) and not all(seals.holds(one.part) for one in work)


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
    """Answer what has no row yet, whole batches at a time; store every few seconds, and note in `stored` what has."""
    due = one.due(stored)
    if not due.left:
        return
    held: list[Answer] = []
    since = time.monotonic()
    for answers in place.answer(one.model, due.batches):
        new = [answer for answer in answers if answer.request.request_id not in stored]
        held += new
        told.answered(new)
        if len(held) >= FLUSH_ROWS or time.monotonic() - since > FLUSH_S:
            _store(store, held, stored)
            account()
            held, since = [], time.monotonic()
    _store(store, held, stored)


def _store(store: Store, answers: Sequence[Answer], stored: set[str]) -> None:
    if answers:
        with store.transaction():
            for table, rows in tables_of(answers).items():
                store.append(table, rows)
        stored.update(answer.request.request_id for answer in answers)


def _account(locked: LockedPlan, store: Store, planned: int) -> None:
    """Write how far the answers are, for `seedlock status`: a store has room for one reader at a time."""
    statuses = _counted(store, BY_STATUS)
    write_atomic(locked.paths.answers, canonical_json({"planned": planned, "statuses": statuses}) + b"\n")


def _require_all(locked: LockedPlan, left: set[str]) -> None:
    """A backend that leaves a request out is no success."""
    if left:
        fault = Finding(where="store", found=f"{len(left)} requests without a row", promised="one row a request")
        raise Incomplete(f"{locked.paths.name} lacks answers", fault, then=f"seedlock generate {locked.paths.name}")


def _made(one: _Work, place: Backend) -> dict[str, Any]:
    """How the answers of a run came about, for the ledger."""
    prompts = {request.prompt.sha256: request.prompt for request in one.requests()}
    return {"options": count_options(prompts.values()), **place.describe(list(one.requests()))}


def _counted(store: Store, query: str) -> dict[str, int]:
    return {str(name): int(rows) for name, rows in store.con.execute(query).fetchall()}
