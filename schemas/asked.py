"""How an item is asked, and which question it is an order of: read off its own line, the same for every stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from seedlock.schemas.identity import item_id

type ProbeKind = Literal["letter", "word", "rating", "choice", "passage"]
type Asked = Literal["answer"] | ProbeKind

OWN_OF_AN_ORDER = frozenset({"order", "pro", "con"})
"""Attributes in which the two orders of one question may differ."""


def probe_kind(row: Mapping[str, Any]) -> ProbeKind | None:
    """Which probe the keys of an item make; None where they make none. Their values are checked by who asks."""
    match row:
        case {"pro": str(pro), "con": str(con)}:
            return "letter" if _is_letter(pro) and _is_letter(con) else "word"
        case {"scale": [_, _]}:
            return "rating"
        case {"options": [*_], "answer": _}:
            return "choice"
        case {"passage": _}:
            return "passage"
    return None


def _is_letter(option: str) -> bool:
    said = option.strip()
    return len(said) == 1 and said.isascii() and said.isupper()


def pair_name(attributes: Mapping[str, str | None]) -> str:
    """Name what two orders of one question share: the attribute `pair`, else every attribute but the order's own."""
    given = attributes.get("pair")
    return given or item_id([attributes[name] or "" for name in sorted(attributes) if name not in OWN_OF_AN_ORDER])
