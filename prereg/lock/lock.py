"""The lock: one canonical JSON file that pins the plan, every file it names and the code that will judge it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import (
    Sha256,
    sha256_bytes,
    sha256_json,
    write_atomic,
)
from seedlock.prereg.base.distributions import installed
from seedlock.prereg.base.paths import HOME, StudyPaths
from seedlock.prereg.base.reading import found_at, is_inside, read_regular, sha256_regular, walk
from seedlock.prereg.base.tool import this_tool, tool_version
from seedlock.prereg.errors import Finding, OutOfOrder
from seedlock.prereg.lock.document import (
    Design,
    Environment,
    Library,
    Lock,
    LockedFile,
    LockedModel,
    LockedPlanFile,
    LockedReplication,
    LockedRun,
    LockingTool,
    lock_paths,
    read_lock,
)
from seedlock.prereg.lock.exposure import compute_exposure
from seedlock.prereg.lock.ledger import append_event, mend_torn_end, read_ledger, sole_writer
from seedlock.prereg.lock.owed import Owed, owed_by_a_run
from seedlock.prereg.lock.rooms import deciding_files, place_of
from seedlock.prereg.plan.files import referenced_files
from seedlock.prereg.plan.plan import Plan, PlannedRun
from seedlock.prereg.plan.read import MAX_PLAN_BYTES, parse_plan, read_plan
from seedlock.prereg.plan.runs import Stage

DRAFT = ".draft"
TORN = ("..lock-*", ".lock-*.sha256.*", ".ledger.head.*", ".ledger.jsonl.*")
"""Files that a killed command was about to rename."""
OWN = "src/seedlock/__init__.py"
"""A repository that holds this file carries Seedlock itself."""
WAIT_S = 10.0
"""How long a command waits for another one on the same study."""
AMEND_REASONS = ("design-change", "error-in-plan", "data-unavailable", "code-fix", "other")


def run_id(plan: Plan, run: PlannedRun) -> str:
    """Name of a run that its content decides: model, stages and their corpora in full, framing and seed.

    Settings that a stage leaves out do not enter, so that a new optional setting orphans no run.
    """
    arm = plan.arms.get(run.arm)
    content = {
        "model": plan.models[run.model].model_dump(mode="json", exclude_unset=True),
        "arm": run.arm,
        "framing": arm.framing if arm else None,
        "stages": [_stage_of(plan.stages[s], run.label) for s in (arm.stages if arm else [])],
        "seed": run.seed,
    }
    trained = [plan.stages[s] for s in (arm.stages if arm and plan.corpora else [])]
    described = [plan.corpora[stage.corpus] for stage in trained if stage.given is None]
    if described:
        content["corpora"] = [corpus.model_dump(mode="json", exclude_unset=True) for corpus in described]
    seed = "" if run.seed is None else f"-{run.seed}"
    return f"{run.model}-{run.arm}{seed}-{sha256_json(content)[:8]}"


def _stage_of(stage: Stage, label: str) -> dict[str, Any]:
    """A stage as the plan states it; of weights made elsewhere, the digest of this run's."""
    stated = stage.model_dump(mode="json", exclude_unset=True)
    return stated if stage.given is None else {**stated, "given": stage.given.revisions.get(label)}


def locked_code(home: Path = HOME) -> list[LockedFile]:
    """Every source file that decides a number, with its digest, in path order."""
    return [_promised(path, name) for name, path in deciding_files(home).items()]


def lock_file(path: Path, root: Path) -> LockedFile:
    """Promise the bytes of one file."""
    return _promised(path, path.relative_to(root).as_posix())


def _promised(path: Path, name: str) -> LockedFile:
    return LockedFile(path=name, sha256=sha256_regular(path), bytes=path.stat().st_size)


def study_files(paths: StudyPaths) -> list[Path]:
    """Every file of the study folder, in path order; a link is one, and cannot be promised."""
    return sorted(path for path in walk(paths.study) if not path.name.startswith("."))


def create_lock(
    paths: StudyPaths,
    *,
    design_check: dict[str, Any],
    simulation: bytes | None = None,
    replication: LockedReplication | None = None,
    now: datetime | None = None,
) -> tuple[Lock, Sha256]:
    """Freeze the plan: write lock-0001.json, its .sha256 and the ledger's first line.

    Raises
    ------
    OutOfOrder
        The study is locked already; `amend` supersedes a lock, nothing overwrites one.
    """
    promised_paths(paths, read_plan(paths.plan))  # or a refusal, before anything is written
    with own_lock(paths):
        if existing := lock_paths(paths):
            raise _locked_already(paths, existing[-1])
        return _write_lock(
            paths,
            n=1,
            previous=None,
            amends=None,
            design_check=design_check,
            simulation=simulation,
            replication=replication,
            now=now,
        )


