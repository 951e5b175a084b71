"""The gates: the only place where a `LockedPlan` is made, after every promise it depends on was checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from seedlock.prereg.base.canonical import Sha256, canonical_json
from seedlock.prereg.base.json_pointer import replaced
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import is_regular, sha256_regular
from seedlock.prereg.errors import BadInput, Finding, Incomplete, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.document import Lock, load_locked_plan, lock_paths
from seedlock.prereg.lock.due_runs import looks_passed_over
from seedlock.prereg.lock.events import was_withdrawn
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.lock import (
    code_faults,
    dump_plan,
    iter_changes,
    iter_code_faults,
    promised_paths,
    study_files,
)
from seedlock.prereg.lock.own_folders import require_own_folders
from seedlock.prereg.lock.state import StudyState, read_state
from seedlock.prereg.lock.superseded import superseded
from seedlock.prereg.lock.transaction import finish_what_was_left, transaction
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import read_plan

type Status = Literal["confirmatory", "deviated", "retrospective", "exploratory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A declared departure: what the plan said, what was done, why, and whom it touches."""

    pointer: str
    before: Any
    after: Any
    reason: str
    effect: str
    hypotheses: tuple[str, ...]
    at: str


@dataclass(frozen=True, kw_only=True)
class LockedPlan(StudyState):
    """A study whose bytes matched its lock, and whose plan can be read. Only this module builds one."""

    lock_id: Sha256
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTable:
    """One sealed file whose bytes matched the ledger."""

    table: str
    path: Path
    sha256: Sha256
    rows: int


def require_lock(paths: StudyPaths, *, only_reading: bool = False) -> LockedPlan:
    """Check plan, files, code, lock chain and ledger; only then hand out the plan.

    Parameters
    ----------
    only_reading
        The caller makes nothing: once the study is reported, its locked code may have moved on.

    Raises
    ------
    BadInput
        What the caller makes would be written through a link.
    OutOfOrder
        The study is not locked yet.
    LockedFileChanged
        With one finding for every file that is not as promised, and for the plan's changed keys.
    LedgerBroken
        The ledger does not hold.
    """
    if not only_reading:
        require_own_folders(paths)
        finish_what_was_left(paths)
    state, files = read_state(paths), lock_paths(paths)
    if state is None:
        raise OutOfOrder(
            f"{paths.name} has no locked plan",
            Finding(where=f"lockfiles/{paths.name}/", found="no lock", promised="a lock before any other stage"),
            then=f"seedlock check {paths.name}  and then  seedlock lock {paths.name}",
        )
    if not only_reading and was_withdrawn(event.name for event in state.events):
        raise OutOfOrder(f"{paths.name} was withdrawn", then=f"seedlock verify {paths.name}  says when and why")
    lock_id = sha256_regular(files[-1])
    reported = is_reported(state.events, lock_id)
    code = [] if only_reading and reported else code_faults(state.lock)
    faults = [*chain_faults(files, state.locks, state.events), *plan_faults(state.lock, paths), *code]
    if faults:
        amend = f"seedlock amend {paths.name} --reason design-change --note 'what changed'"
        restore = f"restore the files,  or record why with  {amend}"
        at_lock = f"seedlock analyze {paths.name} --at-lock  works with the code of the locked commit"
        raise LockedFileChanged(
            f"{paths.name} no longer matches {paths.relative(files[-1])}",
            *faults[:20],
            then=at_lock if reported and len(code) == len(faults) else restore,
        )
    locked = LockedPlan(
        paths=paths,
        locks=state.locks,
        events=state.events,
        lock_id=lock_id,
        deviations=tuple(deviations(state.events)),
    )
    _ = locked.plan  # or a refusal: this version must read it
    return locked


@contextmanager
def working_on(locked: LockedPlan) -> Iterator[LockedPlan]:
    """Hold the study alone; hand out the plan anew where another command wrote to the ledger since the gate."""
    with transaction(locked.paths):
        is_same = len(read_ledger(locked.paths.ledger)) == len(locked.events)
        yield locked if is_same else require_lock(locked.paths)


