"""Numbers and nouns that agree."""

from __future__ import annotations


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """`1 study`, `2 studies`: the count and its noun, the plural given where it is more than an s."""
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"


def plural(noun: str) -> str:
    """Several of a noun that an author chose: families, studies, arms."""
    if noun.endswith("y") and noun[-2:-1] not in {*"aeiou", ""}:
        return f"{noun[:-1]}ies"
    return noun if noun.endswith("s") else f"{noun}s"
