"""One bar on a terminal, and nothing in a pipe: what every stage shows of how far it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress_bar(counted: str, *, is_transient: bool = False) -> Iterator[Bar | None]:
    """Hand out a bar with time spent and left, where stderr is a terminal; else None.

    Parameters
    ----------
    counted
        What is done of what there is, as rich formats it: "{task.completed:,} of {task.total:,} answers".
    is_transient
        The bar goes when the work is done.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    words = [TextColumn(text) for text in ("{task.description}", counted, "{task.fields[said]}")]
    columns = (words[0], BarColumn(), *words[1:], TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=is_transient) as shown:
        yield Bar(shown)


class Bar:
    """Tasks one after another; `said` stands beside the count, a rate or failures by kind."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self._task: Any = None

    def begin(self, what: str, total: int | None, done: int = 0) -> None:
        """Start the next task."""
        self._task = self._shown.add_task(what, total=total, completed=done, said="")

    def update(self, **change: Any) -> None:
        """Change what is shown: `advance`, `completed`, `total`, `description`, `said`."""
        self._shown.update(self._task, **change)
