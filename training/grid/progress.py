"""Progress of a grid: runs done of planned, tokens a second, time left; silent in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from seedlock.training.jobs.job import Progress, RunJob


class TrainProgress(Protocol):
    """Told of everything that happens; shows what it likes."""

    def begin(self, jobs: list[RunJob], done: int) -> None:
        """The grid, and how many runs of it are done already."""
        ...

    def step(self, progress: Progress) -> None:
        """A run took steps."""
        ...

    def ended(self, run_id: str, *, well: bool) -> None:
        """A run finished or failed."""
        ...


class Quiet:
    """Shows nothing."""

    def begin(self, jobs: list[RunJob], done: int) -> None:
        """Show nothing."""

    def step(self, progress: Progress) -> None:
        """Show nothing."""

    def ended(self, run_id: str, *, well: bool) -> None:
        """Show nothing."""


@contextmanager
def terminal_progress() -> Iterator[TrainProgress]:
    """One bar for the grid with throughput and time left, where stderr is a terminal; else quiet."""
    if not sys.stderr.isatty():
        yield Quiet()
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:.0f} runs"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield _Bar(bars)


class _Bar:
    """A rich bar whose unit is the run; a run under way counts by its share of steps."""

    def __init__(self, bars) -> None:  # type: ignore[no-untyped-def] # rich.progress.Progress
        self._bars = bars
        self._task = None
        self._done = 0.0
        self._stages: dict[str, list[str]] = {}
        self._shares: dict[str, float] = {}
        self._tokens: dict[tuple[str, str], int] = {}
        self._began = time.monotonic()

    def begin(self, jobs: list[RunJob], done: int) -> None:
        self._stages = {job.run_id: [stage.name for stage in job.stages] for job in jobs}
        self._done = float(done)
        self._task = self._bars.add_task("training", total=len(jobs), completed=done, rate="")

    def step(self, progress: Progress) -> None:
        stages = self._stages[progress.run_id]
        at = stages.index(progress.stage) + progress.step / progress.steps
        self._shares[progress.run_id] = at / len(stages)
        self._tokens[(progress.run_id, progress.stage)] = progress.tokens
        self._show()

    def ended(self, run_id: str, *, well: bool) -> None:
        self._shares.pop(run_id, None)
        self._done += 1.0 if well else 0.0
        self._show()

    def _show(self) -> None:
        seconds = time.monotonic() - self._began
        rate = f"{sum(self._tokens.values()) / seconds:,.0f} tokens/s" if seconds > 1 else ""
        self._bars.update(self._task, completed=self._done + sum(self._shares.values()), rate=rate)
