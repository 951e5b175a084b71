"""Rounds of drand, the League of Entropy's public randomness: whose key, when, and whether a signature holds.

BLS signatures on BLS12-381 (RFC 9380 for hashing to the curve), checked by py_ecc, an optional package.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.json_shape import is_count, is_hex, is_mapping, is_text
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding

MAX_ROUND = 2**40
ON_G1 = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
ON_G2 = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrandChain:
    """One chain, as its `/info` says; `signs_on_g1`: signatures of 48 bytes, keys of 96, and no round before enters."""

    chain_hash: str
    public_key: bytes
    genesis: int
    period_s: int
    scheme: str

    @property
    def is_chained(self) -> bool:
        """Whether a round signs the one before too."""
        return self.scheme == "pedersen-bls-chained"

    def time_of(self, number: int) -> datetime:
        """When this round is made, and not before."""
        return datetime.fromtimestamp(self.genesis, UTC) + timedelta(seconds=(number - 1) * self.period_s)


QUICKNET = DrandChain(
    chain_hash="52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    public_key=bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    genesis=1692803367,
    period_s=3,
    scheme="bls-unchained-g1-rfc9380",
)
DEFAULT = DrandChain(
    chain_hash="8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce",
    public_key=bytes.fromhex(
        "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31"
    ),
    genesis=1595431050,
    period_s=30,
    scheme="pedersen-bls-chained",
)
CHAINS = (QUICKNET, DEFAULT)


def read_chain(file: Path) -> DrandChain:
    """A chain that a reviewer brings: the JSON of its `/info`.

    Raises
    ------
    BadInput
        It is not that, or of a scheme that is not known here.
    """
    schemes = (QUICKNET.scheme, DEFAULT.scheme)
    try:
        told = read_json(read_regular(file.resolve(), limit=65_536))
    except ValueError as error:
        told = str(error)
    is_info = (
        is_mapping(told)
        and is_hex(told.get("public_key"))
        and is_hex(told.get("hash"))
        and is_count(told.get("genesis_time"))
        and is_count(told.get("period"))
        and is_text(told.get("schemeID"))
        and told["schemeID"] in schemes
    )
    if not is_info:
        promised = f"hash, public_key, genesis_time, period and schemeID ({' or '.join(schemes)})"
        raise BadInput("this is no drand chain", Finding(where=str(file), found=str(told)[:80], promised=promised))
    return DrandChain(
        chain_hash=told["hash"],
        public_key=bytes.fromhex(told["public_key"]),
        genesis=told["genesis_time"],
        period_s=told["period"],
        scheme=told["schemeID"],
    )


def check_round(chain: DrandChain, number: int, signature: bytes, previous: bytes) -> bool:
    """Whether `signature` is the chain's for this round.

    Raises
    ------
    BadInput
        py_ecc is not installed.
    """
    if find_spec("py_ecc") is None:
        missing = Finding(where="py_ecc", found="not installed", promised="what checks signatures on BLS12-381")
        raise BadInput("a drand round cannot be checked here", missing, then="pip install 'seedlock[evidence]'")
    if not 0 < number < MAX_ROUND:
        return False
    message = hashlib.sha256((previous if chain.is_chained else b"") + number.to_bytes(8, "big")).digest()
    try:
        return _pairing_holds(chain, message, signature)
    except (ValueError, AssertionError):  # not points of the curve
        return False


def _pairing_holds(chain: DrandChain, message: bytes, signature: bytes) -> bool:
    """e(signature, generator) = e(hash of the message, key), with the groups as the scheme has them."""
    curve = import_module("py_ecc.optimized_bls12_381")
    points, hashing = import_module("py_ecc.bls.g2_primitives"), import_module("py_ecc.bls.hash_to_curve")
    if chain.is_chained:
        signed, key = points.signature_to_G2(signature), points.pubkey_to_G1(chain.public_key)
        hashed = hashing.hash_to_G2(message, ON_G2, hashlib.sha256)
        pairs = ((signed, curve.G1), (hashed, curve.neg(key)))
    else:
        signed, key = points.pubkey_to_G1(signature), points.signature_to_G2(chain.public_key)
        hashed = hashing.hash_to_G1(message, ON_G1, hashlib.sha256)
        pairs = ((curve.G2, signed), (key, curve.neg(hashed)))
    if not (points.subgroup_check(signed) and points.subgroup_check(key)):
        return False
    one, two = (curve.pairing(on_g2, on_g1, final_exponentiate=False) for on_g2, on_g1 in pairs)
    return bool(curve.final_exponentiate(one * two) == curve.FQ12.one())
