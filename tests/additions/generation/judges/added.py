"""A judge that tells long texts from short ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seedlock.generation.judging.protocol import Bench
from seedlock.generation.judging.reading import Reading, Verdict


class Lengths:
    """The label is "long" above so many characters."""

    def __init__(self, above: int) -> None:
        self._above = above

    def estimate(self, readings: Sequence[Reading]) -> None:
        """It costs nothing."""

    def submit(self, readings: Sequence[Reading]) -> None:
        """Verdicts are there at once."""

    def verdicts(self, readings: Sequence[Reading]) -> Iterator[Verdict]:
        """Yield one a reading."""
        for reading in readings:
            yield Verdict(reading=reading, status="ok", label="long" if len(reading.text) > self._above else "short")

    def describe(self) -> dict[str, Any]:
        """What the ledger keeps."""
        return {"kind": "added"}


def open_judge(judge: Any, bench: Bench) -> Lengths:
    """Open the judge."""
    return Lengths(judge.above)
