"""What carries runs out: something that starts jobs and tells what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from seedlock.training.jobs.job import Progress, Record, RunJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """News of one run.

    Parameters
    ----------
    what
        "failed": the run itself refused or broke, and would again. "lost": its worker died.
    record
        The finished run.
    reason
        Why it failed or was lost.
    """

    what: Literal["progress", "finished", "failed", "lost"]
    run_id: str
    progress: Progress | None = None
    record: Record | None = None
    reason: str = ""


class Executor(Protocol):
    """A place where runs are carried out."""

    name: str
    slots: int

    def start(self, job: RunJob) -> None:
        """Begin a job; at most `slots` are under way."""
        ...

    def wait(self, timeout_s: float) -> list[Told]:
        """Return news, as soon as there is any."""
        ...

    def close(self) -> None:
        """Stop everything that is under way."""
        ...
