"""JSON pointers (RFC 6901): read and replace one place of a plan or of results."""

from __future__ import annotations

import copy
from typing import Any


def _parts(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise KeyError(f"a JSON pointer starts with '/': {pointer!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _step(value: Any, part: str, pointer: str) -> Any:
    match value:
        case dict() if part in value:
            return value[part]
        case list() if part.isdigit() and int(part) < len(value):
            return value[int(part)]
        case _:
            raise KeyError(f"{pointer!r} leads nowhere at {part!r}")


def resolve(document: Any, pointer: str) -> Any:
    """The value at `pointer`.

    Raises
    ------
    KeyError
        There is nothing there.
    """
    value = document
    for part in _parts(pointer):
        value = _step(value, part, pointer)
    return value


def replaced(document: Any, pointer: str, value: Any) -> Any:
    """A copy of `document` with `value` at `pointer`; an object takes a key that it did not have.

    Raises
    ------
    KeyError
        There is no such place.
    """
    parts = _parts(pointer)
    if not parts:
        raise KeyError("the whole document cannot be replaced")
    changed = copy.deepcopy(document)
    place = changed
    for part in parts[:-1]:
        place = _step(place, part, pointer)
    if not isinstance(place, dict):
        _step(place, parts[-1], pointer)
    place[int(parts[-1]) if isinstance(place, list) else parts[-1]] = value
    return changed
