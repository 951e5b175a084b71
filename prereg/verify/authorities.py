"""A timestamp is asked for, and what comes back is looked at before it is kept: a stamp is never replaced.

RFC 3161 over HTTP (https://doi.org/10.17487/RFC3161, section 3.4); OpenTimestamps proofs as `ots` writes them.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from seedlock.prereg.base.reading import read_regular, sha256_regular
from seedlock.prereg.errors import BadInput, BadSignature, Finding
from seedlock.prereg.verify.signatures import reason, run
from seedlock.prereg.verify.stamps import MAX_STAMP_BYTES

TIMEOUT_S = 30.0
_GRANTED = ("Status: Granted.", "Status: Granted with modifications.")


def ask_authority(document: Path, url: str, *, timeout_s: float = TIMEOUT_S) -> bytes:
    """The reply of an RFC 3161 authority for the SHA-256 of `document`; nothing else of it is sent.

    Raises
    ------
    BadInput
        The address is none, or nothing usable came back.
    """
    again = "another authority: --tsa URL"
    if urlsplit(url).scheme not in {"http", "https"}:
        raise BadInput(
            "no such authority", Finding(where="--tsa", found=url, promised="http:// or https://"), then=again
        )
    asked = run(["openssl", "ts", "-query", "-data", str(document), "-sha256", "-cert"])
    if asked.returncode != 0:
        fault = Finding(where="openssl ts -query", found=reason(asked), promised="a query")
        raise BadInput("openssl made no query", fault, then="openssl version")
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    request = urllib.request.Request(url, data=asked.stdout, headers=headers)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:  # noqa: S310 - checked above
            token: bytes = reply.read(MAX_STAMP_BYTES)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise BadInput(
            "no timestamp came", Finding(where=url, found=str(error), promised="a reply"), then=again
        ) from None
    return token


def require_stamp(document: Path, token: Path) -> bytes:
    """The bytes of a timestamp that is whole and is of this document; who made it is for the reviewer to trust.

    Parameters
    ----------
    token
        A `.tsr` reply or an `.ots` proof.

    Raises
    ------
    BadInput
        The suffix is another, or a proof does not reach a block yet.
    BadSignature
        It is refused, broken, or of other bytes.
    """
    data = read_regular(token.resolve(), limit=MAX_STAMP_BYTES)
    if token.suffix == ".tsr":
        _require_reply(document, token)
    elif token.suffix == ".ots":
        _require_proof(document, token, data)
    else:
        fault = Finding(where=str(token), found=token.suffix or "no suffix", promised=".tsr or .ots")
        raise BadInput("this is no timestamp", fault, then="seedlock stamp --help")
    return data


def _require_reply(document: Path, token: Path) -> None:
    digest = sha256_regular(document)
    told = run(["openssl", "ts", "-reply", "-in", str(token.resolve()), "-text"])
    text = told.stdout.decode("utf-8", "replace")
    if told.returncode != 0 or not any(granted in text for granted in _GRANTED):
        found = next((line.strip() for line in text.splitlines() if line.startswith("Status")), reason(told))
        raise BadSignature(
            f"{token.name} holds no timestamp", Finding(where=token.name, found=found, promised="granted")
        )
    if digest not in _message(text):
        fault = Finding(where=token.name, found="a timestamp of other bytes", promised=f"sha256 {digest}")
        raise BadSignature(f"{token.name} is of another document", fault)


def _message(text: str) -> str:
    """The digest that a reply is of, from the dump that openssl prints: `0000 - 9f 86 d0-...   text`."""
    dump = text.partition("Message data:")[2].partition("Serial number:")[0]
    rows = (line.partition(" - ")[2][:48] for line in dump.splitlines())
    return "".join(one for row in rows for one in row if one in "0123456789abcdef")


def _require_proof(document: Path, token: Path, data: bytes) -> None:
    if find_spec("opentimestamps") is None:
        fault = Finding(where=token.name, found="opentimestamps is not installed", promised="a proof that can be read")
        raise BadInput("the proof cannot be read", fault, then="pip install 'seedlock[evidence]'")
    core = {name: import_module(f"opentimestamps.core.{name}") for name in ("notary", "op", "serialize", "timestamp")}
    digest = sha256_regular(document)
    try:
        read = core["timestamp"].DetachedTimestampFile.deserialize(core["serialize"].BytesDeserializationContext(data))
        told = [one for _, one in read.timestamp.all_attestations()]
    except (core["serialize"].DeserializationError, ValueError, RecursionError) as error:
        fault = Finding(where=token.name, found=str(error)[:200], promised="an OpenTimestamps proof")
        raise BadSignature(f"{token.name} cannot be read", fault) from None
    if not isinstance(read.file_hash_op, core["op"].OpSHA256) or read.file_digest.hex() != digest:
        fault = Finding(where=token.name, found="a proof of other bytes", promised=f"sha256 {digest}")
        raise BadSignature(f"{token.name} is of another document", fault)
    if not any(isinstance(one, core["notary"].BitcoinBlockHeaderAttestation) for one in told):
        fault = Finding(where=token.name, found="a promise of calendars", promised="a block of the Bitcoin chain")
        raise BadInput("the proof does not reach a block yet", fault, then=f"ots upgrade {token}  after some hours")
