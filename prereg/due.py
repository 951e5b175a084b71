"""Which promised runs are due: all of them, or at a planned look the first seeds of every arm."""

from __future__ import annotations

from collections import Counter

from prereg.ledger import Event
from prereg.lock import Lock, LockedRun, load_locked_plan


def missing_runs(sealed: list[Event], lock: Lock) -> list[str]:
    """Runs that are due and of which no row was ever sealed."""
    here = _with_rows(sealed)
    return [run.run_id for run in due_runs(sealed, lock) if run.run_id not in here]


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
