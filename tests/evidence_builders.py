"""Keys, a timestamp authority and block headers of one's own, made by ssh-keygen, openssl and hashing alone."""

from __future__ import annotations

import hashlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

EASY = bytes.fromhex("ffff7f20")
"""The target of a test network, little endian: every other header lies under it."""


@dataclass(frozen=True, slots=True)
class Key:
    """An SSH key and the line that an allowed-signers file has for it."""

    private: Path
    line: str


def make_key(folder: Path, who: str) -> Key:
    private = folder / who
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(private)], check=True)
    return Key(private, f"{who}@example.org {private.with_suffix('.pub').read_text()}")


def make_authority(folder: Path) -> Path:
    """Certificate of a timestamp authority."""
    folder.mkdir()
    (folder / "tsa.cnf").write_text(
        "[ tsa ]\ndefault_tsa = c\n[ c ]\nserial = serial\nsigner_cert = ca.pem\nsigner_key = key.pem\n"
        "signer_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = sha256\ncrypto_device = builtin\n"
        "[ req ]\ndistinguished_name = dn\n[ dn ]\n[ ext ]\nextendedKeyUsage = critical,timeStamping\n"
    )
    new = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 2 -subj /CN=tsa -config tsa.cnf"
    subprocess.run([*new.split(), "-extensions", "ext"], cwd=folder, check=True, capture_output=True)
    return folder / "ca.pem"


def make_timestamp(authority: Path, document: Path, token: Path) -> None:
    folder = authority.parent
    query = ["openssl", "ts", "-query", "-data", str(document), "-sha256", "-cert", "-out", "q.tsq"]
    subprocess.run(query, cwd=folder, check=True, capture_output=True)
    reply = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q.tsq", "-out", str(token)]
    subprocess.run(reply, cwd=folder, check=True, capture_output=True)


def make_header(*, merkle_root: bytes = bytes(32), at: int | None = None) -> bytes:
    """A block header whose proof of work holds, at next to no work."""
    moment = int(time.time()) if at is None else at
    for nonce in range(1000):
        header = bytes(36) + merkle_root + moment.to_bytes(4, "little") + EASY + nonce.to_bytes(4, "little")
        if hashlib.sha256(hashlib.sha256(header).digest()).digest()[31] < 0x7F:
            return header
    raise AssertionError("no nonce in a thousand")
