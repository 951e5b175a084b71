"""Who and when: signatures, published history, timestamps, public randomness, replays by others; all optional.

Each is a fact of its own, and together they make the ladder T1 to T5. None of it is home-made, and what the repository
says of itself raises nothing: whose signatures and stamps count comes from the reviewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import Sha256
from seedlock.prereg.base.git_view import why_not
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import read_regular, sha256_regular
from seedlock.prereg.errors import BadInput, BadSignature, EvidenceAbsent, Finding, SeedlockError, UnreadableFile
from seedlock.prereg.lock.beacon import BeaconRefused, beacon_time
from seedlock.prereg.lock.document import lock_paths
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.verify.checks import LEVELS, Check, not_checked, verdict
from seedlock.prereg.verify.signatures import Signer, signature_of, signer_of
from seedlock.prereg.verify.stamps import Stamp, has_stamp, stamps_of
from seedlock.prereg.verify.statements import ledger_statements, replay_statements
from seedlock.prereg.verify.trust import Trust

MAX_REFS = 200
SIGNED = "the lock is signed by someone the reviewer allows"
PUBLISHED = "the lock stands in published git history"
STAMPED = "a third party saw the lock before there were data"
NOT_BEFORE = "public randomness shows that no run is older than the lock's timestamp"
REPLAYED = "someone else replayed the analysis and signed for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One check for each level above self-consistency, and every fact by itself."""

    checks: tuple[Check, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What every kind of evidence is asked about."""

    paths: StudyPaths
    lock_file: Path
    lock_line: int
    events: Sequence[Event]
    trust: Trust

    @property
    def first_data(self) -> Event | None:
        """The first line that speaks of data or of a run."""
        return next((event for event in self.events if event.name in {"run.started", "data.sealed"}), None)


def weigh_evidence(
    lock_file: Path, lock_id: Sha256, paths: StudyPaths, events: Sequence[Event], trust: Trust
) -> Evidence:
    """Everything that shows who and when, for the lock and for the ledger after it."""
    line = next((event.n for event in events if event.body.get("lock_id") == lock_id), len(events))
    case = _Case(paths=paths, lock_file=lock_file, lock_line=line, events=events, trust=trust)
    facts: list[str] = []
    signer, signed = _signature(case, facts)
    stamp, stamped = _timestamp(case, facts)
    checks = (signed, _published(case, facts), stamped, _not_before(case, stamp, facts), _replayed(case, signer, facts))
    return Evidence(checks=checks, facts=tuple(facts))


def _signature(case: _Case, facts: list[str]) -> tuple[Signer | None, Check]:
    study = case.paths.name
    if not signature_of(case.lock_file).exists():
        return None, not_checked("E1", "evidence", SIGNED, "no signature", f"seedlock sign {study} --key KEY")
    try:
        signer = signer_of(case.lock_file, "lock", case.trust.signers)
    except (BadSignature, UnreadableFile) as error:
        return None, verdict("E1", "evidence", SIGNED, error.findings, exit_code=8)
    facts.append(f"{case.lock_file.name} is signed by {signer}")
    if case.trust.signers is None:
        own = "--allowed-signers" in case.trust.inside or (case.paths.root / "lockfiles" / "allowed_signers").exists()
        reason = "the repository's own list of signers counts for nothing" if own else "no list of signers of yours"
        return signer, not_checked("E1", "evidence", f"{SIGNED} (key: {signer})", reason, "--allowed-signers FILE")
    return signer, verdict("E1", "evidence", f"the lock is signed by {signer}", (), exit_code=8)


def _published(case: _Case, facts: list[str]) -> Check:
    """How much of lock and ledger the remote-tracking branches hold: what others may have a copy of."""
    root, relative = case.paths.root, case.paths.relative
    tips = git.remote_tips(root)[:MAX_REFS]
    if not tips:
        reason = why_not(root) or "no remote branch is known here"
        return not_checked("E2", "evidence", PUBLISHED, reason, "git push")
    ledger, lock = read_regular(case.paths.ledger), read_regular(case.lock_file)
    names = [f"{tip}:{relative(file)}" for _, tip in tips for file in (case.paths.ledger, case.lock_file)]
    found = git.objects(root, names)
    best, where = 0, ""
    for ref, tip in tips:
        there = found.get(f"{tip}:{relative(case.paths.ledger)}", b"")
        if found.get(f"{tip}:{relative(case.lock_file)}") == lock and ledger.startswith(there):
            lines = there.count(b"\n")
            best, where = (lines, ref) if lines > best else (best, where)
    if best < case.lock_line:
        return not_checked("E2", "evidence", PUBLISHED, "no remote branch holds this lock", "git push")
    told = f"the lock and ledger lines 1 to {best} of {len(case.events)} stand in {where}"
    facts.append(f"published: {told}")
    return verdict("E2", "evidence", told, (), exit_code=3)


def _timestamp(case: _Case, facts: list[str]) -> tuple[Stamp | None, Check]:
    """The earliest timestamp of lock or ledger that precedes the data, by line and by its own time."""
    try:
        statements, strange = ledger_statements(case.paths, case.events)
        documents = [(case.lock_file, case.lock_line), *((one.file, one.line) for one in statements)]
        for statement in statements:
            if signer := signer_of(statement.file, "ledger", case.trust.signers):
                facts.append(f"ledger lines 1 to {statement.line} are signed by {signer}")
        stamps = [
            stamp
            for document, line in documents
            for stamp in stamps_of(document, line, case.trust.authorities, case.trust.beacons)
        ]
    except (BadSignature, UnreadableFile) as error:
        return None, verdict("E3", "evidence", STAMPED, error.findings, exit_code=8)
    if strange:
        return None, verdict("E3", "evidence", STAMPED, strange, exit_code=8)
    facts += [f"{_told(stamp)}, {_precedes(stamp, case.events)}" for stamp in stamps]
    early = [stamp for stamp in stamps if _is_before_data(stamp, case)]
    if early:
        first = min(early, key=lambda stamp: stamp.at)
        return first, verdict("E3", "evidence", f"{_told(first)}, {_precedes(first, case.events)}", (), exit_code=8)
    if stamps:
        data = case.first_data
        late = Finding(
            where=stamps[0].file.name,
            found=_told(stamps[0]),
            promised=f"a time before the first data (ledger line {data.n}, {data.at})" if data else "the lock's line",
        )
        what = f"{STAMPED}: not this one, which leaves open what came first"
        return None, Check(id="E3", link="evidence", state="warn", what=what, findings=(late,))
    if any(has_stamp(document) for document, _ in documents):
        return None, not_checked(
            "E3", "evidence", STAMPED, _unchecked_stamp(case), "--tsa-ca FILE  or  --bitcoin-headers FILE"
        )
    return None, not_checked("E3", "evidence", STAMPED, "no timestamp", f"seedlock stamp {case.paths.name}")


def _unchecked_stamp(case: _Case) -> str:
    if {"--tsa-ca", "--bitcoin-headers"} & case.trust.inside:
        return "certificates of the repository's own count for nothing"
    if case.trust.beacons.headers and find_spec("opentimestamps") is None:
        return "opentimestamps is not installed (pip install 'seedlock[evidence]')"
    return "a timestamp, and nothing of yours that it leads to"


def _told(stamp: Stamp) -> str:
    moment = f"{stamp.at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{stamp.by} saw ledger lines 1 to {stamp.line} at {moment} or before ({stamp.file.name})"


def _is_before_data(stamp: Stamp, case: _Case) -> bool:
    data = case.first_data
    is_of_lock = stamp.line >= case.lock_line
    return is_of_lock and (data is None or (stamp.line < data.n and stamp.at <= datetime.fromisoformat(data.at)))


def _precedes(stamp: Stamp, events: Sequence[Event]) -> str:
    """What a stamp comes before, by its own time against the times that the ledger asserts."""
    kinds = {
        "run.started": "the first run",
        "data.sealed": "the first data",
        "look.opened": "the first look",
        "report.built": "the report",
    }
    firsts: dict[str, Event] = {}
    for event in events:
        if event.name in kinds:
            firsts.setdefault(event.name, event)
    after = [
        f"{kinds[name]} (line {event.n})"
        for name, event in firsts.items()
        if stamp.line < event.n and stamp.at <= datetime.fromisoformat(event.at)
    ]
    return f"before {after[0]}" if after else "after all that is in the ledger" if firsts else "before any run or data"


def _not_before(case: _Case, stamp: Stamp | None, facts: list[str]) -> Check:
    beacons = [event for event in case.events if event.name == "beacon.recorded"]
    if not beacons:
        then = f"seedlock beacon {case.paths.name} FILE  before the first run"
        return not_checked("E4", "evidence", NOT_BEFORE, "the ledger holds no public randomness", then)
    held: list[tuple[Event, datetime]] = []
    for event in beacons:
        try:
            moment = beacon_time(event.body, case.trust.beacons)
        except BeaconRefused as error:
            return verdict("E4", "evidence", NOT_BEFORE, error.findings, exit_code=8)
        except BadInput as error:
            return not_checked("E4", "evidence", NOT_BEFORE, error.what, error.then)
        facts.append(
            f"ledger lines after {event.n} are not older than {moment:%Y-%m-%d %H:%M:%S} UTC ({event.body['kind']})"
        )
        held.append((event, moment))
    data = case.first_data
    early = [
        (event, moment) for event, moment in held if event.n > case.lock_line and (data is None or event.n < data.n)
    ]
    if not early:
        first = Finding(
            where=f"ledger line {held[0][0].n}", found="a beacon after the first run", promised="one before it"
        )
        return Check(
            id="E4", link="evidence", state="warn", what=f"{NOT_BEFORE}: runs began before it", findings=(first,)
        )
    event, moment = max(early, key=lambda one: one[1])
    if stamp is None or moment < stamp.at:
        reason = f"no timestamp of the lock from before {moment:%Y-%m-%d %H:%M:%S} UTC"
        return not_checked("E4", "evidence", NOT_BEFORE, reason, f"seedlock stamp {case.paths.name}")
    told = f"no run in the ledger is older than {moment:%Y-%m-%d %H:%M:%S} UTC (line {event.n}); the lock is"
    return verdict("E4", "evidence", told, (), exit_code=8)


def _replayed(case: _Case, author: Signer | None, facts: list[str]) -> Check:
    study = case.paths.name
    statements, strange = replay_statements(case.paths, case.events)
    if strange:
        return verdict("E5", "evidence", REPLAYED, strange, exit_code=8)
    built = [event for event in case.events if event.name == "report.built"]
    results = built[-1].body["results_sha256"] if built else None
    others = []
    for statement in statements:
        try:
            signer = signer_of(statement.file, "replay", case.trust.signers)
        except (BadSignature, UnreadableFile) as error:
            return verdict("E5", "evidence", REPLAYED, error.findings, exit_code=8)
        if signer is None or statement.body.get("results_sha256") != results:
            continue
        facts.append(f"{statement.file.name}: the newest report was replayed by {signer}")
        is_other = (
            author is not None and signer.fingerprint != author.fingerprint and signer.principal != author.principal
        )
        if is_other and signer.principal is not None:
            others.append(str(signer))
    if not others:
        reason = (
            "no signed replay of the newest report"
            if not statements
            else "no replay by somebody you allow, other than the author"
        )
        return not_checked(
            "E5", "evidence", REPLAYED, reason, f"seedlock sign {study} --key KEY --what replay --by NAME"
        )
    return verdict("E5", "evidence", f"replayed by {', '.join(sorted(others))}", (), exit_code=8)


def provable(paths: StudyPaths) -> Evidence | None:
    """What a stranger could see today of a locked study, who has brought nothing; None where it cannot be read."""
    files = lock_paths(paths)
    try:
        events = read_ledger(paths.ledger) if files else []
        return weigh_evidence(files[-1], sha256_regular(files[-1]), paths, events, Trust()) if events else None
    except SeedlockError:
        return None


def level_reached(checks: Sequence[Check]) -> int | None:
    """The highest level whose evidence holds with that of every level below it; None where T0 does not hold."""
    if any(check.exit_code for check in checks):
        return None
    states = {check.id: check.state for check in checks}
    level = 0
    while level < 5 and states.get(f"E{level + 1}") == "pass":
        level += 1
    return level


def next_evidence(checks: Sequence[Check]) -> str:
    """The one step that would raise the level, with the command."""
    wanting = next((check for check in checks if check.id.startswith("E") and check.state != "pass"), None)
    if wanting is None:
        return f"nothing: {LEVELS[-1]}"
    finding = wanting.findings[0]
    return f"{LEVELS[int(wanting.id[1])]}: {finding.found}; {finding.promised}"


def require_level(level: int | None, wanted: int, study: str) -> None:
    """Refuse when less evidence is there than a reviewer requires.

    Raises
    ------
    EvidenceAbsent
        With the level found and the level required.
    """
    if level is None or level < wanted:
        raise EvidenceAbsent(
            f"{study} does not reach T{wanted}",
            Finding(where="evidence", found="nothing" if level is None else f"T{level}", promised=f"T{wanted}"),
            then=f"seedlock verify {study}  lists what each level needs",
        )
