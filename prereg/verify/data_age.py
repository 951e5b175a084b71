"""D4: imported data say which files they are, and none of these was there before the lock without being said to be.

The bytes are looked for in the lock's own list of files, in all that git holds from before the lock, by its commit or
by the dates of commits of any branch, and in the ledgers of other studies. What is dated after the lock and was
committed before the lock's own file is warned of: git then has the data first, and only its author's clock the lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import sha256_bytes
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.document import Lock, load_locked_plan
from seedlock.prereg.lock.earlier_data import brought_in_elsewhere
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.verify.before_lock import before_lock
from seedlock.prereg.verify.checks import Check, verdict

IMPORTED = frozenset({"completions", "counts"})


def data_age_check(sealed: Sequence[Event], locks: Sequence[Lock], paths: StudyPaths) -> Check:
    """Hold the digests of imported files against what was there when the first lock was made."""
    what = "no imported file is one that was there at the lock and is not said to be"
    if locks[0].exposure.is_retrospective:  # it says so of all of its data
        return verdict("D4", "data", what, _without_sources(sealed, locks[-1]), exit_code=7)
    before = before_lock(paths, locks[0])
    known = _in_history(sealed, paths, before.by_its_time) | _in_history(sealed, paths, before.surely)
    known |= _listed(locks[0])
    known |= {sha256: f"those of {where}" for sha256, where in brought_in_elsewhere(paths, locks[0]).items()}
    if faults := [*_without_sources(sealed, locks[-1]), *_hidden(sealed, locks[0], known)]:
        return verdict("D4", "data", what, faults, exit_code=7)
    if unclear := tuple(_hidden(sealed, locks[0], _in_history(sealed, paths, before.by_its_file))):
        earlier = f"{what}; but git held some before it held the lock"
        return Check(id="D4", link="data", state="warn", what=earlier, findings=unclear)
    return verdict("D4", "data", what, (), exit_code=7)


def _listed(lock: Lock) -> dict[str, str]:
    return {file.sha256: file.path for file in lock.files}


def _without_sources(sealed: Sequence[Event], lock: Lock) -> Iterator[Finding]:
    """Imported tables that do not say which files they came from; a judge that was asked here read no file."""
    has_import = load_locked_plan(lock).import_ is not None
    for event in sealed:
        table, sources = event.body["table"], event.body.get("sources", [])
        was_imported = (table in IMPORTED and has_import) or (table == "judgements" and "judging" not in event.body)
        if was_imported and not (sources and all("bytes" in source or lock.version == 1 for source in sources)):
            promised = "sources, each with sha256 and bytes"
            yield Finding(where=f"ledger line {event.n}", found=f"imported {table} of unsaid files", promised=promised)


def _in_history(sealed: Sequence[Event], paths: StudyPaths, commits: Sequence[str]) -> dict[str, str]:
    """SHA-256 -> where it stood, of what the commits and those before them hold in the size of an imported file.

    Ledgers of version 0.1 have no sizes: there every file counts, as far as `git.MAX_BLOBS`.
    """
    sizes = {source.get("bytes") for event in sealed for source in event.body.get("sources", [])}
    if not commits or not sizes:
        return {}
    before = git.sizes(paths.root, sorted(git.objects_of(paths.root, *commits)))
    found = git.objects(paths.root, (blob for blob, size in before.items() if size in sizes or None in sizes))
    return {sha256_bytes(data): f"blob {blob[:12]} in git history before the lock" for blob, data in found.items()}


def _hidden(sealed: Sequence[Event], lock: Lock, known: Mapping[str, str]) -> Iterator[Finding]:
    for event in sealed:
        for source in event.body.get("sources", []):
            path = known.get(str(source["sha256"]))
            if path is not None and not (event.body.get("predates_lock") or lock.exposure.is_retrospective):
                yield Finding(where=f"ledger line {event.n}", found=f"data that are {path}", promised="predates_lock")
