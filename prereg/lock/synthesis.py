"""Locking a synthesis: what stood of every study then, read from its ledger, so that nobody need be believed."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import Sha256, canonical_json, sha256_bytes, sha256_json
from seedlock.prereg.base.distributions import installed
from seedlock.prereg.base.paths import StudyPaths, SynthesisPaths, list_studies
from seedlock.prereg.base.reading import found_at, read_regular, sha256_regular
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import BadInput, Finding, LedgerBroken, LockedFileChanged, OutOfOrder, SeedlockError
from seedlock.prereg.lock.document import (
    Design,
    Environment,
    Library,
    Lock,
    LockedEffect,
    LockedPlanFile,
    LockedSynthesis,
    LockingTool,
    Registered,
    lock_paths,
    read_lock,
)
from seedlock.prereg.lock.events import was_withdrawn
from seedlock.prereg.lock.exposure import Exposure
from seedlock.prereg.lock.gate import chain_faults, is_reported
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.lock import (
    code_faults,
    commit_lock,
    iter_changes,
    lock_file,
    locked_code,
    own_lock,
    study_files,
)
from seedlock.prereg.lock.state import StudyState, read_state
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan, PlannedRun
from seedlock.prereg.plan.read import MAX_PLAN_BYTES
from seedlock.prereg.plan.runs import listed
from seedlock.prereg.plan.synthesis import Effect, SynthesisPlan, parse_synthesis, read_synthesis

NO_DRAWS = "a synthesis draws nothing: what covers at how many studies is simulated once for all"


@dataclass(frozen=True, kw_only=True)
class LockedSynthesisPlan:
    """A synthesis whose bytes matched its lock. Only `require_synthesis` builds one."""

    paths: SynthesisPaths
    locks: tuple[Lock, ...]
    events: tuple[Event, ...]
    lock_id: Sha256
    plan: SynthesisPlan

    @property
    def lock(self) -> Lock:
        """The lock in force."""
        return self.locks[-1]

    @property
    def made(self) -> LockedSynthesis:
        """What it is made of, as the lock recorded it."""
        return made_of(self.lock)


def made_of(lock: Lock) -> LockedSynthesis:
    """What a synthesis is made of, as its lock recorded it.

    Raises
    ------
    LockedFileChanged
        It is the lock of something else.
    """
    if lock.synthesis is None:
        fault = Finding(where=f"lock-{lock.n:04d}.json", found="the lock of a study", promised="that of a synthesis")
        raise LockedFileChanged(f"{lock.study} is no synthesis", fault, then=f"seedlock verify {lock.study}")
    return lock.synthesis


def lock_synthesis(
    paths: SynthesisPaths,
    *,
    removed: Sequence[str] = (),
    reason: str | None = None,
    note: str = "",
    now: datetime | None = None,
) -> tuple[Lock, Sha256]:
    """Freeze the plan of a synthesis, or with a reason supersede the newest lock.

    Parameters
    ----------
    removed
        Studies that git history knows to have been locked, and that are gone.

    Raises
    ------
    OutOfOrder
        It is locked already (without a reason), or there is nothing to amend, or nothing has changed.
    BadInput
        Effects that cannot be pooled, each with what is wrong.
    """
    effects = stood_effects(paths.root, read_synthesis(paths.plan))
    with own_lock(paths):
        files = lock_paths(paths)
        before = read_lock(files[-1]) if files else None
        _require_place(paths, before, is_amendment=reason is not None)
        made = LockedSynthesis(effects=effects, registered=registered(paths.root, heads_now(paths.root, removed)))
        lock = _new_lock(paths, before, made, None if reason is None else {"reason": reason, "note": note}, now)
        return lock, commit_lock(paths, lock, datetime.fromisoformat(lock.created_asserted))


def _require_place(paths: SynthesisPaths, before: Lock | None, *, is_amendment: bool) -> None:
    name = paths.name
    if before is None and is_amendment:
        raise OutOfOrder(f"{name} has no lock to amend", then=f"seedlock lock {name}")
    if before is not None and not is_amendment:
        amend = f"seedlock amend {name} --reason design-change --note 'what changed'"
        raise OutOfOrder(f"{name} is locked already", then=f"{amend}  supersedes it")
    if before is not None and before.plan.raw_sha256 == sha256_regular(paths.plan) and not code_faults(before):
        raise OutOfOrder(f"nothing of {name} has changed since lock {before.n}", then=f"seedlock verify {name}")


def _new_lock(
    paths: SynthesisPaths,
    before: Lock | None,
    made: LockedSynthesis,
    amends: dict[str, str] | None,
    now: datetime | None,
) -> Lock:
    raw = read_regular(paths.plan, limit=MAX_PLAN_BYTES)
    events, code, tool = read_ledger(paths.ledger), locked_code(), this_tool()
    clean = git.is_clean(paths.root)
    return Lock(
        version=2,
        study=paths.name,
        n=1 if before is None else before.n + 1,
        prev_lock=None if before is None else sha256_regular(lock_paths(paths)[-1]),
        amends=amends,
        ledger_head=events[-1].sha256 if events else None,
        plan=LockedPlanFile(
            path=paths.relative(paths.plan),
            raw_sha256=sha256_bytes(raw),
            parsed=parse_synthesis(raw, paths.plan).model_dump(mode="json"),
        ),
        files=[lock_file(path, paths.root) for path in study_files(paths)],
        code=code,
        roots=[paths.relative(paths.study)],
        runs=[],
        models=[],
        environment=Environment(
            python=platform.python_version(),
            platform=f"{sys.platform}-{platform.machine()}",
            environment_sha256=sha256_json([f.model_dump() for f in code if f.path.startswith("lockfiles/")]),
            libraries=[Library(name=x.name, version=x.version, record_sha256=x.record_sha256) for x in installed()],
        ),
        design=Design(check_sha256=sha256_json([]), simulation_sha256=None, simulation_absent=NO_DRAWS),
        exposure=exposure_of(made.effects, events),
        commit=git.head_commit(paths.root),
        work_tree="no git" if clean is None else "clean" if clean else "dirty",
        created_asserted=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
        tool_version=tool.version,
        tool=LockingTool(version=tool.version, commit=tool.commit, files_sha256=tool.files_sha256),
        synthesis=made,
    )


def exposure_of(effects: Sequence[LockedEffect], events: Sequence[Event]) -> Exposure:
    """What was known: estimates of studies whose data somebody had looked at, by their ledgers."""
    known = list(dict.fromkeys(effect.study for effect in effects if effect.was_looked_at))
    looked = any(event.name == "look.opened" for event in events)
    return Exposure(
        declared="none",
        data_seen="looked" if looked or known else "none",
        outputs=[f"reports/{study}" for study in known],
        is_retrospective=bool(known),
    )


def heads_now(root: Path, removed: Sequence[str] = ()) -> dict[str, Sha256 | None]:
    """Every study of the repository that was ever locked, with the digest of its ledger's last line.

    None stands for a ledger that is gone, or cannot be read.
    """
    found: dict[str, Sha256 | None] = {}
    for name in sorted({*list_studies(root), *removed}):
        paths = StudyPaths(root=root, name=name)
        try:
            events = read_ledger(paths.ledger)
        except SeedlockError:
            found[name] = None
            continue
        if events or name in removed:
            found[name] = events[-1].sha256 if events else None
    return found


def events_until(root: Path, study: str, head: Sha256 | None) -> list[Event]:
    """A study's ledger up to the line of this digest; empty where it was gone.

    Raises
    ------
    LedgerBroken
        The study's ledger has no such line, or does not hold.
    """
    if head is None:
        return []
    paths = StudyPaths(root=root, name=study)
    events = read_ledger(paths.ledger)
    line = next((event.n for event in events if event.sha256 == head), None)
    if line is None:
        fault = Finding(where=paths.relative(paths.ledger), found="no such line", promised=f"a line of digest {head}")
        raise LedgerBroken(
            f"the ledger of {study} is not the one that was read", fault, then=f"seedlock verify {study}"
        )
    return events[:line]


def registered(root: Path, heads: Mapping[str, Sha256 | None]) -> list[Registered]:
    """What had become of every study, by its ledger up to that line."""
    return [Registered(study=name, state=state_of(events_until(root, name, head))) for name, head in heads.items()]


def state_of(events: Sequence[Event]) -> str:
    """In one word: reported, withdrawn, begun, locked, or removed where there is no ledger to read."""
    names = {event.name for event in events}
    if not names:
        return "removed"
    if was_withdrawn(names):
        return "withdrawn"
    if "report.built" in names:
        return "reported"
    return "begun" if {"run.started", "data.sealed", "look.opened"} & names else "locked"


def stood_effects(root: Path, plan: SynthesisPlan) -> list[LockedEffect]:
    """What stands of every effect now.

    Raises
    ------
    BadInput
        A study is not locked here, has no such hypothesis, or two effects rest on the same runs.
    """
    states = {name: _state(root, name) for name in plan.studies}
    faults = [fault for effect in plan.effect for fault in _effect_faults(effect, states[effect.study])]
    if not faults:
        faults = list(_shared_runs(plan, states))
    if faults:
        raise BadInput("these effects cannot be pooled", *faults, then="edit the plan, and type this again")
    found = []
    for effect in plan.effect:
        state = states[effect.study]
        if state is None:  # a fault, said above
            continue
        found.append(
            LockedEffect(
                name=effect.name,
                study=effect.study,
                hypothesis=effect.hypothesis,
                lock_id=sha256_regular(lock_paths(state.paths)[-1]),
                ledger_lines=len(state.events),
                ledger_head=state.events[-1].sha256,
                was_looked_at=was_looked_at(state.plan, state.events),
            )
        )
    return found


def was_looked_at(plan: Plan, events: Sequence[Event]) -> bool:
    """Whether a study's results may have been known: somebody had looked, or they were published before its plan."""
    return plan.study.exposure == "published" or any(event.name == "look.opened" for event in events)


