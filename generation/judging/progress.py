"""Progress of judging: the estimate before anything is paid, then judgements done; in a pipe the cost alone."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from seedlock.generation.judging.cost import Estimate
from seedlock.generation.judging.reading import Verdict
from seedlock.prereg.base.progress_bar import Bar, progress_bar


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

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._troubles: Counter[str] = Counter()

    def begin(self, judge: str, readings: int) -> None:
        self._troubles.clear()
        self._bar.begin(f"judging: {judge}", readings)

    def judged(self, verdict: Verdict) -> None:
        if verdict.status != "ok":
            self._troubles[verdict.status] += 1
        said = ", ".join(f"{n} {status}" for status, n in sorted(self._troubles.items()))
        self._bar.update(advance=1, said=said)


@contextmanager
def terminal_progress() -> Iterator[JudgeProgress]:
    """One bar a judge with rate and time left, where stderr is a terminal; else only what it will cost."""
    with progress_bar("{task.completed:,} of {task.total:,} judgements") as bar:
        yield _Told() if bar is None else _Bar(bar)
