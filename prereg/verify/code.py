"""C1: the code that decides is the locked code, here or at the commit that the lock names."""

from __future__ import annotations

from pathlib import Path

from seedlock.prereg.base import git
from seedlock.prereg.base.paths import CHECKOUT, StudyPaths
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import EvidenceAbsent, Finding
from seedlock.prereg.lock.document import Lock
from seedlock.prereg.lock.lock import code_faults
from seedlock.prereg.lock.run_at_lock import install_at_lock
from seedlock.prereg.verify.checks import Check, verdict

WHAT = "schemas, measures, estimators and decision code are the locked ones"
UNCONFIRMED = EvidenceAbsent.exit_code


def code_check(lock: Lock, paths: StudyPaths, *, has_report: bool, is_replayed: bool = False) -> Check:
    """Compare the locked code with this one; once the study is reported, it may stand in history instead.

    Where neither holds it, the check is not made, and the verification does not end as if it had been; a replay is by
    the very code that the lock lists, wherever it came from.
    """
    drift = tuple(code_faults(lock))
    if not drift or not has_report:
        return verdict("C1", "code", WHAT, drift, exit_code=3)
    of_the_package = [fault for fault in drift if not fault.where.startswith("lockfiles/")]
    if of_the_package and _says_it_is_this_one(lock):
        invented = f"{WHAT}; by the lock this very Seedlock made it, and lists other code"
        return verdict("C1", "code", invented, drift, exit_code=3)
    commit = lock.code_commit
    home = holder_of(commit, paths)
    if commit is None or home is None:
        if is_replayed:
            told = f"{WHAT}: of the Seedlock that replayed the analysis, not of this one"
            return Check(id="C1", link="code", state="warn", what=told, findings=drift)
        return _unconfirmed(lock, commit, drift, is_cut_off=git.is_shallow(paths.root))
    held = git.digests(home, commit, [file.path for file in lock.code])
    lost = [
        Finding(where=f"{file.path} at {commit[:12]}", found="other bytes", promised=f"sha256 {file.sha256}")
        for file in lock.code
        if held[file.path] != file.sha256
    ]
    if lost:
        return verdict("C1", "code", f"{WHAT}; nor are they those of the locked commit", lost, exit_code=3)
    whose = "" if home == CHECKOUT else " of the repository under review, and may be its author's own"
    moved = f"the locked code stands at commit {commit[:12]}{whose}; {len(drift)} files have moved on since the report"
    return Check(id="C1", link="code", state="warn", what=moved, findings=drift)


def _unconfirmed(lock: Lock, commit: str | None, drift: tuple[Finding, ...], *, is_cut_off: bool) -> Check:
    """A code list that agrees with nothing at hand: an older Seedlock's, or an invented one."""
    where = f"its commit {commit} is in no history here" if commit else "the lock names no commit of its Seedlock"
    found = f"nothing that can be checked here says which code made this: {where}"
    unshallow = "git fetch --unshallow,  or  " if is_cut_off else ""
    take = f"{unshallow}{install_at_lock(lock)}  and then  seedlock verify {lock.study} --replay"
    unknown = Finding(where="lock.commit", found=found, promised=take)
    return Check(
        id="C1", link="code", state="not checked", what=WHAT, findings=(unknown, *drift), exit_code=UNCONFIRMED
    )


def _says_it_is_this_one(lock: Lock) -> bool:
    """Whether the lock names the Seedlock at hand, by the digest of its files or by what a wheel was built from."""
    if lock.tool is None:
        return False
    own = this_tool()
    is_same_build = CHECKOUT is None and lock.tool.commit is not None and lock.tool.commit == own.commit
    return lock.tool.files_sha256 == own.files_sha256 or (is_same_build and lock.tool.version == own.version)


def holder_of(commit: str | None, paths: StudyPaths) -> Path | None:
    """Whose objects hold the commit: this checkout of Seedlock, or the repository that is verified."""
    places = [place for place in (CHECKOUT, paths.root) if place is not None]
    return next((place for place in places if commit is not None and git.has_commit(place, commit)), None)
