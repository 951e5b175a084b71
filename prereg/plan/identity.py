"""What a hypothesis or gate is called where it is tested: by its name, or by name and level."""

from __future__ import annotations

from typing import Self


class HypothesisId(str):
    """`H1`, or `H1[level]` of a hypothesis or gate with `per`; the one place that knows this spelling."""

    __slots__ = ("base", "level")
    base: str
    level: str | None

    def __new__(cls, base: str, level: str | None = None) -> Self:
        """Put both together."""
        made = super().__new__(cls, base if level is None else f"{base}[{level}]")
        made.base, made.level = base, level
        return made

    @classmethod
    def read(cls, text: str) -> Self:
        """Take apart what a plan or results.json says."""
        base, bracket, level = text.partition("[")
        return cls(base, level.removesuffix("]") if bracket else None)

    def is_meant_by(self, name: str) -> bool:
        """Whether a plan that says `name` speaks of this: by its whole name, or of every level."""
        return name in {str(self), self.base}
