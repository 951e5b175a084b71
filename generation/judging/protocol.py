"""What a kind of judge is to the rest: something that gives every reading one verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from seedlock.generation.judging.cost import Estimate
from seedlock.generation.judging.reading import Reading, Verdict
from seedlock.sentences import Encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a judge works.

    Parameters
    ----------
    name
        Its name in the plan.
    study
        The study folder, with the rubric and word files that the lock pins.
    folder
        `runs/STUDY/judges/NAME`: what was asked and answered.
    retries
        How often a failed judgement is asked for again.
    encoder
        The plan's sentence encoder, where the judge reads by it.
    """

    name: str
    study: Path
    folder: Path
    retries: int
    encoder: Encoder | None = None


class Judge(Protocol):
    """One kind of judge, opened for one study."""

    def estimate(self, readings: Sequence[Reading]) -> Estimate | None:
        """What judging these would cost; None where it costs nothing."""
        ...

    def submit(self, readings: Sequence[Reading]) -> None:
        """Hand in what is judged in bulk, without waiting for it."""
        ...

    def verdicts(self, readings: Sequence[Reading]) -> Iterator[Verdict]:
        """Yield one verdict for each reading, in any order."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what the ledger keeps of how the verdicts were made, once they are."""
        ...
