"""Timestamps by others: RFC 3161 replies through openssl, OpenTimestamps proofs against block headers. All offline.

RFC 3161: https://doi.org/10.17487/RFC3161. OpenTimestamps: https://opentimestamps.org.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from seedlock.prereg.base.canonical import sha256_bytes
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, BadSignature, Finding
from seedlock.prereg.lock.beacon import BeaconTrust, beacon_time, block_hash
from seedlock.prereg.verify.signatures import reason, run

MAX_STAMP_BYTES = 2**20
_TIME = re.compile(r"^Time stamp: (\w{3}) +(\d{1,2}) (\d\d:\d\d:\d\d)(?:\.\d+)? (\d{4}) GMT$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Somebody else saw these bytes at `at` or before."""

    file: Path
    line: int
    at: datetime
    by: str


def has_stamp(document: Path) -> bool:
    """Whether a timestamp lies beside `document`."""
    return any(_beside(document, kind).exists() for kind in ("tsr", "ots"))


def _beside(document: Path, kind: str) -> Path:
    return document.with_name(f"{document.name}.{kind}")


def stamps_of(document: Path, line: int, authorities: Path | None, beacons: BeaconTrust) -> Iterator[Stamp]:
    """Every timestamp of `document` that can be checked with what the reviewer brought.

    Parameters
    ----------
    line
        The last line of the ledger that `document` vouches for.

    Raises
    ------
    BadSignature
        A timestamp does not hold for these bytes.
    """
    token, proof = _beside(document, "tsr"), _beside(document, "ots")
    if authorities is not None and token.exists():
        yield Stamp(file=token, line=line, at=rfc3161_time(document, token, authorities), by="a timestamp authority")
    if beacons.headers and proof.exists() and find_spec("opentimestamps") is not None:
        moment = opentimestamps_time(document, proof, beacons)
        if moment is not None:
            yield Stamp(file=proof, line=line, at=moment, by="the Bitcoin chain")


def rfc3161_time(document: Path, token: Path, authorities: Path) -> datetime:
    """The genTime of a reply that holds.

    Raises
    ------
    BadSignature
        It does not.
    """
    for file in (document, token):
        read_regular(file, limit=MAX_STAMP_BYTES if file == token else 64 * 2**20)
    verify = ["openssl", "ts", "-verify", "-data", str(document), "-in", str(token), "-CAfile", str(authorities)]
    done = run(verify)
    told = run(["openssl", "ts", "-reply", "-in", str(token), "-text"]).stdout.decode("utf-8", "replace")
    moment = _TIME.search(told)
    if done.returncode != 0 or moment is None:
        fault = Finding(where=token.name, found=reason(done), promised=f"a timestamp of {document.name}")
        raise BadSignature(f"{token.name} does not hold", fault)
    month, day, clock, year = moment.groups()
    return datetime.strptime(f"{month} {day} {year} {clock} +0000", "%b %d %Y %H:%M:%S %z")


def opentimestamps_time(document: Path, proof: Path, beacons: BeaconTrust) -> datetime | None:
    """Time of the earliest block whose header the reviewer holds and that the proof leads to; None where there is none.

    Raises
    ------
    BadSignature
        The proof is broken, or of another document.
    """
    core = {name: import_module(f"opentimestamps.core.{name}") for name in ("notary", "op", "serialize", "timestamp")}
    digest = sha256_bytes(read_regular(document))
    context = core["serialize"].BytesDeserializationContext(read_regular(proof, limit=MAX_STAMP_BYTES))
    is_of_block = core["notary"].BitcoinBlockHeaderAttestation
    try:
        read = core["timestamp"].DetachedTimestampFile.deserialize(context)
        is_ours = isinstance(read.file_hash_op, core["op"].OpSHA256) and read.file_digest.hex() == digest
        roots = {m for m, told in read.timestamp.all_attestations() if isinstance(told, is_of_block)}
    except (core["serialize"].DeserializationError, ValueError, RecursionError) as error:
        fault = Finding(where=proof.name, found=str(error)[:200], promised="an OpenTimestamps proof")
        raise BadSignature(f"{proof.name} cannot be read", fault) from None
    if not is_ours:
        fault = Finding(where=proof.name, found="a proof of other bytes", promised=f"sha256 {digest}")
        raise BadSignature(f"{proof.name} is of another document", fault)
    times = [_time(header, beacons) for header in beacons.headers if header[36:68] in roots]
    return min((moment for moment in times if moment is not None), default=None)


def _time(header: bytes, beacons: BeaconTrust) -> datetime | None:
    try:
        return beacon_time({"kind": "bitcoin", "header": header.hex(), "value": block_hash(header)}, beacons)
    except BadInput:
        return None
