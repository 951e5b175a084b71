"""Run a command with the Seedlock that made a lock or a report: its commit, out of git, or that version installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seedlock.prereg.base import git
from seedlock.prereg.base.paths import CHECKOUT, HOME, StudyPaths
from seedlock.prereg.base.tool import BUILT_FROM
from seedlock.prereg.errors import Finding, LockedFileChanged
from seedlock.prereg.lock.document import Lock

INSTALLED = "SEEDLOCK_AT_LOCK"
"""Environment variable: the Python of an environment that holds the version which made the lock."""
WHO = "from seedlock.prereg.base.tool import this_tool; print(this_tool().files_sha256)"

CODE = (
    *("seedlock.py", "src", "prereg", "schemas", "analysis", "generation", "training", "lockfiles/environment"),
    "docs/check.html",  # what prereg/verify/check.html is a link to
)


def run_at_lock(paths: StudyPaths, lock: Lock, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `seedlock ARGUMENTS --root ROOT` with the code that the lock was made with.

    Looked for in the environment that `SEEDLOCK_AT_LOCK` names, then among the commits of this checkout of Seedlock;
    never in the study's own repository, whose code is its author's. The libraries are those of the environment:
    `verify --replay` says where they differ from those at the lock.

    Raises
    ------
    LockedFileChanged
        That code is not here; the message says which it is and how to get it.
    """
    python = os.environ.get(INSTALLED)
    if python is not None:
        _require_same_tool(python, lock)
        return _run([python, "-m", "seedlock"], arguments, paths, Path(python).parent, {})
    commit = lock.code_commit
    if commit is None or CHECKOUT is None or not git.has_commit(CHECKOUT, commit):
        raise _not_here(lock, f"commit {commit}" if commit else "no commit known")
    return _run_commit(CHECKOUT, commit, arguments, paths)


def run_by_builder(paths: StudyPaths, tool: Mapping[str, Any], *arguments: str) -> _Done | None:
    """Run `seedlock ARGUMENTS --root ROOT` with the Seedlock that the ledger names as a report's builder.

    Looked for in the same places as the one that made a lock; None where it is in neither.
    """
    python = os.environ.get(INSTALLED)
    if python is not None and _digest_of(python) == tool["files_sha256"]:
        return _run([python, "-m", "seedlock"], arguments, paths, Path(python).parent, {})
    commit = tool["commit"]
    if not isinstance(commit, str) or CHECKOUT is None or not git.has_commit(CHECKOUT, commit):
        return None
    return _run_commit(CHECKOUT, commit, arguments, paths)


def _run_commit(checkout: Path, commit: str, arguments: tuple[str, ...], paths: StudyPaths) -> _Done:
    with tempfile.TemporaryDirectory(prefix="seedlock-at-lock-") as folder:
        tree = Path(folder) / "tree"
        git.write_files(checkout, commit, tree, *CODE)
        named = tree / BUILT_FROM.relative_to(HOME)
        if named.parent.is_dir():  # version 0.1.0 had no such room, and named no builder
            named.write_text(commit, "ascii")
        one_file = tree / "seedlock.py"  # the layout of version 0.1.0
        tool = [str(one_file)] if one_file.is_file() else ["-m", "seedlock"]
        source = {"PYTHONPATH": str(tree if one_file.is_file() else tree / "src")}
        return _run([sys.executable, "-B", *tool], arguments, paths, tree, source)


type _Done = subprocess.CompletedProcess[bytes]


def _run(tool: list[str], arguments: tuple[str, ...], paths: StudyPaths, folder: Path, source: dict[str, str]) -> _Done:
    command = [*tool, *arguments, "--root", str(paths.root)]
    return subprocess.run(command, capture_output=True, check=False, cwd=folder, env={**os.environ, **source})


def _require_same_tool(python: str, lock: Lock) -> None:
    promised = None if lock.tool is None else lock.tool.files_sha256
    found = _digest_of(python)
    if promised is None or found != promised:
        raise _not_here(lock, f"{INSTALLED}={python}: files sha256:{found}")


def _digest_of(python: str) -> str:
    """The digest over all files of the Seedlock that a Python has installed, or why there is none."""
    try:
        done = subprocess.run([python, "-c", WHO], capture_output=True, check=False, cwd="/", timeout=120)
        return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else "no Seedlock that can say"
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)


def _not_here(lock: Lock, found: str) -> LockedFileChanged:
    """Say which Seedlock made a lock, and how to have it run."""
    made_by = f"seedlock {lock.tool_version}, commit {lock.code_commit}"
    if lock.tool is not None:
        made_by += f", files sha256:{lock.tool.files_sha256}"
    return LockedFileChanged(
        f"the Seedlock that locked {lock.study} is not here",
        Finding(where="lock.tool", found=found, promised=made_by),
        then=f"{install_at_lock(lock)};  in a shallow checkout:  git fetch --unshallow",
    )


def install_at_lock(lock: Lock) -> str:
    """What puts the version that made a lock, with its libraries, beside this one and names it."""
    return (
        f"python -m venv ../at-lock && ../at-lock/bin/pip install seedlock=={lock.tool_version}  and then  "
        f"export {INSTALLED}=$PWD/../at-lock/bin/python"
    )