@contextmanager
def own_lock(paths: StudyPaths) -> Iterator[None]:
    """Hold the ledger alone, after what a killed command left of a lock was finished or taken back."""
    with sole_writer(paths.ledger, wait_s=WAIT_S):
        mend_torn_end(paths.ledger)
        finish_lock(paths)
        yield


def _locked_already(paths: StudyPaths, file: Path) -> OutOfOrder:
    return OutOfOrder(
        f"{paths.name} is locked already",
        Finding(
            where=paths.relative(file),
            found=f"lock {read_lock(file).created_asserted}",
            promised="no lock yet: a lock is never overwritten",
        ),
        then=f"seedlock amend {paths.name} --reason design-change --note 'what changed'  supersedes it,  "
        f"seedlock verify {paths.name}  checks it",
    )


def create_amendment(
    paths: StudyPaths,
    *,
    reason: str,
    note: str,
    design_check: dict[str, Any],
    simulation: bytes | None = None,
    replication: LockedReplication | None = None,
    now: datetime | None = None,
) -> tuple[Lock, Sha256]:
    """Supersede the newest lock; the ledger records why and what data had been seen by then.

    Raises
    ------
    OutOfOrder
        There is nothing to amend yet, or nothing has changed.
    """
    if not lock_paths(paths):
        raise OutOfOrder(f"{paths.name} has no lock to amend", then=f"seedlock lock {paths.name}")
    with own_lock(paths):
        newest = lock_paths(paths)[-1]
        before = read_lock(newest)
        if holds_as_it_stands(before, paths) and before.code == locked_code():
            raise OutOfOrder(
                f"nothing of {paths.name} has changed since {newest.name}",
                then=f"edit {paths.relative(paths.plan)} first,  or  seedlock verify {paths.name}",
            )
        return _write_lock(
            paths,
            n=before.n + 1,
            previous=sha256_regular(newest),
            amends={"reason": reason, "note": note},
            design_check=design_check,
            simulation=simulation,
            replication=replication,
            now=now,
        )


def holds_as_it_stands(lock: Lock, paths: StudyPaths) -> bool:
    """Whether the plan and the files it names are those of the lock, byte for byte."""
    return lock.plan.raw_sha256 == sha256_regular(paths.plan) and lock.files == [
        lock_file(path, paths.root) for path in promised_paths(paths, read_plan(paths.plan))
    ]


def promised_paths(paths: StudyPaths, plan: Plan) -> list[Path]:
    """The study folder's files and whatever else the plan names, in path order."""
    return sorted({*study_files(paths), *referenced_files(plan, paths)})


def _write_lock(
    paths: StudyPaths,
    *,
    n: int,
    previous: Sha256 | None,
    amends: dict[str, str] | None,
    design_check: dict[str, Any],
    simulation: bytes | None,
    replication: LockedReplication | None,
    now: datetime | None,
) -> tuple[Lock, Sha256]:
    raw = read_regular(paths.plan, limit=MAX_PLAN_BYTES)
    plan = parse_plan(raw, paths.plan)
    events = read_ledger(paths.ledger)
    moment = now or datetime.now(UTC)
    clean = git.is_clean(paths.root)
    code = locked_code()
    owed, tool = owed_by_a_run(plan, paths.study), this_tool()
    lock = Lock(
        version=2,
        study=paths.name,
        n=n,
        prev_lock=previous,
        amends=amends,
        ledger_head=events[-1].sha256 if events else None,
        plan=LockedPlanFile(path=paths.relative(paths.plan), raw_sha256=sha256_bytes(raw), parsed=dump_plan(plan)),
        files=[lock_file(path, paths.root) for path in promised_paths(paths, plan)],
        code=code,
        roots=[paths.relative(paths.study)],
        runs=locked_runs(plan, owed),
        models=[LockedModel(name=name, base=m.base, revision=m.revision) for name, m in plan.models.items()],
        environment=Environment(
            python=platform.python_version(),
            platform=f"{sys.platform}-{platform.machine()}",
            environment_sha256=sha256_json([f.model_dump() for f in code if f.path.startswith("lockfiles/")]),
            libraries=[Library(name=x.name, version=x.version, record_sha256=x.record_sha256) for x in installed()],
        ),
        design=Design(
            check_sha256=sha256_json(design_check),
            simulation_sha256=sha256_bytes(simulation) if simulation else None,
            simulation_absent=None if simulation else "no simulation was run before this lock",
        ),
        exposure=compute_exposure(plan, paths, events),
        commit=git.head_commit(paths.root),
        work_tree="no git" if clean is None else "clean" if clean else "dirty",
        created_asserted=moment.isoformat(timespec="seconds"),
        tool_version=tool.version,
        tool=LockingTool(version=tool.version, commit=tool.commit, files_sha256=tool.files_sha256),
        owed=owed,
    )
    if replication is not None:  # a lock of any other study does not have the key
        lock = Lock(**{name: getattr(lock, name) for name in lock.model_fields_set}, replication=replication)
    return lock, commit_lock(paths, lock, moment)


