"""Looks at the data: which count, and which were killed before they showed anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.ledger import Event

SHOWED_NOTHING = frozenset({"killed", "interrupted"})
"""Ends of a look that brought no report; a report that was refused was seen by whoever asked for it, and counts."""


def looks_used(events: Iterable[Event]) -> int:
    """Looks that were opened, less those that ended before they showed anything, and those of declared forks."""
    known = list(events)
    here = {event.n for event in known if event.name == "look.opened"} - unseen_looks(known)
    return len(here) + _looks_elsewhere(known)


def _looks_elsewhere(events: Iterable[Event]) -> int:
    """Looks that only a declared fork holds, which its author has seen; each counts once, in however many forks."""
    forks = [event.body for event in events if event.name == "fork.declared"]
    named = {str(line) for fork in forks for line in fork.get("looks", ())}
    return len(named) + sum(int(fork.get("held", {}).get("look.opened", 0)) for fork in forks if "looks" not in fork)


def unseen_looks(events: Iterable[Event]) -> frozenset[int]:
    """Ledger lines of looks that were killed or interrupted before they showed anything."""
    return frozenset(look for look, how in _ends(events) if how in SHOWED_NOTHING)


def dangling_look(events: Iterable[Event]) -> int | None:
    """Ledger line of an analysis's look that neither brought a report nor ended; None where there is none."""
    dangling: int | None = None
    for event in events:
        if event.name == "look.opened" and "by" not in event.body:
            dangling = event.n
        elif event.name in {"report.built", "look.ended"}:
            dangling = None
    return dangling


def false_ends(events: Iterable[Event]) -> Iterator[Finding]:
    """Looks that are said to have ended without a report, and brought one, or are no looks."""
    known = list(events)
    opened = {event.n for event in known if event.name == "look.opened"}
    reports = [event.n for event in known if event.name == "report.built"]
    for event in known:
        if event.name == "look.ended":
            look = int(event.body["line"])
            if look not in opened or any(look < report < event.n for report in reports):
                where, found = f"ledger line {event.n}", f"line {look} ended as {event.body['how']}"
                yield Finding(where=where, found=found, promised="a look that brought no report")


def _ends(events: Iterable[Event]) -> Iterator[tuple[int, str]]:
    for event in events:
        if event.name == "look.ended":
            yield int(event.body["line"]), str(event.body["how"])
