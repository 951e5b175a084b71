"""Which sealed files speak now: what was judged or read again, after more runs came, replaces what was sealed before.

The earlier file stays sealed and in the ledger; no number is computed from it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from seedlock.prereg.lock.ledger import Event

READ = frozenset({"readings", "conditions", "directions"})
JUDGED = frozenset({"judgements", "canaries"})


def superseded(events: Iterable[Event]) -> frozenset[str]:
    """Names of sealed files that a later one replaces: those of a judge asked again, and of a second look inside."""
    latest: dict[tuple[str, str], str] = {}
    gone: set[str] = set()
    for event in events:
        if event.name == "data.sealed" and (table := str(event.body["table"])) in READ | JUDGED:
            key, file = (table, str(event.body.get("judge", ""))), str(event.body["file"])
            if key in latest and latest[key] != file:
                gone.add(latest[key])
            latest[key] = file
    return frozenset(gone)


def judgements_of(events: Iterable[Event], judge: str) -> Event | None:
    """Return the seal of a judge's word on every sealed completion; None where some were sealed after it spoke."""
    found: Event | None = None
    for event in events:
        if event.name == "data.sealed":
            if event.body["table"] == "completions":
                found = None
            elif event.body["table"] == "judgements" and event.body.get("judge") == judge:
                found = event
    return found


def readings_of(events: Iterable[Event], *, due: int) -> Event | None:
    """Return the seal of what was read inside every run that is due; None where more are due than were then."""
    sealed = [e for e in events if e.name == "data.sealed" and e.body["table"] == "readings"]
    return sealed[-1] if sealed and sealed[-1].body.get("due", due) == due else None


def numbered(file: str, events: Sequence[Event], *, table: str, judge: str | None = None) -> str:
    """Name of the file that the next word of a judge, or the next look inside, is sealed in.

    Parameters
    ----------
    file
        Name of the first.
    table
        Whose seals are counted: "judgements" or "readings".
    """
    before = sum(
        event.name == "data.sealed" and event.body["table"] == table and event.body.get("judge") == judge
        for event in events
    )
    name = PurePath(file)
    return file if not before else f"{name.stem}-{before + 1}{name.suffix}"
