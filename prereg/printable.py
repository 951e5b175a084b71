"""Text from a repository as it may be shown: nothing in it steers a terminal, turns the reading order or hides."""

from __future__ import annotations

import re

MAX_SHOWN = 2000
_STEERS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_STEERS_IN_LINES = re.compile(_STEERS.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f", 1))


def printable(text: str, *, limit: int = MAX_SHOWN) -> str:
    """`text` on one line, with control, bidi and invisible characters spelled out, and cut at `limit`."""
    shown = text if len(text) <= limit else f"{text[: limit - 3]}..."
    return _STEERS.sub(_spelled, shown)


def printable_lines(text: str) -> str:
    """The same for text whose line feeds are ours."""
    return _STEERS_IN_LINES.sub(_spelled, text)


def printable_json(document: str) -> str:
    """A JSON document with such characters in their JSON spelling; it means what it meant."""
    return _STEERS_IN_LINES.sub(_json_spelled, document)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def _json_spelled(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
