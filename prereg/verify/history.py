"""History is append-only: what any reachable commit ever held of a study is still there, and still the same.

Every commit that a ref or HEAD reaches is looked at, merges along each parent. A ledger may only have grown; a lock, a
signature, a timestamp or a statement may only have been added. A version that was cut back, two that went different
ways, and a second lock under a name that had one before are named with the commits that hold them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import read_json, sha256_bytes
from seedlock.prereg.base.git_view import why_not
from seedlock.prereg.base.paths import StudyPaths, is_study_name
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import Finding, UnreadableFile
from seedlock.prereg.lock.events import was_withdrawn
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.verify.checks import Check, not_checked, verdict

FOLDERS = ("lockfiles", "prereg/studies")
PROMISES = re.compile(r"lock-\d{4}\.json|.+\.(?:sig|tsr|ots)|(?:replay|ledger-line)-.+\.json")
"""Files of `lockfiles/STUDY/` that are written once."""
SEEN = ("data.sealed", "look.opened", "report.built")
"""Events of another ledger after which a study that goes on without them is no longer as planned."""
LEDGER_ONLY_GROWS = "in every commit of every branch the ledger is a beginning of the one here"
NOTHING_TAKEN_BACK = "no lock, signature or statement that history holds was removed or replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One content that a file had in history, the oldest commit that brought it, and every commit that did."""

    blob: str
    commit: str
    commits: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """A ledger that went another way.

    Parameters
    ----------
    head
        Digest of its last line.
    line
        The first that differs.
    held
        Event -> lines, of data, looks and reports that only it holds.
    looks
        Digests of its lines that opened a look.
    """

    head: str
    line: int
    held: dict[str, int]
    looks: list[str]

    @property
    def body(self) -> dict[str, Any]:
        """What a declaration of it must say."""
        seen = {"held": self.held, "looks": self.looks}
        return {"head": self.head, "line": self.line, **{key: value for key, value in seen.items() if value}}


def history_checks(paths: StudyPaths, events: Iterable[Event]) -> list[Check]:
    """H1 and H2: the ledger only grew, and nothing that was promised was taken back."""
    known = list(events)
    changes = git.changes(paths.root, *FOLDERS)
    if not changes and not git.has_history(paths.root):
        unread = why_not(paths.root) or ("git could not list the commits" if changes is None else None)
        reason, then = (unread, "git clone it") if unread else ("nothing is committed here yet", "git commit")
        both = [("H1", LEDGER_ONLY_GROWS), ("H2", NOTHING_TAKEN_BACK)]
        return [not_checked(identity, "history", what, reason, then) for identity, what in both]
    versions = _versions(changes or (), f"{paths.relative(paths.locks)}/")
    is_withdrawn = was_withdrawn(event.name for event in known)
    grown = [
        (is_withdrawn or told, fault) for told, fault in _ledger_faults(paths, versions.pop("ledger.jsonl", []), known)
    ]
    kept = [(is_withdrawn or told, fault) for told, fault in _promise_faults(paths, versions)]
    is_whole = not git.is_shallow(paths.root)
    return [
        _judged("H1", LEDGER_ONLY_GROWS, grown, exit_code=4, is_whole=is_whole),
        _judged("H2", NOTHING_TAKEN_BACK, kept, exit_code=3, is_whole=is_whole),
    ]


def _judged(identity: str, what: str, found: list[tuple[bool, Finding]], *, exit_code: int, is_whole: bool) -> Check:
    """Fail on a fault; warn where all of them are disclosed; not checked where older commits are elsewhere."""
    if faults := [finding for is_disclosed, finding in found if not is_disclosed]:
        return verdict(identity, "history", what, faults, exit_code=exit_code)
    if not is_whole:
        return not_checked(identity, "history", what, "older commits are not in this clone", "git fetch --unshallow")
    if found:
        told = f"{what}: not so, and that is disclosed or on another branch"
        return Check(id=identity, link="history", state="warn", what=told, findings=tuple(fault for _, fault in found))
    return verdict(identity, "history", what, (), exit_code=exit_code)


def _versions(changes: Iterable[git.Change], folder: str) -> dict[str, list[Version]]:
    """Every content each file of `folder` ever had, oldest first."""
    found: dict[str, dict[str, list[str]]] = {}
    for change in changes:  # newest first: what stays last is the oldest commit of each content
        if change.path.startswith(folder):
            held = found.setdefault(change.path.removeprefix(folder), {})
            if change.after is not None:
                held[change.after] = [*held.pop(change.after, ()), change.commit]
    return {
        name: [Version(blob=blob, commit=by[-1], commits=frozenset(by)) for blob, by in reversed(held.items())]
        for name, held in found.items()
    }


