"""Progress of a grid: runs done of planned, tokens a second, time left; silent in a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from seedlock.prereg.base.progress_bar import Bar, progress_bar
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
    with progress_bar("{task.completed:.1f} of {task.total:.0f} runs") as bar:
        yield Quiet() if bar is None else _Bar(bar)


class _Bar:
    """A rich bar whose unit is the run; a run under way counts by its share of steps."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._done = 0.0
        self._stages: dict[str, list[str]] = {}
        self._shares: dict[str, float] = {}
        self._tokens: dict[tuple[str, str], int] = {}
        self._began = time.monotonic()

    def begin(self, jobs: list[RunJob], done: int) -> None:
        self._stages = {job.run_id: [stage.name for stage in job.stages] for job in jobs}
        self._done = float(done)
        self._bar.begin("training", len(jobs), done)

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
        self._bar.update(completed=self._done + sum(self._shares.values()), said=rate)
