"""Progress of a look inside: passes done of planned, and the run at hand; silent in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


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
    if not sys.stderr.isatty():
        yield Quiet()
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.total:,} readings"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield _Bar(bars)


class _Bar:
    """A rich bar whose unit is the reading."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._task: Any = None

    def begin(self, planned: int, done: int) -> None:
        self._task = self._bars.add_task("looking inside", total=planned, completed=done)

    def read(self, label: str, rows: int) -> None:
        self._bars.update(self._task, advance=rows, description=label)
