"""Progress of judging: the estimate before anything is paid, then judgements done; in a pipe the cost alone."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from seedlock.generation.judging.cost import Estimate
from seedlock.generation.judging.reading import Verdict


class JudgeProgress(Protocol):
    """Told of everything that happens; shows what it likes."""

    def estimate(self, estimate: Estimate) -> None:
        """What a judge will cost, before anything is asked."""
        ...

    def begin(self, judge: str, readings: int) -> None:
        """A judge begins with so many texts."""
        ...

    def judged(self, verdict: Verdict) -> None:
        """One verdict came."""
        ...


class Quiet:
    """Shows nothing."""

    def estimate(self, estimate: Estimate) -> None:
        """Show nothing."""

    def begin(self, judge: str, readings: int) -> None:
        """Show nothing."""

    def judged(self, verdict: Verdict) -> None:
        """Show nothing."""


class _Told(Quiet):
    """The estimate alone, on stderr: what costs money is told in a pipe too."""

    def estimate(self, estimate: Estimate) -> None:
        sys.stderr.write(f"cost      {estimate.line()}\n")
        sys.stderr.flush()


class _Bar(_Told):
    """A rich bar a judge, its unit the judgement."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._task: Any = None
        self._troubles: Counter[str] = Counter()

    def begin(self, judge: str, readings: int) -> None:
        self._troubles.clear()
        self._task = self._bars.add_task(f"judging: {judge}", total=readings, said="")

    def judged(self, verdict: Verdict) -> None:
        if verdict.status != "ok":
            self._troubles[verdict.status] += 1
        said = ", ".join(f"{n} {status}" for status, n in sorted(self._troubles.items()))
        self._bars.update(self._task, advance=1, said=said)


@contextmanager
def terminal_progress() -> Iterator[JudgeProgress]:
    """One bar a judge with rate and time left, where stderr is a terminal; else only what it will cost."""
    if not sys.stderr.isatty():
        yield _Told()
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.total:,} judgements"),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield _Bar(bars)
