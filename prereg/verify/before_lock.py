"""What git shows to be older than a lock: the commit that it names, and those before the one that brought its file.

A lock may name no commit, or one that nobody has: then the history that its own file stands in says what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from seedlock.prereg.base import git
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import UnreadableFile
from seedlock.prereg.lock.document import Lock
from seedlock.prereg.verify.history import FOLDERS

A_MOMENT = timedelta(seconds=1)
"""Git keeps whole seconds: a commit of the lock's own second may hold what came after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeLock:
    """Selections of commits, as `git rev-list` takes them; empty where there are none.

    Parameters
    ----------
    surely
        They and all before them came before the lock.
    by_its_time
        Those of every branch that their own dates put before the lock: the author's clock says both.
    by_its_file
        They came between the commit that the lock names and the one that brought its file: before the lock, or
        beside it.
    """

    surely: tuple[str, ...]
    by_its_time: tuple[str, ...]
    by_its_file: tuple[str, ...]


def before_lock(paths: StudyPaths, lock: Lock) -> BeforeLock:
    """Where to look for what was there before the lock."""
    parents = _parents_of_its_commit(paths, lock)
    by_its_time = ("--all", f"--before={datetime.fromisoformat(lock.created_asserted) - A_MOMENT:%Y-%m-%dT%H:%M:%S%z}")
    if lock.commit is not None and git.has_commit(paths.root, lock.commit):
        after = (*parents, f"^{lock.commit}") if parents else ()
        return BeforeLock(surely=(lock.commit,), by_its_time=by_its_time, by_its_file=after)
    return BeforeLock(surely=parents, by_its_time=by_its_time, by_its_file=())


def _parents_of_its_commit(paths: StudyPaths, lock: Lock) -> tuple[str, ...]:
    """Parents of every commit that brought the lock's file where there was none."""
    path = f"{paths.relative(paths.locks)}/lock-{lock.n:04d}.json"
    try:
        blob = git.blob_id(read_regular(paths.root / path))
    except UnreadableFile:  # a lock whose number is not its name's, which L2 says
        return ()
    changes = git.changes(paths.root, *FOLDERS) or ()
    came = [one.commit for one in changes if one.path == path and one.before is None and one.after == blob]
    return git.parents_of(paths.root, came)
