"""What git can say about a checkout; every question has the answer None where git cannot tell."""

from __future__ import annotations

import subprocess
from pathlib import Path


def _git(root: Path, *arguments: str) -> bytes | None:
    """Standard output of a git command, or None where it failed or git is not there."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _line(root: Path, *arguments: str) -> str | None:
    out = _git(root, *arguments)
    return out.decode("utf-8", "replace").strip() or None if out is not None else None


def head_commit(root: Path) -> str | None:
    """The commit checked out, or None outside git or before the first commit."""
    return _line(root, "rev-parse", "--verify", "--quiet", "HEAD")


def is_clean(root: Path) -> bool | None:
    """True when nothing tracked is changed and nothing untracked is there."""
    out = _git(root, "status", "--porcelain")
    return None if out is None else out.strip() == b""


def blob(root: Path, commit: str, path: str) -> bytes | None:
    """Bytes of `path` (relative to `root`) at `commit`."""
    return _git(root, "show", f"{commit}:./{path}")


def has_commit(root: Path, commit: str) -> bool:
    """Whether the object store holds `commit`."""
    return _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is not None


def adding_commit(root: Path, path: str) -> str | None:
    """The oldest commit reachable from HEAD that added `path`."""
    out = _line(root, "log", "--diff-filter=A", "--format=%H", "--", path)
    return out.splitlines()[-1] if out else None


def was_ever_tracked(root: Path, folder: str) -> bool:
    """Whether any commit reachable from any ref touched `folder`."""
    return _line(root, "log", "--all", "-1", "--format=%H", "--", folder) is not None


def was_tracked_by(root: Path, commit: str, folder: str) -> bool:
    """Whether `commit` or one before it touched `folder`."""
    return _line(root, "rev-list", "-1", commit, "--", folder) is not None


def files_at(root: Path, commit: str) -> list[str] | None:
    """Paths of every file at `commit`; None where there is no such commit."""
    out = _git(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    return None if out is None else [path for path in out.decode("utf-8", "replace").split("\0") if path]


def commit_time(root: Path, commit: str) -> str | None:
    """Committer time, ISO 8601. Its author asserts it; git proves only the order."""
    return _line(root, "show", "-s", "--format=%cI", commit)


def published_refs(root: Path, commit: str) -> list[str]:
    """Remote-tracking branches that contain `commit`."""
    out = _line(root, "branch", "-r", "--contains", commit, "--format=%(refname:short)")
    return out.splitlines() if out else []
