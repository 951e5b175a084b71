"""Walk the chain lock -> files -> ledger -> data -> results -> report, and say of every link whether it holds.

Read-only, offline and quick: nothing heavier than pydantic is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import canonical_json, read_json, sha256_bytes
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import found_at, read_regular, read_regular_text, sha256_regular
from seedlock.prereg.errors import BadInput, Finding, LedgerBroken, SeedlockError, UnreadableFile
from seedlock.prereg.lock.document import Lock, load_locked_plan, lock_paths, read_lock
from seedlock.prereg.lock.due_runs import look_reached, missing_runs
from seedlock.prereg.lock.events import was_withdrawn
from seedlock.prereg.lock.gate import chain_faults, deviations, is_reported, plan_faults, status_of
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.lock import coreutils_lines
from seedlock.prereg.lock.looks import looks_used, unseen_looks
from seedlock.prereg.lock.original import original_faults
from seedlock.prereg.lock.superseded import superseded
from seedlock.prereg.verify.checks import Check, Verification, failed, not_checked, verdict
from seedlock.prereg.verify.code import code_check
from seedlock.prereg.verify.counts import runs_check
from seedlock.prereg.verify.data_age import data_age_check
from seedlock.prereg.verify.derived import derived_check
from seedlock.prereg.verify.evidence import level_reached, weigh_evidence
from seedlock.prereg.verify.history import history_checks
from seedlock.prereg.verify.manifest import manifest_checks
from seedlock.prereg.verify.meaning import meaning_check
from seedlock.prereg.verify.number_binding import check_markdown, check_page
from seedlock.prereg.verify.order import order_check
from seedlock.prereg.verify.pages import read_pages
from seedlock.prereg.verify.trust import Trust

UNFORESEEN = "S1"
SPEAKS_OF_ALL = "the report covers everything in the ledger"
NOTHING_BROUGHT = Trust()
CANNOT_KNOW = (
    "runs or looks that were made outside this tool and never entered in the ledger",
    "a history that was wiped and begun again before anyone else had a copy",
    "runs made earlier and entered later: a beacon dates the ledger's lines, not the weights",
    "whether the times in lock, ledger and commits are true: their author's clock asserts them",
)


def verify_study(
    paths: StudyPaths,
    *,
    trust: Trust = NOTHING_BROUGHT,
    recount: Callable[[StudyPaths], Check] | None = None,
    reading: Callable[[StudyPaths], Iterator[Check]] | None = None,
    replay: Callable[[StudyPaths], Check] | None = None,
) -> Verification:
    """Check every link of one study; no link is skipped because an earlier one broke, where it can be read at all.

    Parameters
    ----------
    trust
        What the reviewer brings from outside: whose signatures and stamps count.
    recount
        Counts the rows of the sealed files, which takes a reader of Parquet; left out without it.
    reading
        Reads the published report against its results, and builds it again, by the analysis's own rules; left out
        without it.
    replay
        Runs the analysis again.
    """
    try:
        return _verify(paths, trust, recount, reading, replay)
    except (TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        # Something of the repository has a shape that no reader foresaw: that is a link which does not hold.
        found = Finding(where=f"study {paths.name}", found=f"{type(error).__name__}: {error}"[:200], promised="a study")
        broken = verdict(UNFORESEEN, "lock", "every file has a shape that can be read", [found], exit_code=3)
        return verification(paths, None, None, [broken], level=None)


def _verify(
    paths: StudyPaths,
    trust: Trust,
    recount: Callable[[StudyPaths], Check] | None,
    reading: Callable[[StudyPaths], Iterator[Check]] | None,
    replay: Callable[[StudyPaths], Check] | None,
) -> Verification:
    files = lock_paths(paths)
    if not files and paths.ledger.exists():
        fault = Finding(where=f"lockfiles/{paths.name}", found="no lock", promised="the lock that the ledger names")
        return verification(
            paths, None, None, [verdict("L1", "lock", "the lock is there", [fault], exit_code=3)], level=None
        )
    elsewhere = [] if files else history_checks(paths, ())
    if not files and elsewhere[1].state == "fail":
        return verification(paths, None, None, elsewhere, level=None)
    if not files:
        absent = not_checked("L1", "lock", "the study is locked", "no lock yet", f"seedlock lock {paths.name}")
        unnamed = [check for check in [unnamed_check(paths)] if check.state == "fail"]
        told = [check for check in elsewhere if check.state == "warn"]
        return verification(paths, None, None, [absent, *unnamed, *told], level=None)
    try:
        locks = tuple(read_lock(file) for file in files)
    except SeedlockError as error:
        return verification(paths, None, None, [failed("L1", "lock", error)], level=None)
    lock, lock_file = locks[-1], files[-1]
    lock_id = sha256_regular(lock_file)
    events, ledger_check = ledger_check_of(paths)
    if ledger_check.state == "fail":
        what = "everything that the ledger vouches for"
        rest = not_checked("G2", "ledger", what, "the ledger is broken", "mend the ledger first")
        return verification(
            paths, lock_id, None, [*_plan(paths, lock), ledger_check, rest, *history_checks(paths, ())], level=None
        )
    ended = was_withdrawn(event.name for event in events)
    evidence = weigh_evidence(lock_file, lock_id, paths, events, trust)
    again = replay(paths) if replay else _no_replay()
    checks = [
        verdict("L1", "lock", "every lock is canonical JSON", (), exit_code=3),
        *lock_checks(paths, files, locks, events),
        derived_check(paths, locks, events),
        *_plan(paths, lock),
        *_original(paths, lock),
        _simulation(paths, lock),
        code_check(lock, paths, has_report=is_reported(events, lock_id), is_replayed=again.state in {"pass", "warn"}),
        ledger_check,
        order_check(events, locks),
        *history_checks(paths, events),
        *(_gone(paths) if ended and not paths.report.exists() else _outcome(paths, events, locks, files, reading)),
        *(() if recount is None else (recount(paths),)),
        *evidence.checks,
        again,
    ]
    status = "withdrawn" if ended else status_of(locks, tuple(events), load_locked_plan(lock))
    return verification(paths, lock_id, status, checks, level=level_reached(checks), facts=evidence.facts)


def _gone(paths: StudyPaths) -> Iterator[Check]:
    """A registration that was ended, and whose report was taken away with it."""
    what = "data and report are the ones the ledger recorded"
    then = f"git log --all -- reports/{paths.name}"
    yield not_checked("D1", "data", what, "withdrawn, and no longer here", then)


def _outcome(
    paths: StudyPaths,
    events: list[Event],
    locks: tuple[Lock, ...],
    files: list[Path],
    reading: Callable[[StudyPaths], Iterator[Check]] | None,
) -> Iterator[Check]:
    yield from _data(paths, events, locks)
    lock_ids = [sha256_regular(file) for file in files]
    yield from _report(paths, events, locks, lock_ids)
    if reading and is_reported(events, lock_ids[-1]):
        yield from reading(paths)


def _no_replay() -> Check:
    return not_checked("X1", "replay", "the analysis gives the same numbers again", "not asked for", "--replay")


def verification(
    paths: StudyPaths,
    lock_id: str | None,
    status: str | None,
    checks: list[Check],
    *,
    level: int | None,
    facts: tuple[str, ...] = (),
) -> Verification:
    """Everything that was found, with what no tool can know."""
    return Verification(
        study=paths.name,
        lock_id=lock_id,
        status=status,
        checks=tuple(checks),
        level=level,
        facts=facts,
        cannot_know=CANNOT_KNOW,
    )


def ledger_check_of(paths: StudyPaths) -> tuple[list[Event], Check]:
    """The ledger's events, and G1: its chain holds."""
    try:
        events = read_ledger(paths.ledger)
    except LedgerBroken as error:
        return [], failed("G1", "ledger", error)
    what = f"the ledger's chain holds ({len(events)} events)"
    return events, verdict("G1", "ledger", what, (), exit_code=4)


