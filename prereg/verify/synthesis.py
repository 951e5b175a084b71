"""Verify a synthesis: its own chain, and that what it pools and counts is what the ledgers of the studies say."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from seedlock.prereg.base.canonical import Sha256
from seedlock.prereg.base.paths import StudyPaths, SynthesisPaths
from seedlock.prereg.base.reading import sha256_regular
from seedlock.prereg.errors import Finding, SeedlockError
from seedlock.prereg.lock.document import Lock, LockedEffect, load_locked_plan, lock_paths, read_lock
from seedlock.prereg.lock.events import was_withdrawn
from seedlock.prereg.lock.gate import differences, is_reported
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.synthesis import events_until, exposure_of, recorded, synthesis_faults, was_looked_at
from seedlock.prereg.verify.chain import (
    NOTHING_BROUGHT,
    ledger_check_of,
    lock_checks,
    seal_checks,
    since_check,
    unnamed_check,
    verification,
)
from seedlock.prereg.verify.checks import Check, Verification, failed, not_checked, verdict
from seedlock.prereg.verify.code import code_check
from seedlock.prereg.verify.evidence import level_reached, weigh_evidence
from seedlock.prereg.verify.history import history_checks
from seedlock.prereg.verify.manifest import manifest_checks
from seedlock.prereg.verify.order import order_check
from seedlock.prereg.verify.trust import Trust

STOOD = "what was known of each study at the lock is what stands in its ledger"
NAMED = "the pooled results are those that the ledgers of their studies name"


def verify_synthesis(
    paths: SynthesisPaths, *, trust: Trust = NOTHING_BROUGHT, again: Callable[[SynthesisPaths], Check] | None = None
) -> Verification:
    """Check every link of one synthesis.

    Parameters
    ----------
    trust
        What the reviewer brings from outside.
    again
        Pools the sealed results again; left out without it.
    """
    files = lock_paths(paths)
    if not files:
        absent = not_checked("L1", "lock", "the synthesis is locked", "no lock yet", f"seedlock lock {paths.name}")
        found = [absent, *history_checks(paths, ())] if paths.ledger.exists() else [absent]
        return verification(paths, None, None, found, level=None)
    try:
        locks = tuple(read_lock(file) for file in files)
        events, ledger_check = ledger_check_of(paths)
        checks = list(_checks(paths, locks, events, ledger_check))
    except (SeedlockError, TypeError, KeyError, AttributeError) as error:
        known = error if isinstance(error, SeedlockError) else SeedlockError(f"{type(error).__name__}: {error}"[:200])
        broken = failed("L1", "lock", known)
        return verification(paths, None, None, [broken], level=None)
    lock_id = sha256_regular(files[-1])
    if ledger_check.state == "fail":
        return verification(paths, lock_id, None, checks, level=None)
    evidence = weigh_evidence(files[-1], lock_id, paths, events, trust)
    replay = [] if again is None or not is_reported(events, lock_id) else [again(paths)]
    every = [*checks, *evidence.checks, *replay]
    status = "withdrawn" if was_withdrawn(e.name for e in events) else _status(locks, events)
    return verification(paths, lock_id, status, every, level=level_reached(every), facts=evidence.facts)


def _status(locks: tuple[Lock, ...], events: list[Event]) -> str:
    """By its own locks and ledger; studies that were amended since lower it further, on its page."""
    if any(lock.exposure.is_retrospective for lock in locks):
        return "retrospective"
    late = any(event.name == "plan.amended" and event.body["data_seen"] != "none" for event in events)
    return "deviated" if late else "confirmatory"


def _checks(
    paths: SynthesisPaths, locks: tuple[Lock, ...], events: list[Event], ledger_check: Check
) -> Iterator[Check]:
    lock = locks[-1]
    yield verdict("L1", "lock", "every lock is canonical JSON", (), exit_code=3)
    yield from lock_checks(paths, lock_paths(paths), locks, events)
    stood = [fault for one in locks for fault in _stood_faults(paths, one, events)]
    yield verdict("L4", "lock", STOOD, stood, exit_code=3)
    what = "the plan has the promised bytes, and parses to the recorded one"
    yield verdict("P1", "plan", what, synthesis_faults(lock, paths), exit_code=3)
    yield code_check(lock, paths, has_report=is_reported(events, sha256_regular(lock_paths(paths)[-1])))
    yield ledger_check
    if ledger_check.state == "fail":
        return
    yield order_check(events)
    yield from history_checks(paths, events)
    yield from seal_checks(paths, events)
    built = [event for event in events if event.name == "report.built"]
    if not built:
        yield unnamed_check(paths)
        return
    yield verdict("D3", "data", NAMED, _named_faults(paths, lock, events), exit_code=3)
    yield from manifest_checks(paths, built[-1])
    yield since_check(events, built[-1])


def _stood_faults(paths: SynthesisPaths, lock: Lock, events: list[Event]) -> Iterator[Finding]:
    """What a lock says of its effects, against the ledgers up to the lines that it names."""
    where = f"lock-{lock.n:04d}.json"
    if lock.synthesis is None:
        yield Finding(where=where, found="the lock of a study", promised="that of a synthesis")
        return
    plan = recorded(lock)
    said = [(effect.name, effect.study, effect.hypothesis) for effect in lock.synthesis.effects]
    if said != [(effect.name, effect.study, effect.hypothesis) for effect in plan.effect]:
        yield Finding(where=f"{where} synthesis.effects", found="other effects", promised="those of the plan")
    for effect in lock.synthesis.effects:
        yield from _effect_faults(paths, effect, where)
    own = next((e for e in events if e.body.get("lock") == where), None)
    before = [event for event in events if own is not None and event.n < own.n]
    derived = exposure_of(lock.synthesis.effects, before).model_dump(mode="json")
    for key, found, promised in differences(lock.exposure.model_dump(mode="json"), derived, "exposure"):
        yield Finding(where=f"{where} {key}", found=found, promised=f"{promised} (derived)")
    named = {one.study for one in lock.synthesis.registered}
    for study in sorted({effect.study for effect in lock.synthesis.effects} - named):
        yield Finding(where=f"{where} synthesis.registered", found=f"no {study}", promised="every locked study")


def _effect_faults(paths: SynthesisPaths, effect: LockedEffect, where: str) -> Iterator[Finding]:
    study = StudyPaths(root=paths.root, name=effect.study)
    at = f"{where} effect {effect.name}"
    try:
        until = events_until(paths.root, effect.study, effect.ledger_head)
        files = {sha256_regular(file): file for file in lock_paths(study)}
    except SeedlockError as error:
        yield Finding(where=at, found=error.what, promised="the ledger that was read")
        return
    if effect.lock_id not in files:
        yield Finding(where=at, found=f"no lock {effect.lock_id}", promised=f"a lock of {effect.study}")
        return
    locked = [str(e.body["lock_id"]) for e in until if e.name in {"plan.locked", "plan.amended"}]
    if locked[-1:] != [effect.lock_id] or len(until) != effect.ledger_lines:
        promised = f"lock {locked[-1] if locked else 'none'}, line {len(until)}"
        yield Finding(where=at, found=f"lock {effect.lock_id}, line {effect.ledger_lines}", promised=promised)
    looked = was_looked_at(load_locked_plan(read_lock(files[effect.lock_id])), until)
    if looked != effect.was_looked_at:
        yield Finding(where=at, found=f"looked at: {effect.was_looked_at}", promised=f"{looked} (its ledger)")


def _named_faults(paths: SynthesisPaths, lock: Lock, events: list[Event]) -> Iterator[Finding]:
    """Sealed results that no `report.built` of their study names."""
    studies = [] if lock.synthesis is None else [effect.study for effect in lock.synthesis.effects]
    promised: set[Sha256] = set()
    for name in dict.fromkeys(studies):
        try:
            of_study = read_ledger(StudyPaths(root=paths.root, name=name).ledger)
        except SeedlockError as error:
            yield Finding(where=name, found=error.what, promised="its ledger")
            continue
        promised |= {str(event.body["results_sha256"]) for event in of_study if event.name == "report.built"}
    for event in events:
        if event.name == "data.sealed" and event.body["sha256"] not in promised:
            found = f"{event.body['file']}: in no ledger"
            yield Finding(where=f"ledger line {event.n}", found=found, promised="results that a study's ledger names")
