"""Who and when: signatures, published history, timestamps, replays by others. None of it home-made, all optional."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import sha256_bytes, sha256_file
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadSignature, EvidenceAbsent, Finding
from seedlock.prereg.lock.ledger import Event, append_event
from seedlock.prereg.verify.checks import Check, not_checked, verdict

NAMESPACE = "seedlock-lock@v1"


def sign(file: Path, key: Path, paths: StudyPaths) -> Path:
    """Sign `file` with an SSH key through ssh-keygen; record the signature in the ledger.

    Raises
    ------
    BadSignature
        ssh-keygen refused.
    """
    signature = file.with_name(file.name + ".sig")
    signature.unlink(missing_ok=True)
    done = _run(["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(file)])
    if done.returncode != 0 or not signature.exists():
        raise BadSignature(
            f"ssh-keygen did not sign {file.name}",
            Finding(where=str(key), found=done.stderr.decode("utf-8", "replace").strip(), promised="a signature"),
            then="ssh-keygen -t ed25519  makes a key",
        )
    digest = sha256_file(signature)
    append_event(paths.ledger, "signature.added", {"file": signature.name, "sha256": digest})
    return signature


def evidence_checks(
    lock_file: Path, paths: StudyPaths, events: list[Event], *, signers: Path | None, ca_file: Path | None
) -> Iterator[Check]:
    """One check for each evidence level above self-consistency."""
    yield _signature(lock_file, signers or paths.root / "lockfiles" / "allowed_signers")
    yield _published(lock_file, paths)
    yield _timestamp(lock_file, ca_file)
    yield _not_before(events)
    yield _replayed(paths, signers or paths.root / "lockfiles" / "allowed_signers", lock_file)


def _run(command: list[str], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, b"", str(error).encode())


def principal_of(file: Path, signers: Path) -> str | None:
    """Who signed `file`, by the allowed-signers file; None where nobody there did.

    Raises
    ------
    BadSignature
        There is a signature, and it does not verify.
    """
    signature = file.with_name(file.name + ".sig")
    if not signature.exists() or not signers.exists():
        return None
    found = _run(["ssh-keygen", "-Y", "find-principals", "-s", str(signature), "-f", str(signers)])
    name = found.stdout.decode("utf-8", "replace").strip().splitlines()
    if found.returncode == 0 and name:
        checked = _run(
            ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-f", str(signers), "-I", name[0], "-s", str(signature)],
            file.read_bytes(),
        )
        if checked.returncode == 0:
            return name[0]
    raise BadSignature(
        f"{signature.name} does not verify",
        Finding(where=signature.name, found=_reason(found), promised=f"a signature by someone in {signers.name}"),
    )


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    return said[-1] if said else "the signature does not match these bytes"


def _signature(lock_file: Path, signers: Path) -> Check:
    what = "the lock is signed by someone the reviewer allows"
    if not lock_file.with_name(lock_file.name + ".sig").exists():
        return not_checked("E1", "evidence", what, "no signature", "seedlock sign STUDY --key KEY")
    if not signers.exists():
        return not_checked("E1", "evidence", what, "no allowed-signers file", "--allowed-signers FILE")
    try:
        who = principal_of(lock_file, signers)
    except BadSignature as error:
        return verdict("E1", "evidence", what, error.findings, exit_code=8)
    return verdict("E1", "evidence", f"the lock is signed by {who}", (), exit_code=8)


def _published(lock_file: Path, paths: StudyPaths) -> Check:
    what = "the lock stands in published git history"
    relative = paths.relative(lock_file)
    commit = git.adding_commit(paths.root, relative)
    if commit is None:
        return not_checked("E2", "evidence", what, "the lock is not committed", f"git add {relative}")
    blob = git.blob(paths.root, commit, relative)
    if blob is None or sha256_bytes(blob) != sha256_file(lock_file):
        found = Finding(where=relative, found="other bytes now", promised=f"as committed in {commit[:12]}")
        return verdict("E2", "evidence", what, [found], exit_code=3)
    refs = git.published_refs(paths.root, commit)
    if not refs:
        return not_checked("E2", "evidence", what, f"commit {commit[:12]} is on no remote branch", "git push")
    return verdict("E2", "evidence", f"the lock stands in {refs[0]} since commit {commit[:12]}", (), exit_code=3)


def _timestamp(lock_file: Path, ca_file: Path | None) -> Check:
    what = "a timestamp authority saw the lock: it is not younger than the stamp"
    token = lock_file.with_name(lock_file.name + ".tsr")
    if not token.exists():
        return not_checked("E3", "evidence", what, "no timestamp", f"an RFC 3161 reply beside it as {token.name}")
    if ca_file is None:
        return not_checked("E3", "evidence", what, "no certificate of the authority", "--tsa-ca FILE")
    done = _run(["openssl", "ts", "-verify", "-data", str(lock_file), "-in", str(token), "-CAfile", str(ca_file)])
    faults = [] if done.returncode == 0 else [Finding(where=token.name, found=_reason(done), promised="it verifies")]
    return verdict("E3", "evidence", what, faults, exit_code=8)


def _not_before(events: list[Event]) -> Check:
    what = "public randomness shows that no run is older than the lock"
    started = [event for event in events if event.name == "run.started"]
    if not any(event.body.get("beacon") for event in started):
        reason = "no run.started carries public randomness" if started else "no run was made by this tool"
        return not_checked("E4", "evidence", what, reason)
    return not_checked("E4", "evidence", what, "the beacon's own record is needed to check it", "compare it by hand")


def _replayed(paths: StudyPaths, signers: Path, lock_file: Path) -> Check:
    what = "someone else replayed the analysis and signed for it"
    statements = sorted(paths.locks.glob("replay-*.json"))
    if not statements or not signers.exists():
        reason = "no signed replay" if not statements else "no allowed-signers file"
        return not_checked("E5", "evidence", what, reason, "seedlock verify STUDY --replay")
    try:
        author = principal_of(lock_file, signers)
        others = {who for file in statements if (who := principal_of(file, signers)) not in {None, author}}
    except BadSignature as error:
        return verdict("E5", "evidence", what, error.findings, exit_code=8)
    if not others:
        return not_checked("E5", "evidence", what, "only the author signed a replay", "a signature by someone else")
    return verdict("E5", "evidence", f"replayed by {', '.join(sorted(map(str, others)))}", (), exit_code=8)


def level_reached(checks: list[Check]) -> int | None:
    """The highest level whose evidence holds with that of every level below it; None when something failed."""
    if any(check.state == "fail" for check in checks):
        return None
    states = {check.id: check.state for check in checks}
    level = 0
    while level < 5 and states.get(f"E{level + 1}") == "pass":
        level += 1
    return level


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
