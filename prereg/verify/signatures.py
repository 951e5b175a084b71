"""SSH signatures, made and checked by ssh-keygen; each kind of statement has a namespace of its own."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seedlock.prereg.base.reading import is_regular, read_regular
from seedlock.prereg.errors import BadSignature, Finding, OutOfOrder

type Kind = Literal["lock", "ledger", "replay"]
NAMESPACES = {"lock": "seedlock-lock@v1", "ledger": "seedlock-ledger@v1", "replay": "seedlock-replay@v1"}
MAX_SIGNATURE_BYTES = 65_536
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed: the key's fingerprint always; the name only where the reviewer's own file gives one to the key."""

    fingerprint: str
    principal: str | None

    def __str__(self) -> str:
        return f"{self.principal or 'somebody unknown to you'} ({self.fingerprint})"


def signature_of(file: Path) -> Path:
    """Where the signature of `file` lies."""
    return file.with_name(file.name + ".sig")


def sign(file: Path, key: Path, kind: Kind) -> Path:
    """Sign `file` with an SSH key through ssh-keygen.

    Raises
    ------
    OutOfOrder
        It is signed already; a signature is never replaced.
    BadSignature
        ssh-keygen refused.
    """
    signature = signature_of(file)
    if signature.exists():
        raise OutOfOrder(
            f"{file.name} is signed already",
            Finding(where=signature.name, found="a signature", promised="none: one is never replaced"),
            then="seedlock sign STUDY --key KEY --what ledger  signs where the ledger stands now",
        )
    done = run(["ssh-keygen", "-Y", "sign", "-n", NAMESPACES[kind], "-f", str(key), str(file)])
    if done.returncode != 0 or not signature.exists():
        raise BadSignature(
            f"ssh-keygen did not sign {file.name}",
            Finding(where=str(key), found=reason(done), promised="a signature"),
            then="ssh-keygen -t ed25519  makes a key",
        )
    return signature


def signer_of(file: Path, kind: Kind, signers: Path | None) -> Signer | None:
    """Who signed `file` as a statement of this kind; None where there is no signature.

    Raises
    ------
    BadSignature
        There is a signature, and it does not hold for these bytes and this kind; or the reviewer brought a list of
        signers, and the key is not on it.
    """
    signature = signature_of(file)
    if not signature.exists() and not signature.is_symlink():
        return None
    read_regular(signature, limit=MAX_SIGNATURE_BYTES)
    data, namespace = read_regular(file), NAMESPACES[kind]
    held = run(["ssh-keygen", "-Y", "check-novalidate", "-n", namespace, "-s", str(signature)], data)
    found = _FINGERPRINT.search((held.stdout + held.stderr).decode("utf-8", "replace"))
    if held.returncode != 0 or found is None:
        promised = f"a signature of these bytes in the namespace {namespace}"
        raise BadSignature(
            f"{signature.name} does not hold", Finding(where=signature.name, found=reason(held), promised=promised)
        )
    return Signer(fingerprint=found.group(), principal=_principal(signature, data, namespace, signers, found.group()))


def _principal(signature: Path, data: bytes, namespace: str, signers: Path | None, key: str) -> str | None:
    if signers is None or not is_regular(signers):
        return None
    told = run(["ssh-keygen", "-Y", "find-principals", "-s", str(signature), "-f", str(signers)])
    names = told.stdout.decode("utf-8", "replace").strip().splitlines() if told.returncode == 0 else []
    for name in names:
        command = ["ssh-keygen", "-Y", "verify", "-n", namespace, "-f", str(signers), "-I", name, "-s", str(signature)]
        if run(command, data).returncode == 0:
            return name
    raise BadSignature(
        f"{signature.name} is by nobody you allow",
        Finding(where=signature.name, found=key, promised=f"a key in {signers.name} that may sign {namespace}"),
        then="ask the author for the fingerprint by another way, and put the key into your allowed-signers file",
    )


def run(command: list[str], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a program of the reviewer's own system; one that is not there fails like one that refuses."""
    try:
        return subprocess.run(command, input=data, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, b"", str(error).encode())


def reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """Last line of what a program said."""
    said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    return said[-1] if said else "it does not match these bytes"
