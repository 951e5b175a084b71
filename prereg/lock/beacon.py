"""Public randomness that nobody knew before its time: a drand round, or the header of a Bitcoin block.

Put into the ledger, it shows that no later line is older than it is: every line carries the digest of the one before.
It is given as a file; nothing is fetched. drand: https://docs.drand.love; RFC 9380, https://doi.org/10.17487/RFC9380.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.json_shape import is_count, is_hex, is_mapping
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.drand import CHAINS, DrandChain, check_round
from seedlock.prereg.lock.ledger import Event, append_event

MAX_BEACON_BYTES = 65_536
HEADER_BYTES = 80
LEAST_WORK = 10**22
"""Hashes that a header must have taken on average before it counts by itself: about a minute of the whole network in
2018, and years for anybody else. A header of the reviewer's own list counts whatever it took."""


class BeaconRefused(BadInput):
    """A beacon's signature or proof of work does not hold."""


class BeaconUnchecked(BadInput):
    """Nothing at hand can check this beacon; that is no fault of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeaconTrust:
    """What a reviewer brings: block headers they hold themselves, and a drand chain beside the two known ones."""

    headers: frozenset[bytes] = frozenset()
    chain: DrandChain | None = None


def read_beacon(file: Path) -> dict[str, Any]:
    """What the ledger records of a beacon: `kind`, `value`, and all that is needed to check it offline.

    Parameters
    ----------
    file
        The JSON that a drand server answers with, or a block header: 80 bytes, or 160 hexadecimal digits.

    Raises
    ------
    BadInput
        It is neither.
    """
    data = read_regular(file.resolve(), limit=MAX_BEACON_BYTES)
    header = data if len(data) == HEADER_BYTES else _hex(data.strip())
    if header is not None and len(header) == HEADER_BYTES:
        return {"kind": "bitcoin", "value": block_hash(header), "header": header.hex()}
    try:
        told = read_json(data)
    except ValueError as error:
        raise _neither(file, str(error)) from None
    if not (is_mapping(told) and is_count(told.get("round")) and is_hex(told.get("signature"))):
        raise _neither(file, "no round and signature")
    signature = str(told["signature"])
    body = {"kind": "drand", "round": told["round"], "signature": signature}
    body |= {key: told[key] for key in ("previous_signature", "chain") if is_hex(told.get(key))}
    return {**body, "value": hashlib.sha256(bytes.fromhex(signature)).hexdigest()}


def _neither(file: Path, found: str) -> BadInput:
    promised = "the JSON of a drand round, or a Bitcoin block header (80 bytes, or 160 hexadecimal digits)"
    return BadInput(
        "this is no beacon", Finding(where=str(file), found=found, promised=promised), then="docs/review.md"
    )


def _hex(data: bytes) -> bytes | None:
    return bytes.fromhex(data.decode()) if is_hex(data.decode("ascii", "replace")) else None


def record_beacon(ledger: Path, file: Path, *, now: datetime | None = None) -> Event:
    """Append `beacon.recorded`; every line after it is not older than the beacon.

    Raises
    ------
    BadInput
        It is no beacon, or a header whose proof of work does not hold.
    """
    body = read_beacon(file)
    if body["kind"] == "bitcoin":
        _check_work(bytes.fromhex(body["header"]))
    return append_event(ledger, "beacon.recorded", body, now=now)


def beacon_time(body: Mapping[str, Any], trust: BeaconTrust) -> datetime:
    """When the beacon of one ledger line came into the world, its signature or proof of work checked.

    Raises
    ------
    BeaconRefused
        It does not hold.
    BadInput
        It cannot be checked with what is at hand.
    """
    if body.get("kind") == "bitcoin" and is_hex(body.get("header")):
        return _block_time(bytes.fromhex(body["header"]), str(body.get("value")), trust)
    if body.get("kind") == "drand" and is_count(body.get("round")) and is_hex(body.get("signature")):
        return _round_time(body, trust)
    found = str(body.get("kind"))
    raise BeaconRefused("no such beacon", Finding(where="kind", found=found, promised="drand or bitcoin, complete"))


def block_hash(header: bytes) -> str:
    """The hash of a block as it is written: the bytes of the double SHA-256 turned around."""
    return hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1].hex()


def _check_work(header: bytes) -> int:
    """Hashes that this header took on average; its hash must lie under the target that it names itself."""
    bits = int.from_bytes(header[72:76], "little")
    exponent, mantissa = bits >> 24, bits & 0x7FFFFF
    target = mantissa << 8 * (exponent - 3) if 3 <= exponent <= 32 else 0
    if not 0 < target < 2**256 or int(block_hash(header), 16) > target:
        fault = Finding(where="header", found=f"hash {block_hash(header)}", promised=f"under its target {target:064x}")
        raise BeaconRefused("the block header's proof of work does not hold", fault)
    return 2**256 // (target + 1)


def _block_time(header: bytes, value: str, trust: BeaconTrust) -> datetime:
    work = _check_work(header) if len(header) == HEADER_BYTES else 0
    if value != block_hash(header):
        raise BeaconRefused(
            "the beacon's value is not the block's hash",
            Finding(where="value", found=value, promised=block_hash(header)),
        )
    if work < LEAST_WORK and header not in trust.headers:
        promised = f"{LEAST_WORK:.0e} of them, or a header of your own list (--bitcoin-headers)"
        raise BeaconUnchecked(
            "anybody could have made this block header",
            Finding(where="header", found=f"{work:.0e} hashes of work", promised=promised),
        )
    return datetime.fromtimestamp(int.from_bytes(header[68:72], "little"), UTC)


def _round_time(body: Mapping[str, Any], trust: BeaconTrust) -> datetime:
    named = str(body.get("chain", ""))
    is_chained = "previous_signature" in body
    known = [*([trust.chain] if trust.chain else []), *CHAINS]
    chain = next((c for c in known if c.chain_hash == named or (not named and c.is_chained == is_chained)), None)
    if chain is None:
        promised = "a known chain, or one of your own (--drand-chain)"
        raise BeaconUnchecked("no such drand chain", Finding(where="chain", found=named, promised=promised))
    signature = bytes.fromhex(body["signature"])
    previous = bytes.fromhex(body["previous_signature"]) if is_hex(body.get("previous_signature")) else b""
    if body.get("value") != hashlib.sha256(signature).hexdigest() or not check_round(
        chain, int(body["round"]), signature, previous
    ):
        fault = Finding(
            where=f"round {body['round']}", found="another signature", promised=f"one by {chain.chain_hash[:16]}"
        )
        raise BeaconRefused("the drand round's signature does not hold", fault)
    return chain.time_of(int(body["round"]))