def lock_checks(paths: StudyPaths, files: list[Path], locks: tuple[Lock, ...], events: list[Event]) -> Iterator[Check]:
    """L2 and L3: locks and ledger name each other, and each listing lists what its lock pins."""
    what = "each lock names the one before, and the ledger names each by its digest"
    yield verdict("L2", "lock", what, chain_faults(files, locks, tuple(events)), exit_code=3)
    faults = []
    for file, lock in zip(files, locks, strict=True):
        listing = file.with_suffix(".sha256")
        promised = coreutils_lines(lock, file, paths, sha256_regular(file))
        faults += _differs(listing, f"sha256 {sha256_bytes(promised)}", paths)
    yield verdict("L3", "lock", "the .sha256 beside each lock lists exactly what it pins", faults, exit_code=3)


def _plan(paths: StudyPaths, lock: Lock) -> Iterator[Check]:
    faults = plan_faults(lock, paths)
    yield verdict("P1", "plan", "plan, items and every locked file have the promised bytes", faults, exit_code=3)
    yield meaning_check(paths, lock, is_changed=any(fault.where == lock.plan.path for fault in faults))


def _original(paths: StudyPaths, lock: Lock) -> Iterator[Check]:
    """P4, of a replication: the original is the one that the plan names, and no seed of it was used again."""
    try:
        plan = load_locked_plan(lock)
        if plan.original is None and lock.replication is None:
            return
        faults = list(original_faults(plan, paths))
    except BadInput as error:
        faults = list(error.findings)
    what = "the original's lock and results are those that the plan names, and no seed is one of its own"
    yield verdict("P4", "plan", what, faults, exit_code=3)