def _state(root: Path, name: str) -> StudyState | None:
    return read_state(StudyPaths(root=root, name=name))


def _effect_faults(effect: Effect, state: StudyState | None) -> Iterator[Finding]:
    where = f"effect {effect.name}"
    if state is None:
        yield Finding(where=where, found=f"{effect.study}: no lock", promised="a locked study of this repository")
        return
    units = {identity: hypothesis.unit for identity, hypothesis, _ in state.plan.expanded()}
    if effect.hypothesis not in units:
        promised = f"one of {', '.join(units)}"
        yield Finding(where=where, found=f"{effect.study} has no {effect.hypothesis}", promised=promised)
    elif units[effect.hypothesis] != "seed":
        found = f"{effect.hypothesis} has standard errors over: {units[effect.hypothesis]}"
        yield Finding(where=where, found=found, promised="the seed as the unit of replication")


def _shared_runs(plan: SynthesisPlan, states: Mapping[str, StudyState | None]) -> Iterator[Finding]:
    """Two effects that rest on the same runs are not independent, as a synthesis takes them to be."""
    seen: dict[str, str] = {}
    for effect in plan.effect:
        state = states[effect.study]
        for label, run in {} if state is None else _runs_of(state, effect.hypothesis).items():
            other = seen.setdefault(run, effect.name)
            if other != effect.name:
                found = f"rests on runs of effect {other}, {label} among them"
                yield Finding(where=f"effect {effect.name}", found=found, promised="effects on runs of their own")
                break


