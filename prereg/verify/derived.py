"""L4: what a lock says of itself follows from its plan, the ledger and history; what can be derived is not believed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.document import Lock, load_locked_plan
from seedlock.prereg.lock.exposure import data_seen, output_folders
from seedlock.prereg.lock.gate import differences
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.lock.lock import is_of_this_version, locked_runs
from seedlock.prereg.lock.owed import owed_by_a_run
from seedlock.prereg.lock.rooms import is_source
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.verify.bases import base_faults
from seedlock.prereg.verify.before_lock import before_lock
from seedlock.prereg.verify.checks import Check, verdict
from seedlock.prereg.verify.code import holder_of

TOPS: Mapping[int, tuple[str, ...]] = {
    1: ("analysis/", "schemas/", "generation/", "lockfiles/environment/"),
    2: ("analysis/", "schemas/", "generation/", "prereg/plan/", "prereg/lock/", "training/"),
}
"""Where a lock of each version pins at least one file."""


def derived_check(paths: StudyPaths, locks: Sequence[Lock], events: Sequence[Event]) -> Check:
    """Hold every lock of the chain against what its plan and the ledger before it give."""
    faults = [fault for lock in locks for fault in _faults(paths, lock, events, is_newest=lock is locks[-1])]
    faults += base_faults(locks, events)
    what = "runs, answers owed, code list, exposure and place in the ledger are those that plan, ledger and git give"
    return verdict("L4", "lock", what, faults, exit_code=3)


def _faults(paths: StudyPaths, lock: Lock, events: Sequence[Event], *, is_newest: bool) -> Iterator[Finding]:
    try:
        plan = load_locked_plan(lock)
    except BadInput as error:  # another version's plan: its own tool derives what this one cannot
        yield from error.findings if is_of_this_version(lock) else ()
        return
    of_the_plan = _of_the_plan(paths, plan, lock)
    told: dict[str, Any] = {**of_the_plan, **_of_the_ledger(plan, lock, events)}
    said = lock.model_dump(mode="json")
    said["exposure"].pop("outputs")
    said["models"].sort(key=lambda model: str(model["name"]))
    for key, promised in told.items():
        for where, found, derived in differences(said[key], promised, key):
            yield Finding(where=f"lock-{lock.n:04d}.json {where}", found=found, promised=f"{derived} (derived)")
    yield from _of_the_files(paths, plan, lock) if is_newest else ()
    yield from _exposure_faults(paths, plan, lock)
    yield from _code_list_faults(paths, lock)


def _of_the_plan(paths: StudyPaths, plan: Plan, lock: Lock) -> dict[str, Any]:
    """What the parsed plan alone gives."""
    promised: dict[str, Any] = {
        "study": paths.name,
        "roots": [paths.relative(paths.study)],
        "models": [
            {"name": name, "base": model.base, "revision": model.revision}
            for name, model in sorted(plan.models.items())
        ],
    }
    environments = [file.model_dump() for file in lock.code if file.path.startswith("lockfiles/")]
    promised["environment"] = {
        **lock.environment.model_dump(mode="json"),
        "environment_sha256": sha256_json(environments),
    }
    return promised if lock.tool is None else {**promised, "tool_version": lock.tool.version}


def _of_the_ledger(plan: Plan, lock: Lock, events: Sequence[Event]) -> dict[str, Any]:
    """What the ledger before the lock's own line gives."""
    lines = [event for event in events if event.name in {"plan.locked", "plan.amended"}]
    if len(lines) < lock.n:
        return {}  # L2 says that the ledger does not name it
    own = lines[lock.n - 1]
    before = [event for event in events if event.n < own.n]
    reasons = {key: own.body.get(key) for key in ("reason", "note")}
    return {
        "created_asserted": own.at,
        "ledger_head": before[-1].sha256 if before else None,
        "amends": None if own.name == "plan.locked" else reasons,
        "exposure": {
            "declared": plan.study.exposure,
            "data_seen": data_seen(plan, before),
            "is_retrospective": bool(lock.exposure.outputs) or plan.study.exposure == "published",
        },
    }