def _simulation(paths: StudyPaths, lock: Lock) -> Check:
    """What the authors knew of their design when they locked it."""
    what = "the design's simulation is the one the lock recorded"
    promised = lock.design.simulation_sha256
    if promised is None:
        reason = lock.design.simulation_absent or "no simulation"
        return not_checked("P3", "plan", what, reason)
    file = paths.locks / "simulation.json"
    if not os.path.lexists(file):
        gone = Finding(where=paths.relative(file), found="missing", promised=f"sha256 {promised}")
        return verdict("P3", "plan", what, [gone], exit_code=6)
    return verdict("P3", "plan", what, _differs(file, f"sha256 {promised}", paths), exit_code=3)


def _differs(file: Path, promised: str, paths: StudyPaths, by: str = "") -> list[Finding]:
    """A finding where the bytes at `file` are not the promised ones, or cannot be had."""
    found = found_at(file)
    return [] if found == promised else [Finding(where=paths.relative(file), found=found, promised=promised + by)]


def _data(paths: StudyPaths, events: list[Event], locks: tuple[Lock, ...]) -> Iterator[Check]:
    yield from seal_checks(paths, events)
    sealed = [event for event in events if event.name == "data.sealed"]
    if sealed:
        yield runs_check(sealed, locks[-1], paths, look_reached(events))
        yield data_age_check(sealed, locks, paths)


def seal_checks(paths: StudyPaths, events: list[Event]) -> Iterator[Check]:
    """D1 and D2: every sealed file is there, with the digest that the ledger recorded."""
    sealed = [event for event in events if event.name == "data.sealed"]
    what = f"sealed data have the digests the ledger recorded ({len(sealed)} files)"
    if not sealed:
        yield not_checked("D1", "data", "sealed data have the digests the ledger recorded", "nothing sealed yet")
        return
    changed, gone = [], []
    for event in sealed:
        file, promised = str(event.body["file"]), str(event.body["sha256"])
        copies = [path for path in paths.seal_places(file) if os.path.lexists(path)]
        if not copies:
            gone.append(Finding(where=file, found="no such file", promised=f"sha256 {promised}"))
        for path in copies:
            changed += _differs(path, f"sha256 {promised}", paths, by=" (ledger)")
    yield verdict("D1", "data", what, changed, exit_code=3)
    yield verdict("D2", "data", "every sealed file is there", gone, exit_code=6)


def _report(paths: StudyPaths, events: list[Event], locks: tuple[Lock, ...], lock_ids: list[str]) -> Iterator[Check]:
    """The newest report, whichever lock it was made under."""
    built = [event for event in events if event.name == "report.built" and event.body["lock_id"] in lock_ids]
    if not built:
        yield unnamed_check(paths)
        return
    n = lock_ids.index(str(built[-1].body["lock_id"])) + 1
    yield from manifest_checks(paths, built[-1])
    results_file = paths.report / "results.json"
    try:
        written = read_regular(results_file)
        results: Any = read_json(written)
        if locks[n - 1].version > 1 and written.rstrip(b"\n") != canonical_json(results):
            raise ValueError("not the canonical spelling that seedlock analyze writes")
    except (UnreadableFile, ValueError) as error:
        fault = Finding(where=paths.relative(results_file), found=str(error), promised="results.json")
        yield verdict("R3", "results", "results.json is readable", [fault], exit_code=3)
        return
    until = [event for event in events if event.n < built[-1].n]
    yield _results(results, until, locks[n - 1], locks[:n], lock_ids[n - 1])
    yield since_check(events, built[-1]) if n == len(locks) else _amended(paths, n)
    yield _binding(paths, results)


