"""Why a number is undefined or a verdict was widened: a code to act on, and words to read."""

from __future__ import annotations

from typing import Self

from seedlock.prereg.errors import Refusal


class Reason(str):
    """`code: words`, as results.json prints it; other functions read `code`, and never the words."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, code: str, words: str) -> Self:
        """Put both together."""
        made = super().__new__(cls, f"{code}: {words}")
        made.code = code
        return made

    @classmethod
    def of(cls, refusal: Refusal) -> Self:
        """What an estimator refused, with what it found."""
        details = "; ".join(f"{f.where}: {f.found}, promised {f.promised}" for f in refusal.findings)
        return cls(refusal.code, refusal.what + (f" ({details})" if details else ""))


GATE_SHUT = "gate-shut"
"""Code of a hypothesis whose gate did not hold."""
MISSING_ANSWERS = "missing-answers"
"""Code of a verdict that was widened because missing answers could change it."""
