"""Where a study stands, read from its lock and ledger: gates passed, runs done, the next command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import SeedlockError
from seedlock.prereg.lock.document import Lock, load_locked_plan, lock_paths, read_lock
from seedlock.prereg.lock.due_runs import (
    due_now,
    look_at_hand,
    look_reached,
    runs_with_data,
    unasked_runs,
    untrained_runs,
)
from seedlock.prereg.lock.gate import status_of
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.superseded import judgements_of, readings_of
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import read_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One study at a glance; `gates` are the steps passed, in order; `look` is the planned look at hand."""

    study: str
    status: str
    gates: tuple[str, ...]
    runs_planned: int
    runs_done: int
    runs_failed: int
    answers_planned: int | None = None
    answers_done: int | None = None
    answers_failed: int | None = None
    look: str | None = None
    next_command: str

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


def standing(paths: StudyPaths) -> Standing:
    """How far one study has come. A study that cannot be read says so in `status`; nothing is raised."""
    try:
        plan = read_plan(paths.plan)
    except SeedlockError as error:
        return _unreadable(paths, error, f"seedlock check {paths.name}")
    files = lock_paths(paths)
    if not files:
        return Standing(
            study=paths.name,
            status="not locked",
            gates=("planned",),
            runs_planned=sum(1 for _ in plan.runs()),
            runs_done=0,
            runs_failed=0,
            next_command=next_before_lock(paths, plan),
        )
    try:
        locks = tuple(read_lock(file) for file in files)
        events = tuple(read_ledger(paths.ledger))
        status = status_of(locks, events, load_locked_plan(locks[-1]))
    except SeedlockError as error:
        return _unreadable(paths, error, f"seedlock verify {paths.name}")
    names = [event.name for event in events]
    sealed = [event for event in events if event.name == "data.sealed"]
    waits = any(judgements_of(events, judge) is None for judge in plan.judges)
    untrained, unasked = untrained_runs(events, locks[-1]), unasked_runs(events, locks[-1])
    passed = {
        "planned": True,
        "locked": True,
        "trained": "run.finished" in names and not untrained,
        "sealed": bool(sealed) and not untrained and not unasked,
        "looked": "look.opened" in names,
        "reported": "report.built" in names and not (plan.look and (untrained or unasked or _has_news(events))),
    }
    return Standing(
        study=paths.name,
        status=status,
        gates=tuple(gate for gate, is_passed in passed.items() if is_passed),
        runs_planned=len(locks[-1].runs),
        runs_done=len(runs_with_data(sealed, locks[-1])),
        runs_failed=names.count("run.failed"),
        next_command=_next_command(
            paths,
            plan,
            passed=passed,
            waits=waits,
            unread=_is_unread(plan, events, locks[-1]),
            untrained=bool(untrained),
        ),
        look=_look(plan, events, locks[-1]),
        **_answers(paths),
    )


def next_before_lock(paths: StudyPaths, plan: Plan) -> str:
    """Return what an unlocked study lacks: its corpora, its simulation, or only the lock."""
    described = [name for name in plan.used_corpora if name in plan.corpora]
    if any(not (paths.study / plan.corpus_file(name)).is_file() for name in described):
        return f"seedlock corpus {paths.name}"
    if not (paths.locks / "simulation.json").is_file():
        return f"seedlock simulate {paths.name}"
    return f"seedlock lock {paths.name}"


def _answers(paths: StudyPaths) -> dict[str, int]:
    """Requests planned, answered, and ended without an answer, where any was asked from here."""
    if not paths.answers.is_file():
        return {}
    told = read_json(paths.answers.read_bytes())
    done = sum(told["statuses"].values())
    return {
        "answers_planned": told["planned"],
        "answers_done": done,
        "answers_failed": done - told["statuses"].get("ok", 0),
    }


def _is_unread(plan: Plan, events: Sequence[Event], lock: Lock) -> bool:
    """Whether the plan looks inside the models and some that are due are not read yet."""
    return plan.inside is not None and readings_of(events, due=len(due_now(events, lock))) is None


def _has_news(events: Sequence[Event]) -> bool:
    """Whether data were sealed after the last report."""
    built = max((event.n for event in events if event.name == "report.built"), default=0)
    return any(event.name == "data.sealed" and event.n > built for event in events)


def _look(plan: Plan, events: Sequence[Event], lock: Lock) -> str | None:
    """Which planned look is at hand, and what the last one decided."""
    place, told = look_at_hand(events, lock), look_reached(events)
    if place is None:
        return None
    decided = {True: "; the plan went on to it", False: "; the plan ends here"}
    after = "" if told is None else decided.get(told["goes_on"], "")
    return f"{place + 1} of {len(plan.look)}, at {plan.look[place].seeds} seeds an arm{after}"


def _next_command(
    paths: StudyPaths, plan: Plan, *, passed: dict[str, bool], waits: bool, unread: bool, untrained: bool
) -> str:
    study = paths.name
    if passed["reported"]:
        return f"seedlock verify {study}"
    if passed["sealed"] and unread:
        return f"seedlock inside {study}"
    if passed["sealed"]:
        return f"seedlock judge {study}" if waits else f"seedlock analyze {study}"
    if plan.import_ is not None:
        return f"seedlock import {study}"
    return f"seedlock train {study}" if untrained else f"seedlock generate {study}"


def _unreadable(paths: StudyPaths, error: SeedlockError, then: str) -> Standing:
    return Standing(
        study=paths.name,
        status=f"unreadable: {error.what}",
        gates=(),
        runs_planned=0,
        runs_done=0,
        runs_failed=0,
        next_command=then,
    )
