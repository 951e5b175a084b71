"""What a replication carries of its original: its lock and results, the seeds it used, and what its plan changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seedlock.prereg.base.canonical import read_json, sha256_bytes
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import is_regular, read_regular, sha256_regular
from seedlock.prereg.errors import BadInput, Finding, SeedlockError
from seedlock.prereg.lock.document import Lock, load_locked_plan, lock_paths, read_lock
from seedlock.prereg.lock.gate import differences
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.lock.lock import dump_plan
from seedlock.prereg.plan.original import CARRIED_LOCK, CARRIED_RESULTS, Original
from seedlock.prereg.plan.plan import Plan

FREE = ("grid.seeds", "study.title", "study.exposure", "study.known", "design", "original")
"""What a replication may say otherwise and still be of the same plan; and the seeds of stages drawn once."""


def carried_lock(paths: StudyPaths) -> Lock:
    """The original's lock, as it is carried.

    Raises
    ------
    LockedFileChanged
        It is none.
    """
    return read_lock(paths.study / CARRIED_LOCK)


def carried_results(paths: StudyPaths) -> dict[str, Any]:
    """The original's results.json, as it is carried."""
    results: dict[str, Any] = read_json(read_regular(paths.study / CARRIED_RESULTS))
    return results


def plan_changes(plan: Plan, original: Lock) -> list[tuple[str, str, str]]:
    """Key path, the original's value and this plan's, of everything that a replication of the same plan has alike."""
    changed = differences(dump_plan(load_locked_plan(original)), dump_plan(plan))
    return [change for change in changed if not _is_free(change[0])]


def _is_free(where: str) -> bool:
    parts = where.split(".")
    is_stage_seed = len(parts) == 3 and parts[0] == "stages" and parts[2] == "seed"
    return is_stage_seed or any(where == key or where.startswith((f"{key}.", f"{key}[")) for key in FREE)


def original_faults(plan: Plan, paths: StudyPaths) -> Iterator[Finding]:
    """Carried files that are not those the plan names, seeds that the original used, and what the repository says."""
    original = plan.original
    if original is None:
        return
    carried = {CARRIED_LOCK: original.lock, CARRIED_RESULTS: original.results}
    wrong = [fault for name, digest in carried.items() for fault in _carried_fault(paths, name, digest)]
    yield from wrong
    if wrong:
        return
    try:
        lock, results = carried_lock(paths), carried_results(paths)
        yield from _of_each_other(original, lock, results)
        yield from _shared_seeds(plan, lock)
        yield from _here(original, paths)
    except SeedlockError as error:
        yield from error.findings or (Finding(where="original", found=error.what, promised="a locked study"),)


def _carried_fault(paths: StudyPaths, name: str, digest: str) -> Iterator[Finding]:
    file = paths.study / name
    found = sha256_bytes(read_regular(file)) if is_regular(file) else "no such file"
    if found != digest:
        yield Finding(where=paths.relative(file), found=found, promised=f"{digest} ([original] of the plan)")


def _of_each_other(original: Original, lock: Lock, results: dict[str, Any]) -> Iterator[Finding]:
    if lock.study != original.study:
        yield Finding(where=CARRIED_LOCK, found=f"the lock of {lock.study}", promised=f"of {original.study}")
    if results.get("lock_id") != original.lock or results.get("study") != original.study:
        found = f"results of {results.get('study')} under lock {results.get('lock_id')}"
        yield Finding(where=CARRIED_RESULTS, found=found, promised=f"of {original.study} under lock {original.lock}")


def _shared_seeds(plan: Plan, original: Lock) -> Iterator[Finding]:
    used = {(run.model, run.seed) for run in original.runs if run.seed is not None}
    again = sorted({run.seed for run in plan.runs() if run.seed is not None and (run.model, run.seed) in used})
    if again:
        yield Finding(where="grid.seeds", found=f"seeds of the original: {again}", promised="seeds that it did not use")
    before = load_locked_plan(original).stages
    for name, stage in plan.stages.items():
        if stage.seed is not None and name in before and before[name].seed == stage.seed:
            found = f"{stage.seed}, the original's: the stage would be the very same"
            yield Finding(where=f"stages.{name}.seed", found=found, promised="a seed that it did not use")


def _here(original: Original, paths: StudyPaths) -> Iterator[Finding]:
    """Where the original lies in the same repository, its own lock and ledger name what is carried."""
    study = StudyPaths(root=paths.root, name=original.study)
    files = lock_paths(study)
    if not files:
        return
    if original.lock not in {sha256_regular(file) for file in files}:
        yield Finding(where="original.lock", found=original.lock, promised=f"a lock of {original.study} here")
    built = {str(e.body["results_sha256"]) for e in read_ledger(study.ledger) if e.name == "report.built"}
    if original.results not in built:
        yield Finding(where="original.results", found=original.results, promised=f"results in {study.name}'s ledger")


def require_original(plan: Plan, paths: StudyPaths) -> None:
    """Refuse a replication that does not carry its original, or repeats its seeds.

    Raises
    ------
    BadInput
        With every fault.
    """
    if faults := list(original_faults(plan, paths)):
        raise BadInput(
            f"{paths.name} is no replication of {plan.original.study if plan.original else 'anything'}",
            *faults,
            then=f"seedlock replicate {plan.original.study if plan.original else 'STUDY'} --name ANOTHER",
        )