def _ledger_faults(paths: StudyPaths, versions: list[Version], events: list[Event]) -> Iterator[tuple[bool, Finding]]:
    """Versions of the ledger that are no beginning of the one here; True beside what the ledger itself declares."""
    here = _bytes(paths.ledger)
    lengths = git.sizes(paths.root, (version.blob for version in versions))
    apart = [one for one in versions if not _is_beginning(one.blob, lengths.get(one.blob), here)]
    texts = git.objects(paths.root, (version.blob for version in apart))
    ours = git.reachable_from_head(paths.root) if apart else frozenset()
    declared = {str(e.body["head"]): e.body for e in events if e.name == "fork.declared"}
    for version in apart:
        where = f"{paths.relative(paths.ledger)} at commit {version.commit[:12]}"
        if version.blob in lengths and version.blob not in texts:
            large = f"{lengths[version.blob]} bytes, not read"
            limits = f"ledgers of at most {git.MAX_BLOB} bytes, {git.MAX_BLOBS} of all that differ from the one here"
            yield False, Finding(where=where, found=large, promised=limits)
            continue
        other = texts.get(version.blob, b"")
        line = _first_other_line(here, other)
        if other.startswith(here) and ours.isdisjoint(version.commits):
            ahead = Finding(where=where, found=f"{_count(other)} lines", promised=f"the {_count(here)} lines here")
            yield True, ahead
        elif other.startswith(here):
            cut = f"cut back to {_count(here)} lines" if here else "removed"
            restore = f"{_count(other)} lines; git checkout {version.commit[:12]} -- {paths.relative(paths.locks)}"
            yield False, Finding(where=where, found=cut, promised=restore)
        else:
            rejoin = f"one history; seedlock rejoin {paths.name} --reason ... declares the other and keeps its lines"
            said = f"another line {line} of {_count(other)}: a fork"
            is_declared = _is_said_of(declared.get(_last_line_digest(other)), _fork(here, other))
            yield is_declared, Finding(where=where, found=said, promised=rejoin)


def _promise_faults(paths: StudyPaths, versions: Mapping[str, list[Version]]) -> Iterator[tuple[bool, Finding]]:
    """What was promised and is not here; True beside what only another branch has, which may yet be merged."""
    for name, held in sorted(versions.items()):
        if not PROMISES.fullmatch(name):
            continue
        here = _bytes(paths.locks / name)
        for version in held:
            where = f"{paths.relative(paths.locks)}/{name}"
            stood = f"what stood there at commit {version.commit[:12]}"
            if not here and git.reachable_from_head(paths.root).isdisjoint(version.commits):
                yield True, Finding(where=where, found="on another branch only", promised=stood)
            elif not here:
                restore = f"{stood}; git checkout {version.commit[:12]} -- {paths.relative(paths.locks)}"
                yield False, Finding(where=where, found="removed", promised=restore)
            elif git.blob_id(here, len(version.blob)) != version.blob:
                yield False, Finding(where=where, found="another one under the same name", promised=stood)


def studies_in_history(root: Path) -> list[str]:
    """Names under which a lock or a ledger was ever committed."""
    parts = [change.path.split("/") for change in git.changes(root, *FOLDERS) or ()]
    told = {
        p[1] for p in parts if len(p) == 3 and p[0] == "lockfiles" and (p[2] == "ledger.jsonl" or p[2][:5] == "lock-")
    }
    return sorted(name for name in told if is_study_name(name))


def forks(paths: StudyPaths) -> list[Fork]:
    """Ledgers in history that went another way than the one here."""
    versions = _versions(git.changes(paths.root, *FOLDERS) or (), f"{paths.relative(paths.locks)}/").get(
        "ledger.jsonl", []
    )
    here = _bytes(paths.ledger)
    lengths = git.sizes(paths.root, (version.blob for version in versions))
    apart = (version.blob for version in versions if not _is_beginning(version.blob, lengths.get(version.blob), here))
    texts = git.objects(paths.root, apart)
    others = (text for text in texts.values() if not here.startswith(text) and not text.startswith(here))
    return [_fork(here, other) for other in others]


def _fork(here: bytes, other: bytes) -> Fork:
    ours = set(here.splitlines())
    lines = [(_event_of(line), line) for line in other.splitlines() if line not in ours]
    names = [name for name, _ in lines]
    return Fork(
        head=_last_line_digest(other),
        line=_first_other_line(here, other),
        held={name: names.count(name) for name in SEEN if name in names},
        looks=[sha256_bytes(line + b"\n") for name, line in lines if name == "look.opened"],
    )


def _is_said_of(declared: Mapping[str, Any] | None, fork: Fork) -> bool:
    """Whether a declaration says all that the fork held; older ones count looks without naming them."""
    said = None if declared is None else (declared.get("held", {}), declared.get("looks", fork.looks))
    return (fork.held, fork.looks) == said


def _event_of(line: bytes) -> str:
    try:
        said = read_json(line)
    except ValueError:
        return ""
    return str(said.get("event")) if isinstance(said, dict) else ""


def last_life(paths: StudyPaths) -> str | None:
    """The newest commit that still held the ledger of a study which is gone; None where none ever did."""
    path = paths.relative(paths.ledger)
    changes = [change for change in git.changes(paths.root, *FOLDERS) or () if change.path == path]
    return next((change.commit for change in changes if change.after is not None), None)


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path)
    except UnreadableFile:
        return b""


def _is_beginning(blob: str, length: int | None, here: bytes) -> bool:
    return length is not None and length <= len(here) and git.blob_id(here[:length], len(blob)) == blob


def _count(ledger: bytes) -> int:
    return ledger.count(b"\n")


def _first_other_line(here: bytes, other: bytes) -> int:
    pairs = zip(here.splitlines(), other.splitlines(), strict=False)
    return next((n for n, (one, two) in enumerate(pairs, start=1) if one != two), min(_count(here), _count(other)) + 1)


def _last_line_digest(ledger: bytes) -> str:
    return sha256_bytes(ledger.splitlines(keepends=True)[-1]) if ledger else ""