def _runs_of(state: StudyState, identity: str) -> dict[str, str]:
    """Labels of the runs that a hypothesis rests on, and what tells each from the runs of other studies.

    A run that is made here is the same in every study that trains it alike; one that was made elsewhere is its
    study's own as far as a lock can know (its sealed data are compared when they are pooled).
    """
    plan = state.plan
    hypothesis, extra = next((h, extra) for name, h, extra in plan.expanded() if name == identity)
    where = {key: listed(wanted) for key, wanted in {**hypothesis.where, **extra}.items()}
    levels = {level for level, weight in (hypothesis.contrast or {}).items() if weight}

    def is_meant(run: PlannedRun) -> bool:
        if run.arm == BASELINE_ARM and BASELINE_ARM not in levels:
            return False
        if not all(run.factor(f) in wanted for f, wanted in where.items() if run.has(f)):
            return False
        return not (levels and run.has(hypothesis.over)) or run.factor(hypothesis.over) in levels

    def own_id(run: PlannedRun) -> str:
        is_made_here = run.arm == BASELINE_ARM or (run.arm in plan.arms and plan.arms[run.arm].stages)
        if plan.import_ is None and is_made_here:
            return state.run_ids[run.model, run.arm, run.seed]
        return f"{state.paths.name}: {run.label}"

    return {run.label: own_id(run) for run in plan.runs() if is_meant(run)}


