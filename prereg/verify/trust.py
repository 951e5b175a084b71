"""What a reviewer brings from outside: whose signatures count, which authorities, which block headers.

Nothing of it is taken from the repository under review: what an author says of their own trustworthiness raises no
level.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from seedlock.prereg.base.json_shape import is_hex
from seedlock.prereg.base.reading import is_regular, read_regular
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.beacon import HEADER_BYTES, BeaconTrust
from seedlock.prereg.lock.drand import read_chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Trust roots; `inside` are those that lie in the repository under review, which count for nothing."""

    signers: Path | None = None
    authorities: Path | None = None
    beacons: BeaconTrust = field(default_factory=BeaconTrust)
    inside: frozenset[str] = frozenset()


def bring_trust(
    root: Path,
    *,
    signers: Path | None = None,
    authorities: Path | None = None,
    headers: Path | None = None,
    chain: Path | None = None,
) -> Trust:
    """Read what the options name.

    Parameters
    ----------
    root
        The repository under review.
    signers, authorities
        An allowed-signers file of ssh-keygen; certificates (PEM) of timestamp authorities.
    headers
        Bitcoin block headers, one of 160 hexadecimal digits a line.
    chain
        The `/info` JSON of a drand chain.

    Raises
    ------
    BadInput
        A named file is not there, or not of its kind.
    """
    named = {
        "--allowed-signers": signers,
        "--tsa-ca": authorities,
        "--bitcoin-headers": headers,
        "--drand-chain": chain,
    }
    found = {option: path.resolve() for option, path in named.items() if path is not None}
    faults = [
        Finding(where=option, found=f"{path}: no such file", promised="a file of yours")
        for option, path in found.items()
        if not is_regular(path)
    ]
    if faults:
        raise BadInput("what the options name is not there", *faults, then="seedlock verify --help")
    inside = frozenset(option for option, path in found.items() if path.is_relative_to(root.resolve()))
    outside = {option: path for option, path in found.items() if option not in inside}
    return Trust(
        signers=outside.get("--allowed-signers"),
        authorities=outside.get("--tsa-ca"),
        beacons=BeaconTrust(
            headers=_headers(outside["--bitcoin-headers"]) if "--bitcoin-headers" in outside else frozenset(),
            chain=read_chain(outside["--drand-chain"]) if "--drand-chain" in outside else None,
        ),
        inside=inside,
    )


def _headers(file: Path) -> frozenset[bytes]:
    lines = read_regular(file, limit=256 * 2**20).decode("ascii", "replace").split()
    wrong = next((line for line in lines if not is_hex(line) or len(line) != 2 * HEADER_BYTES), None)
    if wrong is not None:
        promised = f"{2 * HEADER_BYTES} hexadecimal digits a line"
        raise BadInput("no block headers", Finding(where=str(file), found=wrong[:80], promised=promised))
    return frozenset(bytes.fromhex(line) for line in lines)
