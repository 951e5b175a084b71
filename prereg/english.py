"""Numbers and nouns that agree."""

from __future__ import annotations


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """`1 study`, `2 studies`: the count and its noun, the plural given where it is more than an s."""
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"
