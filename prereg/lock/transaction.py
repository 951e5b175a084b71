"""One writer of a study at a time; the next one finishes, or takes back, what a killed one left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.lock.ledger import MAX_LEDGER_BYTES, Event, append_event, mend_torn_end, read_ledger, sole_writer
from seedlock.prereg.lock.lock import DRAFT, WAIT_S, finish_lock


@contextmanager
def transaction(paths: StudyPaths) -> Iterator[None]:
    """Hold the study's one lock, after whatever a killed command left was finished or taken back.

    Raises
    ------
    OutOfOrder
        Another command works on the study, and goes on doing so.
    """
    with sole_writer(paths.ledger, wait_s=WAIT_S):
        mend_torn_end(paths.ledger)
        finish_lock(paths)
        finish_report(paths)
        yield


def finish_what_was_left(paths: StudyPaths) -> None:
    """Finish or take back what a killed command left, where it left anything."""
    data = read_regular(paths.ledger, limit=MAX_LEDGER_BYTES) if paths.ledger.exists() else b""
    is_torn = bool(data) and not data.endswith(b"\n")
    left = [*paths.locks.glob(f".lock-*{DRAFT}"), *(at for at in (draft_of(paths), pending_of(paths)) if at.exists())]
    if left or is_torn:
        with transaction(paths):
            pass


def draft_of(paths: StudyPaths) -> Path:
    """Where a report is built, beside the one that stands."""
    return paths.report.with_name(f".{paths.name}.draft")


def pending_of(paths: StudyPaths) -> Path:
    """What the ledger is to say of a draft that is whole; its being there makes the draft the report."""
    return paths.report.with_name(f".{paths.name}.pending.json")


def finish_report(paths: StudyPaths) -> None:
    """Move a whole draft into place and enter it in the ledger; a draft that is not whole goes away.

    Every step may be the second time: a command that was killed in it is finished by the next.
    """
    out, draft, pending = paths.report, draft_of(paths), pending_of(paths)
    old = out.with_name(f".{paths.name}.old")
    if pending.is_file():
        if draft.is_dir():
            if out.exists():
                shutil.rmtree(old, ignore_errors=True)
                out.rename(old)
            draft.rename(out)
        body: dict[str, Any] = read_json(read_regular(pending))
        if not _is_entered(read_ledger(paths.ledger), body):
            append_event(paths.ledger, "report.built", body)
    shutil.rmtree(old, ignore_errors=True)
    for torn in pending.parent.glob(f".{pending.name}.*"):
        torn.unlink()
    pending.unlink(missing_ok=True)
    shutil.rmtree(draft, ignore_errors=True)


def _is_entered(events: list[Event], body: dict[str, Any]) -> bool:
    """Whether the report that the last look brought is in the ledger."""
    looked = max((event.n for event in events if event.name == "look.opened"), default=0)
    manifest = body["manifest_sha256"]
    return any(e.n > looked and e.name == "report.built" and e.body["manifest_sha256"] == manifest for e in events)
