"""The honest ends: a registration that is withdrawn, and two branches of a ledger that become one history again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import write_atomic
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.document import lock_paths
from seedlock.prereg.lock.events import was_withdrawn
from seedlock.prereg.lock.ledger import Event, append_event, read_ledger
from seedlock.prereg.verify.history import forks, last_life


def withdraw_study(paths: StudyPaths, *, reason: str, now: datetime | None = None) -> tuple[Event, list[str]]:
    """End a registration: plan, lock and ledger stay, the ledger says why, and no stage goes on.

    A study that was removed is brought back first, from the newest commit that still held it.

    Returns
    -------
    tuple of Event and list of str
        The ledger's last line, and the files that were brought back.

    Raises
    ------
    BadInput
        There is no reason.
    OutOfOrder
        It was never locked, or is withdrawn already.
    """
    _require_reason(reason)
    restored = [] if lock_paths(paths) else _bring_back(paths)
    events = read_ledger(paths.ledger)
    if was_withdrawn(event.name for event in events):
        raise OutOfOrder(f"{paths.name} is withdrawn already", then=f"seedlock verify {paths.name}")
    return append_event(paths.ledger, "plan.withdrawn", {"reason": reason}, now=now), restored


def withdrawn_because(events: Iterable[Event]) -> str | None:
    """Why a registration was ended; None where it was not."""
    return next((str(event.body["reason"]) for event in events if event.name == "plan.withdrawn"), None)


def _bring_back(paths: StudyPaths) -> list[str]:
    commit = last_life(paths)
    if commit is None:
        raise OutOfOrder(f"{paths.name} was never locked: there is nothing to withdraw", then="seedlock status")
    folders = (paths.relative(paths.locks), paths.relative(paths.study))
    listed = [path for path in git.files_at(paths.root, commit, *folders) or () if not (paths.root / path).exists()]
    found = git.blobs(paths.root, commit, listed)
    for path, data in found.items():
        if data is not None:
            write_atomic(paths.root / path, data)
    return [path for path, data in found.items() if data is not None]


def declare_forks(paths: StudyPaths, *, reason: str, now: datetime | None = None) -> list[Event]:
    """Declare every ledger in history that went another way than the one here; each is named by its last line's digest.

    Raises
    ------
    BadInput
        There is no reason.
    OutOfOrder
        No fork is left to declare.
    """
    _require_reason(reason)
    declared = {str(event.body["head"]) for event in read_ledger(paths.ledger) if event.name == "fork.declared"}
    left = {fork.head: fork for fork in forks(paths) if fork.head not in declared}
    if not left:
        raise OutOfOrder(f"history holds no other ledger of {paths.name}", then=f"seedlock verify {paths.name}")
    return [
        append_event(paths.ledger, "fork.declared", {**fork.body, "reason": reason}, now=now) for fork in left.values()
    ]


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise BadInput("a reason is needed", Finding(where="--reason", found="nothing", promised="why, in a sentence"))
