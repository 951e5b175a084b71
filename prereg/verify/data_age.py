"""D4: data whose bytes the lock itself pins were there before it; the ledger says so of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.document import Lock
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.verify.checks import Check, verdict


def data_age_check(sealed: Sequence[Event], lock: Lock) -> Check:
    """Hold the digests of imported files against the first lock's list of files."""
    what = "no imported file is one that was there at the lock and is not said to be"
    return verdict("D4", "data", what, _hidden(sealed, lock), exit_code=7)


def _hidden(sealed: Sequence[Event], lock: Lock) -> Iterator[Finding]:
    listed = {file.sha256: file.path for file in lock.files}
    for event in sealed:
        for source in event.body.get("sources", []):
            path = listed.get(str(source["sha256"]))
            if path is not None and not (event.body.get("predates_lock") or lock.exposure.is_retrospective):
                yield Finding(where=f"ledger line {event.n}", found=f"data that are {path}", promised="predates_lock")
