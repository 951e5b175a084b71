"""Which promised runs are due: all of them, or at a planned look the first seeds of every arm.

A report at a look says whether the plan goes on to the next; until then the seeds after it are nobody's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from seedlock.prereg.errors import BadInput
from seedlock.prereg.lock.document import Lock, LockedRun, load_locked_plan
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.plan.plan import Plan


def missing_runs(sealed: list[Event], lock: Lock) -> list[str]:
    """Runs that are due and of which no row was ever sealed."""
    here = _with_rows(sealed)
    return [run.run_id for run in due_runs(sealed, lock) if run.run_id not in here]


def unasked_runs(events: Iterable[Event], lock: Lock) -> list[str]:
    """Runs that are due, could be asked here, and have no sealed answers though other runs have.

    A generation seals run by run: while these are left, it was begun and is not done.
    """
    plan, known = load_locked_plan(lock), list(events)
    answers = [e for e in known if e.name == "data.sealed" and e.body["table"] == "completions"]
    if plan.import_ is not None or plan.decoding is None or not answers:
        return []
    trained = {str(e.body["run_id"]) for e in known if e.name == "run.finished"}
    here = _with_rows(answers)
    return [
        run.run_id
        for run in due_now(known, lock)
        if run.run_id not in here and (run.run_id in trained or not _has_stages(plan, run))
    ]


def untrained_runs(events: Iterable[Event], lock: Lock) -> list[str]:
    """Runs due now that have something to be trained on and are not finished; amended runs are others.

    A run that failed counts as ended where the plan goes on without it (`missing.runs`).
    """
    plan, known = load_locked_plan(lock), list(events)
    if plan.import_ is not None:
        return []
    ended = {str(e.body["run_id"]) for e in known if e.name == "run.finished"} | given_up(plan, known)
    return [run.run_id for run in due_now(known, lock) if _has_stages(plan, run) and run.run_id not in ended]


def given_up(plan: Plan, events: Iterable[Event]) -> set[str]:
    """Runs that failed and never finished, where the plan goes on without runs."""
    if plan.missing.runs == "refuse":
        return set()
    runs: dict[str, set[str]] = {"run.finished": set(), "run.failed": set()}
    for event in events:
        if event.name in runs:
            runs[event.name].add(str(event.body["run_id"]))
    return runs["run.failed"] - runs["run.finished"]


def _has_stages(plan: Plan, run: LockedRun) -> bool:
    return run.seed is not None and run.arm in plan.arms and bool(plan.arms[run.arm].stages)


def runs_to_train(lock: Lock) -> frozenset[str]:
    """Promised runs that have something to be trained on here; none where their answers are imported."""
    try:
        plan = load_locked_plan(lock)
    except BadInput:  # another version's plan: its own tool knows
        return frozenset()
    runs = lock.runs if plan.import_ is None else ()
    return frozenset(run.run_id for run in runs if _has_stages(plan, run))


def runs_with_data(sealed: list[Event], lock: Lock) -> list[str]:
    """Promised runs of which rows were sealed."""
    here = _with_rows(sealed)
    return [run.run_id for run in lock.runs if run.run_id in here]


def due_runs(sealed: list[Event], lock: Lock) -> list[LockedRun]:
    """Promised runs that the look which the data are at speaks of.

    At a look the first so many seeds of the plan's list are due for every arm, not any so many: which seeds are looked
    at is promised too. Without planned looks every run is due.
    """
    return due_of(load_locked_plan(lock), lock.runs, _with_rows(sealed))


def due_of(plan: Plan, runs: Sequence[LockedRun], here: Collection[str]) -> list[LockedRun]:
    """The same of a plan, locked or not, by the runs that have rows."""
    return _first_seeds(plan, runs, _place_of(plan, runs, here))


def due_now(events: Iterable[Event], lock: Lock) -> list[LockedRun]:
    """Promised runs that a stage may carry out: those of the look at hand, or of the next where the plan goes on to it.

    Without planned looks every run is due.
    """
    known = list(events)
    return _first_seeds(load_locked_plan(lock), lock.runs, look_at_hand(known, lock))


def look_at_hand(events: Iterable[Event], lock: Lock) -> int | None:
    """Place of the look that the stages are about; None without planned looks.

    What the last report said decides, and without a report the data; a study without data is at its first look.
    """
    known = list(events)
    place, reached = look_at(_seals(known), lock), look_reached(known)
    if place is not None and reached is not None and reached["goes_on"]:
        looks = load_locked_plan(lock).look
        later = (at for at, look in enumerate(looks) if look.seeds > reached["seeds"])
        place = max(place, next(later, place))
    return place


def look_at(sealed: list[Event], lock: Lock) -> int | None:
    """Place of the look that the data are at: the first with as many seeds as any arm of any model; None without."""
    return _place_of(load_locked_plan(lock), lock.runs, _with_rows(sealed))


def _place_of(plan: Plan, runs: Sequence[LockedRun], here: Collection[str]) -> int | None:
    seeds_here = Counter((run.model, run.arm) for run in runs if run.run_id in here)
    most = max(seeds_here.values(), default=0)
    return next((place for place, look in enumerate(plan.look) if look.seeds >= most), None)


def look_reached(events: Iterable[Event]) -> Mapping[str, Any] | None:
    """What the last report at a planned look said: its `seeds` an arm; `goes_on`: None after the last look."""
    said = [e.body["look"] for e in events if e.name == "report.built" and "look" in e.body]
    return said[-1] if said else None


def looks_passed_over(events: Iterable[Event], lock: Lock) -> list[int]:
    """Seeds of the looks that were to decide whether the plan goes on to the data there are, and never took place.

    A look took place where a report was built while the data were at it.
    """
    known = list(events)
    reached = look_at(_seals(known), lock) or 0
    took_place = {look_at(_seals(known[:at]), lock) for at, event in enumerate(known) if event.name == "report.built"}
    looks = load_locked_plan(lock).look
    return [looks[at].seeds for at in range(reached) if looks[at + 1].when is not None and at not in took_place]


def _first_seeds(plan: Plan, runs: Sequence[LockedRun], place: int | None) -> list[LockedRun]:
    if place is None:
        return list(runs)
    seeds = plan.look[place].seeds
    return [run for run in runs if run.seed is None or run.seed in plan.grid.seeds_of(run.model)[:seeds]]


def _seals(events: list[Event]) -> list[Event]:
    return [event for event in events if event.name == "data.sealed"]


def _with_rows(sealed: list[Event]) -> set[str]:
    return {run for event in sealed for run in event.body.get("runs", {})}
