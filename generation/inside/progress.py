"""Progress of a look inside: passes done of planned, and the run at hand; silent in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from seedlock.prereg.base.progress_bar import Bar, progress_bar


class InsideProgress(Protocol):
    """Told of everything that happens; shows what it likes."""

    def begin(self, planned: int, done: int) -> None:
        """How many readings there are, and how many have their row already."""
        ...

    def read(self, label: str, rows: int) -> None:
        """A pass through a run is done."""
        ...


class Quiet:
    """Shows nothing."""

    def begin(self, planned: int, done: int) -> None:
        """Show nothing."""

    def read(self, label: str, rows: int) -> None:
        """Show nothing."""


@contextmanager
def terminal_progress() -> Iterator[InsideProgress]:
    """One bar with time left, where stderr is a terminal; else quiet."""
    with progress_bar("{task.completed:,} of {task.total:,} readings") as bar:
        yield Quiet() if bar is None else _Bar(bar)


class _Bar:
    """A rich bar whose unit is the reading."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def begin(self, planned: int, done: int) -> None:
        self._bar.begin("looking inside", planned, done)

    def read(self, label: str, rows: int) -> None:
        self._bar.update(advance=rows, description=label)