def unnamed_check(paths: StudyPaths) -> Check:
    """Pages and numbers that stand where a report stands, and that no line of the ledger vouches for."""
    what, folder = "the report is what was built", paths.report
    here = (
        sorted(path.name for path in folder.iterdir())
        if folder.is_dir()
        else [folder.name]
        if os.path.lexists(folder)
        else []
    )
    promised = "a report that the ledger names (report.built)"
    faults = [
        Finding(where=f"{paths.relative(folder)}/{name}", found="a report that no ledger line names", promised=promised)
        for name in here
        if name != "data"
    ]
    if faults:
        return verdict("R1", "report", what, faults, exit_code=7)
    return not_checked("R1", "report", what, "no report yet", f"seedlock analyze {paths.name}")


def _amended(paths: StudyPaths, n: int) -> Check:
    """A report made before the plan was amended says nothing of what came then."""
    reason = f"it was made under lock {n}, and the plan was amended since"
    return not_checked("R5", "report", SPEAKS_OF_ALL, reason, f"seedlock analyze {paths.name}")


def since_check(events: list[Event], built: Event) -> Check:
    """What happened after the report: data, looks and departures that it cannot speak of."""
    later = {"data.sealed", "look.opened", "deviation.declared", "run.finished", "run.failed"}
    unseen = unseen_looks(events)
    faults = tuple(
        Finding(where=f"ledger line {event.n}", found=event.name, promised="nothing new since the report")
        for event in events
        if event.n > built.n and (event.name in later or "held" in event.body) and event.n not in unseen
    )
    return verdict("R5", "report", SPEAKS_OF_ALL, faults, exit_code=7)


def _results(results: Any, events: list[Event], lock: Lock, locks: tuple[Lock, ...], lock_id: str) -> Check:
    plan = load_locked_plan(lock)
    sealed = [event for event in events if event.name == "data.sealed"]
    replaced = superseded(sealed)
    promised = {
        "study": lock.study,
        "lock_id": lock_id,
        "status": status_of(locks, tuple(events), plan),
        "deviations": [d.pointer for d in deviations(tuple(events))],
        "inputs": sorted(str(e.body["sha256"]) for e in sealed if e.body["file"] not in replaced),
        "runs missing": missing_runs(sealed, lock),
        "hypotheses": [identity for identity, _, _ in plan.expanded()],
        "claims": [claim.id for claim in plan.claim],
        "looks": looks_used(events),
    }
    try:
        found = {
            "study": results["study"],
            "lock_id": results["lock_id"],
            "status": results["status"],
            "deviations": [d["pointer"] for d in results["deviations"]],
            "inputs": sorted(i["sha256"] for i in results["inputs"]),
            "runs missing": results["accounting"]["runs_missing"],
            "hypotheses": [h["id"] for h in results["hypotheses"]],
            "claims": [c["id"] for c in results["claims"]],
            "looks": results["accounting"]["looks_used"],
        }
    except (KeyError, TypeError) as error:
        fault = Finding(where="results.json", found=f"no {error}", promised="the fields of the results contract")
        return verdict("R3", "results", "results.json has its fields", [fault], exit_code=3)
    faults = [
        Finding(where=f"results.json {key}", found=str(found[key])[:200], promised=str(promised[key])[:200])
        for key in promised
        if found[key] != promised[key]
    ]
    what = "results name this lock, its status, data, deviations, looks and every hypothesis planned"
    return verdict("R3", "results", what, faults, exit_code=7)


def _binding(paths: StudyPaths, results: Any) -> Check:
    faults: list[Finding] = []
    try:
        pages = read_pages(paths.report)
        for name, page in pages.items():
            faults += check_page(page, results, name)
        faults += check_markdown(read_regular_text(paths.report / "report.md"), *pages.values())
    except UnreadableFile as error:
        faults += error.findings
    what = "every number the report prints is the one in results.json"
    return verdict("R4", "report", what, faults, exit_code=3)