def require_synthesis(paths: SynthesisPaths, *, only_reading: bool = False) -> LockedSynthesisPlan:
    """Check plan, code, lock chain and ledger; only then hand out the plan.

    Raises
    ------
    OutOfOrder
        It is not locked yet, or was withdrawn.
    LockedFileChanged
        With one finding for every file that is not as promised.
    """
    files = lock_paths(paths)
    if not files:
        raise OutOfOrder(f"{paths.name} has no locked plan", then=f"seedlock lock {paths.name}")
    locks, events = tuple(map(read_lock, files)), tuple(read_ledger(paths.ledger))
    if not only_reading and was_withdrawn(event.name for event in events):
        raise OutOfOrder(f"{paths.name} was withdrawn", then=f"seedlock verify {paths.name}")
    lock_id = sha256_regular(files[-1])
    code = [] if only_reading and is_reported(events, lock_id) else code_faults(locks[-1])
    if faults := [*chain_faults(files, locks, events), *synthesis_faults(locks[-1], paths), *code]:
        raise LockedFileChanged(
            f"{paths.name} no longer matches {paths.relative(files[-1])}",
            *faults[:20],
            then=f"restore the files,  or  seedlock amend {paths.name} --reason design-change --note 'what changed'",
        )
    return LockedSynthesisPlan(paths=paths, locks=locks, events=events, lock_id=lock_id, plan=recorded(locks[-1]))


def recorded(lock: Lock) -> SynthesisPlan:
    """The plan as the lock recorded it.

    Raises
    ------
    BadInput
        This version no longer reads it.
    """
    try:
        return SynthesisPlan.model_validate_json(canonical_json(lock.plan.parsed))
    except ValidationError as error:
        fault = Finding(where="plan.parsed", found=str(error.errors()[0]["msg"]), promised=f"tool {lock.tool_version}")
        raise BadInput(f"the plan in lock {lock.n} of {lock.study} is not one this version reads", fault) from None


def synthesis_faults(lock: Lock, paths: SynthesisPaths) -> list[Finding]:
    """The plan's bytes, what they say, and files that appeared beside it."""
    faults = list(iter_changes(lock.files, paths.root))
    promised = {file.path for file in lock.files}
    here = {paths.relative(path) for path in study_files(paths)}
    faults += [
        Finding(where=path, found="an extra file", promised="only the locked files in this folder")
        for path in sorted(here - promised)
    ]
    if found_at(paths.plan) == f"sha256 {lock.plan.raw_sha256}":
        now = read_synthesis(paths.plan).model_dump(mode="json")
        if now != lock.plan.parsed:
            fault = Finding(where="plan.parsed", found="another plan", promised="what the locked bytes say")
            faults.append(fault)
    return faults
