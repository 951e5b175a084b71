"""What a value that came out of somebody's JSON is, asked before it is used; and how deep a document may be."""

from __future__ import annotations

import re
from typing import Any

MAX_DEPTH = 64
MAX_DIGITS = 40
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,4096}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ()+,._=@-]{0,199}")


def is_text(value: Any) -> bool:
    """A string."""
    return isinstance(value, str)


def is_count(value: Any) -> bool:
    """A whole number that is not negative; true and false are none."""
    return type(value) is int and value >= 0


def is_mapping(value: Any) -> bool:
    """An object."""
    return isinstance(value, dict)


def is_text_list(value: Any) -> bool:
    """A list of strings."""
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def is_name(value: Any) -> bool:
    """The name of a file and no path: nothing that climbs, hides or steers."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_hex(value: Any) -> bool:
    """Whole bytes in lower-case hexadecimal digits, at least one of them."""
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def is_deeper_than(document: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether lists and objects lie in one another more than `limit` times."""
    level = [document]
    for _ in range(limit + 1):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True
