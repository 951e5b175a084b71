"""Other bytes and other JSON than what was written."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from seedlock.prereg.base.canonical import canonical_json

ODD: list[Any] = [
    *(None, True, False, -1, 0, 1e308, 5e-324, 2**63, 10**39, "", "\x1b[2J", "../../etc/passwd", "/dev/zero"),
    *("a" * 5000, "\u202e", [], {}, [[]], {"": {}}, ["x"] * 300, "2026-13-45T99:00:00Z", "--output=x", "0" * 64),
    *("NaN", "<script>alert(1)</script>", "\ud800".encode("utf-8", "replace").decode()),
]
TOKENS = [
    *(b"\x00", b"\xff", b"<!--", b"<a ", b'<data data-ref="', b"</", b"[" * 2000, b"{" * 2000, b'"', b"\n", b"\r"),
    *(b"9" * 5000, b"1e999", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\xef\xbb\xbf", b"NaN", b","),
]


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, double, insert."""
    at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    match rng.randrange(5):
        case 0:
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[to:]
        case 3:
            return data[:to] + data[at : min(to, at + 10_000)] * rng.choice([1, 2, 50]) + data[to:]
        case _:
            return data[:at] + rng.choice(TOKENS) * rng.choice([1, 3, 1000]) + data[at:]


def mutate_json(document: Any, rng: random.Random) -> Any:
    """Put something odd, something from elsewhere in the document, or nothing, in one place."""
    changed = copy.deepcopy(document)
    place, key = _a_place(changed, rng)
    if place is None:
        return rng.choice(ODD)
    match rng.randrange(4):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place[rng.choice(["x", "", "look", "kind", "\x1b", "a" * 300])] = rng.choice(ODD)
        case 2:
            other, name = _a_place(changed, rng)
            place[key] = copy.deepcopy(other[name]) if other is not None else None
        case _:
            place[key] = rng.choice(ODD)
    return changed


def mutate_value(document: Any, rng: random.Random) -> Any:
    """Put another value of the same kind in one place: what a reader of shapes lets through."""
    changed = copy.deepcopy(document)
    place, key = _a_place(changed, rng)
    if place is None:
        return changed
    match place[key]:
        case bool() as value:
            place[key] = not value
        case int() | float():
            place[key] = rng.choice([0, 1, -1, 2**40, 0.5, 1e300, -1e300, 5e-324, 1e-17])
        case str() as text:
            place[key] = rng.choice(["", "x", text * 50, "\u202e", "<b>", "0/0", text[:-1], "a" * 5000])
        case list() as items if items:
            place[key] = rng.choice([[], items[:1], items[::-1], items * 3])
        case dict() as table if table:
            table.pop(rng.choice(list(table)))
        case _:
            place[key] = None
    return changed


def _a_place(document: Any, rng: random.Random) -> tuple[Any, Any]:
    place, key = None, None
    while isinstance(document, dict | list) and document and (place is None or rng.random() < 0.8):
        place = document
        key = rng.choice(list(document)) if isinstance(document, dict) else rng.randrange(len(document))
        document = document[key]
    return place, key


def dump(value: Any) -> bytes:
    """Canonical JSON where there is any, JSON otherwise."""
    try:
        return canonical_json(value)
    except (ValueError, RecursionError):
        return json.dumps(value).encode()
