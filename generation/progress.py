"""Progress of a generation: answers done of planned, rate, time left, failures by kind; silent in a pipe."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from seedlock.generation.requests.answer import Answer


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
    if not sys.stderr.isatty():
        yield Quiet()
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.total:,} answers"),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield _Bar(bars)


class _Bar:
    """A rich bar whose unit is the answer."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._task: Any = None
        self._new = 0
        self._troubles: Counter[str] = Counter()
        self._began = time.monotonic()

    def begin(self, planned: int, done: int) -> None:
        self._task = self._bars.add_task("generating", total=planned, completed=done, said="")

    def answered(self, answers: Sequence[Answer]) -> None:
        self._new += len(answers)
        self._troubles.update(answer.status for answer in answers if answer.status != "ok")
        seconds = max(time.monotonic() - self._began, 1e-3)
        troubles = "".join(f", {n} {status}" for status, n in sorted(self._troubles.items()))
        self._bars.update(self._task, advance=len(answers), said=f"{self._new / seconds:,.0f}/s{troubles}")