def _of_the_files(paths: StudyPaths, plan: Plan, lock: Lock) -> Iterator[Finding]:
    """Runs, with the ids that the plan file gives, and the answers that each owes."""
    owed = owed_by_a_run(plan, paths.study)
    without: set[str] = set()
    try:
        spelled = read_plan(paths.plan)
    except (BadInput, OSError):  # P1 and P2 say so; the recorded plan gives the runs, not how their ids are spelled
        spelled, without = plan, {"run_id"}
    promised = [run.model_dump(exclude=without) for run in locked_runs(spelled, owed if lock.version > 1 else None)]
    found = [run.model_dump(exclude=without) for run in lock.runs]
    for run in promised:
        if run not in found:
            yield Finding(where="lock runs", found="absent or another", promised=f"{_name(run)} (derived)")
    for run in found:
        if run not in promised:
            yield Finding(where="lock runs", found=_name(run), promised="a run of the plan")
    if lock.owed not in (None, owed):
        yield Finding(where="lock owed", found=str(lock.owed), promised=f"{owed} (derived)")


def _name(run: Mapping[str, Any]) -> str:
    return str(run.get("run_id") or f"{run['model']}-{run['arm']}-{run['seed']}")


def _exposure_faults(paths: StudyPaths, plan: Plan, lock: Lock) -> Iterator[Finding]:
    """Outputs that stood in history before the lock, and that its exposure leaves out."""
    expected = []
    if plan.import_ is not None and plan.import_.file is not None:
        expected.append(paths.relative(paths.study / plan.import_.file))
    if lock.n == 1:
        commits = before_lock(paths, lock).surely
        folders = output_folders(paths)
        expected += [
            f"{folder} (in git history)"
            for folder in (folders if git.was_tracked_by(paths.root, commits, *folders) else ())
            if git.was_tracked_by(paths.root, commits, folder)
        ]
    for output in expected:
        if output not in lock.exposure.outputs:
            yield Finding(where="lock exposure.outputs", found="absent", promised=f"{output} (derived)")


def _code_list_faults(paths: StudyPaths, lock: Lock) -> Iterator[Finding]:
    """Rooms without a pinned file, and files of the locked commit that should have been pinned."""
    pinned = {file.path for file in lock.code}
    has_environments = any(path.startswith("lockfiles/") for path in pinned)
    for top in TOPS[lock.version]:
        if not any(path.startswith(top) for path in pinned):
            yield Finding(where="lock code", found=f"nothing of {top}", promised="every file that decides a number")
    home = holder_of(lock.code_commit, paths)
    if home is None or lock.code_commit is None:
        return
    there = list(git.files_at(home, lock.code_commit) or ())
    due = _due_by_folder(pinned, there) if lock.version == 1 else _due_by_rooms(home, lock.code_commit, there)
    for path in sorted(due - pinned):
        if has_environments or not path.startswith("lockfiles/"):
            yield Finding(where="lock code", found=f"{path} is not pinned", promised="every file that decides a number")


def _due_by_folder(pinned: set[str], there: Iterable[str]) -> set[str]:
    """A lock of version 1 pins folders whole: the Python beside a pinned file of a folder below the top is pinned."""
    folders = {path.rpartition("/")[0] for path in pinned}
    whole = {folder for folder in folders if folder.count("/") == 1 or folder in {"schemas", "analysis"}}
    return {path for path in there if path.endswith(".py") and path.rpartition("/")[0] in whole}


def _due_by_rooms(home: Path, commit: str, there: Iterable[str]) -> set[str]:
    """Files of the rooms that the locked commit itself names."""
    source = git.blob(home, commit, "prereg/lock/rooms.py")
    if source is None:
        return set()
    named = dict(_tuples(source))
    rooms, never = named.get("LOCKED_CODE", ()), named.get("NEVER_DECIDES", ())
    inside = {path for path in there for room in rooms if path == room or path.startswith(f"{room}/")}
    return {path for path in inside if is_source(path, never)}


def _tuples(source: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Top-level names that a module gives tuples of text; nothing is run."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Tuple):
            words = [leaf.value for leaf in node.value.elts if isinstance(leaf, ast.Constant)]
            yield node.targets[0].id, tuple(word for word in words if isinstance(word, str))
