"""The ledger: every promise, run, seal, look and report, each line chained to the one before.

One canonical JSON object a line; `prev` is the SHA-256 of the whole previous line. `ledger.head` holds the
digest of the last line, so that cutting the end off is seen too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import Sha256, canonical_json, read_json, sha256_bytes, write_atomic
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import Finding, LedgerBroken, OutOfOrder, UnreadableFile
from seedlock.prereg.lock.events import EVENTS, body_faults

MAX_LEDGER_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the ledger."""

    n: int
    name: str
    at: str
    body: Mapping[str, Any]
    sha256: Sha256


def read_ledger(path: Path) -> list[Event]:
    """Every event, oldest first; an absent ledger is empty.

    Raises
    ------
    LedgerBroken
        A line is not canonical, the chain does not hold, an event is unknown, or the end was cut off.
    """
    data, unreadable = _bytes(path)
    read = _read(path, data)
    faults = [*unreadable, *read.faults, *_head_faults(path, list(read.events), read.head)]
    if faults:
        raise LedgerBroken(
            f"{path.parent.name}/{path.name} does not hold",
            *faults[:20],
            then=f"git log -p -- lockfiles/{path.parent.name}/ledger.jsonl  shows what changed it",
        )
    return list(read.events)


def _bytes(path: Path) -> tuple[bytes, tuple[Finding, ...]]:
    if not os.path.lexists(path):
        return b"", ()
    try:
        return read_regular(path, limit=MAX_LEDGER_BYTES), ()
    except UnreadableFile as error:
        return b"", error.findings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What the bytes of a ledger say, and the digest of their last line."""

    data: bytes = b""
    events: tuple[Event, ...] = ()
    head: Sha256 | None = None
    faults: tuple[Finding, ...] = ()


_NOTHING = _Read()
_READ: dict[Path, _Read] = {}
"""What a process has read of each ledger: a ledger only grows, and of one that did its new lines are read."""
MOST_READ = 64


def _read(path: Path, data: bytes) -> _Read:
    known = _READ.pop(path, _NOTHING)
    before = known if data.startswith(known.data) and not known.faults else _NOTHING
    read = _read_on(before, data, path.name) if data != before.data else before
    _READ[path] = read
    if len(_READ) > MOST_READ:
        del _READ[next(iter(_READ))]
    return read


def _read_on(before: _Read, data: bytes, name: str) -> _Read:
    """The lines of a ledger after those that were read before."""
    faults: list[Finding] = []
    events = list(before.events)
    previous = before.head
    for number, line in enumerate(data[len(before.data) :].splitlines(), start=len(events) + 1):
        event = _parse_line(line, f"{name} line {number}", previous, number, faults)
        previous = sha256_bytes(line + b"\n")
        if event is not None:
            events.append(event)
    if data and not data.endswith(b"\n"):
        faults.append(Finding(where=name, found="an unfinished last line", promised="a line feed at the end"))
    return _Read(data=data, events=tuple(events), head=previous, faults=tuple(faults))


def _parse_line(line: bytes, where: str, previous: str | None, n: int, faults: list[Finding]) -> Event | None:
    try:
        body = read_json(line)
        is_canonical = isinstance(body, dict) and canonical_json(body) == line
    except ValueError as error:
        faults.append(Finding(where=where, found=f"not JSON: {error}", promised="one canonical JSON object"))
        return None
    if not is_canonical:
        faults.append(Finding(where=where, found="another spelling", promised="canonical JSON (RFC 8785)"))
        return None
    if body.get("prev") != previous:
        found, promised = str(body.get("prev")), str(previous)
        faults.append(Finding(where=f"{where} prev", found=found, promised=promised))
    if type(body.get("n")) is not int or body["n"] != n:
        faults.append(Finding(where=f"{where} n", found=str(body.get("n")), promised=str(n)))
    name = str(body.get("event"))
    if name not in EVENTS:
        faults.append(Finding(where=where, found=f"event {name!r}", promised=f"one of {', '.join(EVENTS)}"))
        return None
    if wrong := list(body_faults(body)):
        faults.append(Finding(where=where, found=f"{name} with {', '.join(wrong)}", promised="the keys of this event"))
        return None
    return Event(n=n, name=name, at=str(body.get("at")), body=body, sha256=sha256_bytes(line + b"\n"))


def head_path(ledger: Path) -> Path:
    """The file beside the ledger that holds the digest of its last line."""
    return ledger.with_suffix(".head")


def _head(ledger: Path) -> str | None:
    try:
        return read_regular(head_path(ledger), limit=4096).decode("ascii", "replace").strip()
    except UnreadableFile:
        return None


def _head_faults(path: Path, events: list[Event], last: str | None) -> list[Finding]:
    head = _head(path)
    if head == last:
        return []
    if events and head == events[-1].body.get("prev"):
        return []  # the machine died between the line and its head; the next append heals it
    return [Finding(where=head_path(path).name, found=str(head), promised=f"{last} (digest of the last line)")]


def mend_torn_end(path: Path) -> None:
    """Cut off a half-written last line that no head acknowledges: a crash during an append left it."""
    data = read_regular(path, limit=MAX_LEDGER_BYTES) if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    last = sha256_bytes(whole.splitlines(keepends=True)[-1]) if whole else None
    if whole != data and _head(path) == last:
        write_atomic(path, whole)


@contextmanager
def sole_writer(ledger: Path, *, wait_s: float = -1) -> Iterator[None]:
    """Hold the one lock of a study, again where it is held already; wait for whoever else holds it.

    Raises
    ------
    OutOfOrder
        Another command still holds it after `wait_s` seconds.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - it brings asyncio, which no reader need wait for

    ledger.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(ledger.parent / ".ledger.lock", is_singleton=True)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        study = ledger.parent.name
        fault = Finding(where=f"lockfiles/{study}/", found="another command at work", promised="one at a time")
        raise OutOfOrder(f"{study} is being written to", fault, then="wait for it, and type this again") from None
    try:
        yield
    finally:
        lock.release()


def append_event(path: Path, name: str, body: Mapping[str, Any], *, now: datetime | None = None) -> Event:
    """Append one event under a file lock, flushed to the disk before returning.

    Raises
    ------
    LedgerBroken
        The ledger as it stands does not hold; nothing is appended to a broken chain.
    """
    absent = EVENTS[name] - body.keys()
    if absent:
        raise ValueError(f"{name} needs {sorted(absent)}")
    with sole_writer(path):
        mend_torn_end(path)
        events = read_ledger(path)
        record = {
            **body,
            "event": name,
            "n": len(events) + 1,
            "at": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
            "prev": events[-1].sha256 if events else None,
        }
        line = canonical_json(record) + b"\n"
        with path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        write_atomic(head_path(path), (sha256_bytes(line) + "\n").encode("ascii"))
    return Event(n=len(events) + 1, name=name, at=record["at"], body=record, sha256=sha256_bytes(line))
