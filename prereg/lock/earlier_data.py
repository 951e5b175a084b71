"""Data that are older than their lock, told by content: in its own list, in history before it, in another ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import LedgerBroken
from seedlock.prereg.lock.document import Lock
from seedlock.prereg.lock.ledger import read_ledger

MOST_LEDGERS = 1000


def known_at_lock(files: Iterable[Path], paths: StudyPaths, lock: Lock) -> list[str]:
    """Say of every file whose bytes were there when the lock was made where they stood.

    File times prove nothing: a copy is as new as its copying.

    Parameters
    ----------
    lock
        The study's first.
    """
    listed, before = {file.sha256: file.path for file in lock.files}, _before(paths, lock)
    other = brought_in_elsewhere(paths, lock)
    return [said for file in files for said in _known(file, listed, before, other)]


def brought_in_elsewhere(paths: StudyPaths, lock: Lock) -> dict[str, str]:
    """SHA-256 -> where another study's ledger says so, of files that it had imported when this lock was made."""
    found: dict[str, str] = {}
    for ledger in sorted((paths.root / "lockfiles").glob("*/ledger.jsonl"))[:MOST_LEDGERS]:
        if ledger == paths.ledger:
            continue
        try:
            events = read_ledger(ledger)
        except LedgerBroken:  # its own study says so
            continue
        for event in (event for event in events if event.body.get("sources")):
            if datetime.fromisoformat(event.at) < datetime.fromisoformat(lock.created_asserted):
                where = f"{paths.relative(ledger)} line {event.n}"
                found |= {str(source["sha256"]): where for source in event.body["sources"]}
    return found


def _known(file: Path, listed: dict[str, str], before: frozenset[str], other: dict[str, str]) -> Iterator[str]:
    digest = sha256_file(file)
    if digest in listed:
        yield f"{file.name} has the bytes of {listed[digest]}, which the lock pins"
    elif digest in other:
        yield f"{file.name} was brought into another study before the lock ({other[digest]})"
    elif before and blob_id(file, 20 if len(next(iter(before))) == 40 else 32) in before:
        yield f"{file.name} stood in git history before the lock"


def _before(paths: StudyPaths, lock: Lock) -> frozenset[str]:
    """Objects of the commit that the lock was made on and all before it, and of every commit dated before the lock."""
    has_commit = lock.commit is not None and git.is_commit_id(lock.commit)
    on = git.objects_of(paths.root, str(lock.commit)) if has_commit else frozenset[str]()
    return on | git.objects_of(paths.root, "--all", f"--before={lock.created_asserted}")


def blob_id(file: Path, digest_size: int) -> str:
    """What git calls a file of these bytes."""
    found = hashlib.sha1(usedforsecurity=False) if digest_size == 20 else hashlib.sha256()
    found.update(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            found.update(piece)
    return found.hexdigest()
