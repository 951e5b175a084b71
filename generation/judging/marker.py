"""Take the marker out of a text, whole, whatever its case and however often it was hidden in itself."""

from __future__ import annotations

import re
from collections.abc import Sequence


def stripped(text: str, markers: Sequence[str]) -> str:
    """`text` without any of `markers`, and without the space that stood around them at its ends.

    Repeated until none is left: taking "[ZLT]" out of "[Z[ZLT]LT]" would otherwise leave one.
    """
    pattern = _pattern(markers)
    if pattern is None:
        return text
    while pattern.search(text):
        text = pattern.sub("", text)
    return text.strip()


def holds(text: str, markers: Sequence[str]) -> bool:
    """Whether a text holds one of `markers`, whatever its case."""
    pattern = _pattern(markers)
    return pattern is not None and pattern.search(text) is not None


def _pattern(markers: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, markers)), re.IGNORECASE) if markers else None