def locked_runs(plan: Plan, owed: Owed | None) -> list[LockedRun]:
    """Every run that a plan promises, in its order."""
    return [
        LockedRun(
            run_id=run_id(plan, run),
            model=run.model,
            arm=run.arm,
            seed=run.seed,
            factors=dict(run.factors),
            n_expected=None if owed is None else owed.answers,
        )
        for run in plan.runs()
    ]


def commit_lock(paths: StudyPaths, lock: Lock, moment: datetime) -> Sha256:
    """Write the lock beside its place, enter it in the ledger, and only then put it there.

    Until the ledger names it there is no lock; from then on the next command can finish what a killed one began.
    """
    name = f"lock-{lock.n:04d}.json"
    data = lock.to_bytes()
    lock_id = sha256_bytes(data)
    write_atomic(paths.locks / f".{name}{DRAFT}", data)
    event = {"lock": name, "lock_id": lock_id}
    if lock.amends is None:
        append_event(paths.ledger, "plan.locked", event, now=moment)
    else:
        seen = lock.exposure.data_seen
        append_event(paths.ledger, "plan.amended", {**event, **lock.amends, "data_seen": seen}, now=moment)
    finish_lock(paths)
    return lock_id


def finish_lock(paths: StudyPaths) -> None:
    """Put a lock that the ledger names in its place, with its listing; a draft that it does not name goes away."""
    for torn in (torn for kind in TORN for torn in paths.locks.glob(kind)):
        torn.unlink()
    named = {(e.body["lock"], e.body["lock_id"]) for e in read_ledger(paths.ledger) if "lock" in e.body}
    for draft in sorted(paths.locks.glob(f".lock-*{DRAFT}")):
        file = paths.locks / draft.name.removeprefix(".").removesuffix(DRAFT)
        if (file.name, sha256_regular(draft)) in named and not file.exists():
            draft.replace(file)
        else:
            draft.unlink()
    for file in lock_paths(paths)[-1:]:
        listing = file.with_suffix(".sha256")
        if not listing.exists():
            write_atomic(listing, coreutils_lines(read_lock(file), file, paths, sha256_regular(file)))


def coreutils_lines(lock: Lock, file: Path, paths: StudyPaths, lock_id: Sha256) -> bytes:
    """What `sha256sum -c --strict` reads, run from the repository's top: the lock and every file it pins.

    Code is listed where this repository carries it; a study kept elsewhere pins the tool's code in the lock alone.
    """
    own = [file.path for file in lock.code if file.path.endswith(".py")] if lock.version == 1 else [OWN]
    carries_code = any((paths.root / path).is_file() for path in own)
    pinned = [*lock.files, *(lock.code if carries_code else [])]
    lines = [(lock_id, paths.relative(file)), *((f.sha256, f.path) for f in pinned)]
    return "".join(f"{digest}  {path}\n" for digest, path in lines).encode()


def dump_plan(plan: Plan) -> dict[str, Any]:
    """The parsed plan as JSON, defaults filled in."""
    dumped: dict[str, Any] = plan.model_dump(mode="json", by_alias=True)
    return dumped


def code_faults(lock: Lock, home: Path = HOME) -> list[Finding]:
    """Locked code that is not as it was, and files that came to the rooms that decide."""
    return list(iter_code_faults(lock, home))


def iter_code_faults(lock: Lock, home: Path = HOME) -> Iterator[Finding]:
    """The same one by one, for whoever needs to know only whether there are any.

    The pinned environments are part of a checkout and of no wheel; there, the lock names the libraries themselves.
    """
    has_environments = place_of("lockfiles/environment", home).is_dir()
    for file in lock.code:
        if has_environments or not file.path.startswith("lockfiles/"):
            yield from _change(file, place_of(file.path, home))
    if lock.version > 1:
        came = deciding_files(home).keys() - {file.path for file in lock.code}
        for name in sorted(came):
            yield Finding(where=name, found="an extra file", promised="only the locked code")


def is_of_this_version(lock: Lock) -> bool:
    """Whether the lock says that the version at hand made it: then it reads the plan, and knows the rooms."""
    return lock.tool is not None and lock.tool.version == tool_version()


def iter_changes(promised: list[LockedFile], root: Path) -> Iterator[Finding]:
    """Files whose bytes are not the promised ones, or that are gone."""
    for file in promised:
        yield from _change(file, root / file.path)


def _change(file: LockedFile, path: Path) -> Iterator[Finding]:
    found = found_at(path) if is_inside(file.path) else "a path that leads out of the repository"
    if found != f"sha256 {file.sha256}":
        yield Finding(where=file.path, found=found, promised=f"sha256 {file.sha256}")