def is_reported(events: Iterable[Event], lock_id: Sha256) -> bool:
    """Whether a report was built under this lock: from then on its code may move on."""
    return any(event.name == "report.built" and event.body["lock_id"] == lock_id for event in events)


def chain_faults(files: list[Path], locks: tuple[Lock, ...], events: tuple[Event, ...]) -> list[Finding]:
    """Each lock has its place's number and names the one before, and the ledger names each by its digest."""
    digests = [sha256_regular(file) for file in files]
    faults = []
    for number, (file, lock, previous) in enumerate(zip(files, locks, [None, *digests], strict=False), start=1):
        if lock.n != number or file.name != f"lock-{number:04d}.json":
            faults.append(Finding(where=f"{file.name} n", found=f"lock {lock.n}", promised=f"lock {number}"))
        if lock.prev_lock != previous:
            found, promised = str(lock.prev_lock), str(previous)
            faults.append(Finding(where=f"{file.name} prev_lock", found=found, promised=promised))
    recorded = [str(e.body["lock_id"]) for e in events if e.name in {"plan.locked", "plan.amended"}]
    for index, (file, digest) in enumerate(zip(files, digests, strict=True)):
        promised = recorded[index] if index < len(recorded) else "a line in the ledger"
        if promised != digest:
            faults.append(Finding(where=file.name, found=f"sha256 {digest}", promised=f"sha256 {promised} (ledger)"))
    for index in range(len(files), len(recorded)):
        faults.append(
            Finding(where=f"lock {index + 1}", found="no file", promised=f"sha256 {recorded[index]} (ledger)")
        )
    return faults


def plan_faults(lock: Lock, paths: StudyPaths) -> list[Finding]:
    """The plan's bytes, the files it names, and files that appeared in a locked folder."""
    faults = list(iter_changes(lock.files, paths.root))
    is_changed = any(fault.where == lock.plan.path for fault in faults)
    if is_changed:
        faults += _changed_keys(lock, paths)
    promised = {file.path for file in lock.files}
    here = {paths.relative(path) for path in _promised_now(lock, paths, is_changed=is_changed)}
    faults += [
        Finding(where=path, found="an extra file", promised="only the locked files in this folder")
        for path in sorted(here - promised)
    ]
    return faults


def _promised_now(lock: Lock, paths: StudyPaths, *, is_changed: bool) -> list[Path]:
    """Files of the study folder; those that the plan names too, where it can still be read."""
    try:
        return promised_paths(paths, read_plan(paths.plan) if is_changed else load_locked_plan(lock))
    except BadInput:
        return study_files(paths)


def _changed_keys(lock: Lock, paths: StudyPaths) -> list[Finding]:
    """Which keys of the plan say something else now."""
    try:
        now = dump_plan(read_plan(paths.plan))
    except BadInput as error:
        return list(error.findings)
    return [
        Finding(where=f"plan: {where}", found=f"now {after}", promised=f"locked {before}")
        for where, before, after in differences(lock.plan.parsed, now)
    ][:20]


