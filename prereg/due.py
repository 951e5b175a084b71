"""Which promised runs are due: all of them, or at a planned look the first seeds of every arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prereg.ledger import Event
from prereg.lock import Lock, LockedRun, load_locked_plan
from prereg.plan import Plan


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
        for run in due_runs(answers, lock)
        if run.run_id not in here and (run.run_id in trained or not _has_stages(plan, run))
    ]


def untrained_runs(events: Iterable[Event], lock: Lock) -> list[str]:
    """Promised runs that have something to be trained on and neither finished nor failed; amended runs are others."""
    plan = load_locked_plan(lock)
    if plan.import_ is not None:
        return []
    ended = {str(e.body["run_id"]) for e in events if e.name in ("run.finished", "run.failed")}
    return [run.run_id for run in lock.runs if _has_stages(plan, run) and run.run_id not in ended]


def _has_stages(plan: Plan, run: LockedRun) -> bool:
    return run.seed is not None and run.arm in plan.arms and bool(plan.arms[run.arm].stages)


def runs_with_data(sealed: list[Event], lock: Lock) -> list[str]:
    """Promised runs of which rows were sealed."""
    here = _with_rows(sealed)
    return [run.run_id for run in lock.runs if run.run_id in here]


def due_runs(sealed: list[Event], lock: Lock) -> list[LockedRun]:
    """Promised runs that the look which the data are at speaks of.

    The look is the first that plans as many seeds as any arm of any model has; at it the first so many seeds of the
    plan's list are due for every arm, not any so many: which seeds are looked at is promised too.
    Without planned looks every run is due.
    """
    plan = load_locked_plan(lock)
    here = _with_rows(sealed)
    seeds_here = Counter((run.model, run.arm) for run in lock.runs if run.run_id in here)
    most = max(seeds_here.values(), default=0)
    at_look = next((look.seeds for look in plan.look if look.seeds >= most), None)
    if at_look is None:
        return list(lock.runs)
    return [run for run in lock.runs if run.seed is None or run.seed in plan.grid.seeds_of(run.model)[:at_look]]


def _with_rows(sealed: list[Event]) -> set[str]:
    return {run for event in sealed for run in event.body.get("runs", {})}
