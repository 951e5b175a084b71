"""G2: lock, runs, data, looks and report came in order, at times that only grow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.document import Lock
from seedlock.prereg.lock.due_runs import runs_to_train
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.lock.looks import false_ends
from seedlock.prereg.verify.checks import Check, verdict

CLOCK_SLACK = timedelta(minutes=5)
"""How far clocks of machines that write to one ledger may differ."""
AHEAD = timedelta(days=1)
"""How far a ledger may be ahead of the reviewer's clock."""


def order_check(events: list[Event], locks: Sequence[Lock] = ()) -> Check:
    """Which event needs which before it, and times that only grow."""
    faults = [*_before_their_need(events), *_before_audit(events), *_after_the_end(events)]
    faults += [*_without_their_run(events, locks), *_judged_twice(events)]
    faults += [*false_ends(events), *_impossible_times(events)]
    what = "lock, runs, data, looks and report came in this order"
    return verdict("G2", "ledger", what, faults, exit_code=5)


def _before_their_need(events: list[Event]) -> Iterator[Finding]:
    needs = {
        "data.sealed": "plan.locked",
        "run.started": "plan.locked",
        "audit.judged": "data.sealed",
        "run.finished": "run.started",
        "run.failed": "run.started",
        "look.opened": "data.sealed",
        "look.ended": "look.opened",
        "report.built": "look.opened",
        "deviation.declared": "plan.locked",
        "plan.amended": "plan.locked",
    }
    seen: set[str] = set()
    for event in events:
        needed = needs.get(event.name)
        if needed is not None and needed not in seen:
            yield Finding(where=f"ledger line {event.n}", found=event.name, promised=f"{needed} before it")
        seen.add(event.name)


def _without_their_run(events: list[Event], locks: Sequence[Lock]) -> Iterator[Finding]:
    """Ends of runs that never began, and answers of runs whose training, which the plan asks for here, never ended."""
    begun: set[str] = set()
    finished: set[str] = set()
    to_train: frozenset[str] = frozenset()
    n_locks = 0
    for event in events:
        if event.name in {"plan.locked", "plan.amended"}:
            to_train = runs_to_train(locks[n_locks]) if n_locks < len(locks) else frozenset()
            n_locks += 1
        elif event.name == "run.started":
            begun.add(str(event.body["run_id"]))
        elif event.name in {"run.finished", "run.failed"}:
            run = str(event.body["run_id"])
            finished |= {run} if event.name == "run.finished" else set()
            if run not in begun:
                yield Finding(where=f"ledger line {event.n}", found=f"{event.name} {run}", promised="run.started first")
        elif event.name == "data.sealed" and event.body["table"] == "completions":
            answered = {*event.body.get("runs", {}), *event.body.get("audited", {})}
            for run in sorted(answered & (to_train - finished)):
                promised = "run.finished before them: the plan trains it here"
                yield Finding(where=f"ledger line {event.n}", found=f"answers of {run}", promised=promised)


def _judged_twice(events: list[Event]) -> Iterator[Finding]:
    """Judgements that replace those of the same judge on the same answers."""
    spoken: set[str] = set()
    for event in (event for event in events if event.name == "data.sealed"):
        if event.body["table"] == "completions":
            spoken.clear()
        elif event.body["table"] == "judgements":
            judge = str(event.body.get("judge", ""))
            if judge in spoken:
                again = f"judgements of {judge} again"
                yield Finding(where=f"ledger line {event.n}", found=again, promised="new answers between the two")
            spoken.add(judge)


def _impossible_times(events: list[Event]) -> Iterator[Finding]:
    """Lines that say they were written before the line above them, or that have yet to be written."""
    latest = None
    end = datetime.now(UTC) + AHEAD
    for event in events:
        at = datetime.fromisoformat(event.at)
        if latest is not None and at < latest - CLOCK_SLACK:
            promised = f"no earlier than the lines above it ({latest.isoformat()})"
            yield Finding(where=f"ledger line {event.n} at", found=event.at, promised=promised)
        if at > end:
            yield Finding(where=f"ledger line {event.n} at", found=event.at, promised="a time that has passed")
        latest = at if latest is None else max(at, latest)


def _after_the_end(events: list[Event]) -> Iterator[Finding]:
    """Data of runs that came after a report at which the plan's rule ended the study; an amendment begins anew."""
    ended = 0
    here: set[str] = set()
    for event in events:
        if event.name == "report.built" and "look" in event.body:
            ended = event.n if event.body["look"]["goes_on"] is False else 0
        elif event.name == "plan.amended":
            ended = 0
        elif event.name == "data.sealed":
            runs = set(event.body.get("runs", {}))
            if ended and runs - here:
                promised = f"nothing after the look that ended the study (line {ended})"
                yield Finding(where=f"ledger line {event.n}", found="data of more runs", promised=promised)
            here |= runs


def _before_audit(events: list[Event]) -> Iterator[Finding]:
    """Answers to other items that were sealed before the audit of a study that begins with it."""
    audited = [event for event in events if event.name == "data.sealed" and "audited" in event.body]
    judged = min((event.n for event in events if event.name == "audit.judged"), default=None)
    for event in events if audited else []:
        is_answers = event.name == "data.sealed" and event.body["table"] == "completions"
        if is_answers and "audited" not in event.body and (judged is None or event.n < judged):
            yield Finding(where=f"ledger line {event.n}", found="answers sealed", promised="audit.judged before it")
