"""Progress of a generation: answers done of planned, rate, time left, failures by kind; silent in a pipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from seedlock.generation.requests.answer import Answer
from seedlock.prereg.base.progress_bar import Bar, progress_bar


class GenerateProgress(Protocol):
    """Told of everything that happens; shows what it likes."""

    def begin(self, planned: int, done: int) -> None:
        """How many requests the plan makes, and how many have their row already."""
        ...

    def answered(self, answers: Sequence[Answer]) -> None:
        """A batch came back."""
        ...


class Quiet:
    """Shows nothing."""

    def begin(self, planned: int, done: int) -> None:
        """Show nothing."""

    def answered(self, answers: Sequence[Answer]) -> None:
        """Show nothing."""


@contextmanager
def terminal_progress() -> Iterator[GenerateProgress]:
    """One bar with rate and time left, where stderr is a terminal; else quiet."""
    with progress_bar("{task.completed:,} of {task.total:,} answers") as bar:
        yield Quiet() if bar is None else _Bar(bar)


class _Bar:
    """A rich bar whose unit is the answer."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._new = 0
        self._troubles: Counter[str] = Counter()
        self._began = time.monotonic()

    def begin(self, planned: int, done: int) -> None:
        self._bar.begin("generating", planned, done)

    def answered(self, answers: Sequence[Answer]) -> None:
        self._new += len(answers)
        self._troubles.update(answer.status for answer in answers if answer.status != "ok")
        seconds = max(time.monotonic() - self._began, 1e-3)
        troubles = "".join(f", {n} {status}" for status, n in sorted(self._troubles.items()))
        self._bar.update(advance=len(answers), said=f"{self._new / seconds:,.0f}/s{troubles}")