def differences(before: Any, after: Any, where: str = "") -> list[tuple[str, str, str]]:
    """Every leaf that differs between two JSON values: key path, before, after."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            change
            for key in sorted({*before, *after})
            for change in differences(before.get(key), after.get(key), f"{where}.{key}" if where else key)
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            change
            for index, (old, new) in enumerate(zip(before, after, strict=True))
            for change in differences(old, new, f"{where}[{index}]")
        ]
    return [] if before == after else [(where, _short(before), _short(after))]


def _short(value: Any) -> str:
    text = canonical_json(value).decode()
    return text if len(text) <= 80 else text[:77] + "..."


def has_moved_on(lock: Lock) -> bool:
    """Whether the code here is no longer the locked code."""
    return any(True for _ in iter_code_faults(lock))


def deviations(events: tuple[Event, ...]) -> list[Deviation]:
    """Every declared departure, oldest first."""
    return [
        Deviation(
            pointer=str(e.body["pointer"]),
            before=e.body["before"],
            after=e.body["after"],
            reason=str(e.body["reason"]),
            effect=str(e.body["effect"]),
            hypotheses=tuple(e.body["hypotheses"]),
            at=e.at,
        )
        for e in events
        if e.name == "deviation.declared"
    ]


def deviated_plan(locked: LockedPlan) -> Plan | None:
    """The plan as it was carried out, or None where nothing departed from it.

    Raises
    ------
    BadInput
        The departures together no longer make a plan.
    """
    if not locked.deviations:
        return None
    parsed: Any = locked.lock.plan.parsed
    for deviation in locked.deviations:
        parsed = replaced(parsed, deviation.pointer, deviation.after)
    try:
        return Plan.model_validate_json(canonical_json(parsed))
    except ValidationError as error:
        faults = [Finding(where=str(e["loc"]), found=str(e["input"]), promised=str(e["msg"])) for e in error.errors()]
        raise BadInput("the declared deviations do not make a plan", *faults, then="seedlock amend") from None


def require_seals(locked: LockedPlan) -> list[SealedTable]:
    """Every sealed table that speaks now, each copy of it checked against the ledger, and of those it replaced too.

    Raises
    ------
    OutOfOrder
        Nothing is sealed yet.
    Incomplete
        A sealed file is gone.
    LockedFileChanged
        A sealed file's bytes are not those the ledger promised.
    """
    sealed, study = locked.sealed, locked.paths.name
    if not sealed:
        file = locked.plan.import_.file if locked.plan.import_ else None
        data = f"seedlock import {study}" if file else f"seedlock import {study} FILE  or  seedlock generate {study}"
        raise OutOfOrder(
            f"{study} has no sealed data",
            Finding(where=f"lockfiles/{study}/ledger.jsonl", found="no data.sealed", promised="data before a look"),
            then=data,
        )
    tables, gone, changed = [], [], []
    replaced_files = superseded(sealed)
    for event in sealed:
        file, promised = str(event.body["file"]), str(event.body["sha256"])
        copies = [path for path in locked.paths.seal_places(file) if is_regular(path)]
        if not copies:
            gone.append(Finding(where=file, found="no such file", promised=f"sha256 {promised}"))
        changed += [
            Finding(
                where=locked.paths.relative(path),
                found=f"sha256 {digest}",
                promised=f"sha256 {promised} (ledger)",
            )
            for path in copies
            if (digest := sha256_regular(path)) != promised
        ]
        for path in [] if file in replaced_files else copies[:1]:
            tables.append(
                SealedTable(table=str(event.body["table"]), path=path, sha256=promised, rows=int(event.body["rows"]))
            )
    if changed:
        raise LockedFileChanged(f"sealed data of {study} were changed", *changed, then="restore the sealed files")
    if gone:
        raise Incomplete(f"sealed data of {study} are missing", *gone, then=f"git checkout -- reports/{study}/data")
    return tables


def require_generated(locked: LockedPlan) -> None:
    """Nothing is judged or looked at while a generation is half done.

    Raises
    ------
    Incomplete
        Some runs are sealed, and others that could be asked are not.
    """
    left, study = locked.unasked, locked.paths.name
    if left:
        raise Incomplete(
            f"{len(left)} runs of {study} are not answered yet, and others are",
            *(Finding(where=run, found="no sealed answers", promised="a run of the plan") for run in left[:20]),
            then=f"seedlock generate {study}",
        )


def status_of(locks: tuple[Lock, ...], events: tuple[Event, ...], plan: Plan) -> Status:
    """What the study may call itself; every step can only lower it."""
    predates = any(event.body.get("predates_lock") for event in events if event.name == "data.sealed")
    if any(lock.exposure.is_retrospective for lock in locks) or predates:
        return "retrospective"
    if all(hypothesis.role == "exploratory" for hypothesis in plan.hypothesis):
        return "exploratory"
    amended_late = any(
        event.name == "plan.amended" and event.body["data_seen"] in {"sealed", "looked"} for event in events
    )
    left_behind = any(event.name == "fork.declared" and event.body.get("held") for event in events)
    deviated = any(e.name == "deviation.declared" for e in events)
    if amended_late or left_behind or deviated or looks_passed_over(events, locks[-1]):
        return "deviated"
    return "confirmatory"


def created_at(locked: LockedPlan) -> datetime:
    """When the first lock says it was made (asserted by its author)."""
    return datetime.fromisoformat(locked.locks[0].created_asserted)
