"""Run a command with the code of the locked commit, in a git worktree of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from seedlock.prereg.base import git
from seedlock.prereg.base.paths import HOME, StudyPaths
from seedlock.prereg.errors import Finding, LockedFileChanged
from seedlock.prereg.lock.lock import Lock


def run_at_lock(paths: StudyPaths, lock: Lock, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `seedlock ARGUMENTS --root ROOT` with the source of the commit that the lock was made on.

    The environment is this one: `verify --replay` says where it differs from the locked environment.

    Raises
    ------
    LockedFileChanged
        The commit is not in this clone, or the lock was made on a work tree whose code no commit holds.
    """
    commit = lock.commit
    if commit is None or not git.has_commit(HOME, commit):
        raise LockedFileChanged(
            f"the locked code of {paths.name} is not in this clone",
            Finding(where="lock.commit", found=str(commit), promised="a commit of this repository"),
            then="git fetch --unshallow,  or install the version that made the lock",
        )
    with tempfile.TemporaryDirectory(prefix="seedlock-at-lock-") as folder:
        tree = Path(folder) / "tree"
        add = ["git", "-C", str(HOME), "worktree", "add", "--quiet", "--detach", str(tree), commit]
        subprocess.run(add, check=True, capture_output=True)
        try:
            one_file = tree / "seedlock.py"  # the layout of version 0.1.0
            tool = [str(one_file)] if one_file.is_file() else ["-m", "seedlock"]
            command = [sys.executable, "-B", *tool, *arguments, "--root", str(paths.root)]
            environment = {**os.environ, "PYTHONPATH": str(tree if one_file.is_file() else tree / "src")}
            return subprocess.run(command, capture_output=True, check=False, cwd=tree, env=environment)
        finally:
            remove = ["git", "-C", str(HOME), "worktree", "remove", "--force", str(tree)]
            subprocess.run(remove, check=False, capture_output=True)
