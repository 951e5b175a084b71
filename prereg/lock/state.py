"""A study as its locks and its ledger have it: read once a command, with everything that follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.document import Lock, LockedRun, load_locked_plan, lock_paths, read_lock
from seedlock.prereg.lock.due_runs import due_now, look_at_hand, look_reached, unasked_runs, untrained_runs
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.plan.plan import Plan


@dataclass(frozen=True, kw_only=True)
class StudyState:
    """A locked study; nothing here says that its files are still the promised ones (`gate.require_lock` does).

    Parameters
    ----------
    locks
        Oldest first, at least one.
    events
        The ledger.
    """

    paths: StudyPaths
    locks: tuple[Lock, ...]
    events: tuple[Event, ...]

    @property
    def lock(self) -> Lock:
        """The lock in force."""
        return self.locks[-1]

    @cached_property
    def plan(self) -> Plan:
        """The plan as the last lock recorded it.

        Raises
        ------
        BadInput
            This version no longer reads it.
        """
        return load_locked_plan(self.lock)

    @property
    def run_ids(self) -> Mapping[tuple[str, str, int | None], str]:
        """(model, arm, seed) -> run id, for every promised run."""
        return {(run.model, run.arm, run.seed): run.run_id for run in self.lock.runs}

    @cached_property
    def sealed(self) -> list[Event]:
        """Every seal, oldest first."""
        return [event for event in self.events if event.name == "data.sealed"]

    @cached_property
    def due(self) -> list[LockedRun]:
        """Promised runs that a stage may carry out now: all of them, or those of the planned look at hand."""
        return due_now(self.events, self.lock)

    @cached_property
    def look(self) -> int | None:
        """Place of the planned look that the stages are about; None without planned looks."""
        return look_at_hand(self.events, self.lock)

    @property
    def look_reached(self) -> Mapping[str, Any] | None:
        """What the last report at a planned look said."""
        return look_reached(self.events)

    @cached_property
    def untrained(self) -> list[str]:
        """Runs due that neither finished nor failed, though something is to be trained."""
        return untrained_runs(self.events, self.lock)

    @cached_property
    def unasked(self) -> list[str]:
        """Runs due without sealed answers, where a generation was begun."""
        return unasked_runs(self.events, self.lock)


def read_state(paths: StudyPaths) -> StudyState | None:
    """Read locks and ledger; None for a study that is not locked.

    Raises
    ------
    LockedFileChanged, LedgerBroken
        A lock or the ledger cannot be read.
    """
    files = lock_paths(paths)
    if not files:
        return None
    locks = tuple(read_lock(file) for file in files)
    return StudyState(paths=paths, locks=locks, events=tuple(read_ledger(paths.ledger)))
