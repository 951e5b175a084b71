"""Bytes and their digests: canonical JSON (RFC 8785), SHA-256, and writes that survive a crash."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import rfc8785

from seedlock.prereg.base.json_shape import MAX_DEPTH, MAX_DIGITS, is_deeper_than

type Sha256 = str
"""64 lower-case hexadecimal digits."""
_spell = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode
_MAY_DIFFER = re.compile(r"\d\.0(?!\d)|\de[+-]\d|(?:^|[:,\[])-?\d{16}|[\ud800-\U0010ffff]")
"""Where RFC 8785 may spell or refuse what Python's JSON writes: whole floats, exponents, integers that no double holds,
and keys in the order of UTF-16."""


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of `value`: one spelling for one meaning; NaN and infinity are refused.

    Most values are spelled alike by the JSON writer of Python, which is of C; `rfc8785` spells the others.
    """
    try:
        text = _spell(value)
        if _MAY_DIFFER.search(text) is None and json.loads(text) == value:  # keys are text, lists are lists
            return text.encode()
    except (ValueError, TypeError):
        pass
    return rfc8785.dumps(value)


def sha256_bytes(data: bytes) -> Sha256:
    """SHA-256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_json(value: Any) -> Sha256:
    """SHA-256 of the canonical JSON of `value`."""
    return sha256_bytes(canonical_json(value))


def sha256_file(path: Path) -> Sha256:
    """SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` so that a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(data: bytes) -> Any:
    """Parse JSON that a stranger may have written.

    Raises
    ------
    ValueError
        It is no JSON; a key appears twice or a number is not finite (both would hash as one and mean two); a number
        has more than 40 digits, or values lie in one another more than 64 times.
    """
    try:
        document = json.loads(
            data,
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_int=_short_integer,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("values lie in one another too deep") from None
    if is_deeper_than(document):
        raise ValueError(f"values lie in one another more than {MAX_DEPTH} times")
    return document


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        repeated = sorted(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {repeated[0]!r} appears twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number JSON can carry")


def _short_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits) if len(digits) <= MAX_DIGITS else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{digits[:MAX_DIGITS]} is not a number JSON can carry")
    return number


def finite_or_none(value: float | None) -> float | None:
    """`value`, or None where it is undefined: results carry null with a reason, never NaN or infinity."""
    return value if value is not None and math.isfinite(value) else None
