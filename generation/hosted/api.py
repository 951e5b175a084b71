"""The few calls of a provider that asking needs, behind a Protocol, and the ways in which a call can fail."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from seedlock.generation.hosted.asking import Ask, Outcome

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header under which an idempotent endpoint knows a request that it has carried out."""


class Busy(Exception):
    """The request was not carried out, and may be sent again: too many requests, a server error, nobody there.

    Parameters
    ----------
    wait_s
        Seconds the provider asks to wait for; None where it does not say.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Unsettled(Exception):
    """The answer never came, or cannot be read: the request may have been carried out, and paid for."""


class Rejected(Exception):
    """The provider will not carry out this request, however often it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """How far a batch is.

    Parameters
    ----------
    refused
        Why the provider refuses the whole batch and carried out nothing of it; None where it does not.
    """

    ended: bool
    done: int
    total: int
    refused: str | None = None


class Api(Protocol):
    """One provider through its own SDK.

    Parameters
    ----------
    max_batch
        Requests that one batch may hold.
    max_batch_bytes
        Bytes that its requests may have together.
    """

    max_batch: int
    max_batch_bytes: int

    async def ask(self, ask: Ask) -> Outcome:
        """Send one request once.

        Raises
        ------
        Busy, Unsettled, Rejected
            There is no answer.
        BadInput
            No request at all would be answered: the key or the model's name is wrong.
        """
        ...

    async def hang_up(self) -> None:
        """Close the line that `ask` opened, in the event loop that it was opened in."""
        ...

    def close(self) -> None:
        """Close the line of files and batches."""
        ...

    def body(self, ask: Ask) -> bytes:
        """A request as it stands in a batch, for its size."""
        ...

    def create(self, label: str, asks: Sequence[Ask]) -> str:
        """Create a batch once and return its id; it costs money from here on.

        Raises
        ------
        Busy, Unsettled, BadInput
            There is no id. After Unsettled, look for the batch before creating another.
        """
        ...

    def find(self, label: str, asks: Sequence[Ask], *, since: datetime, taken: Collection[str]) -> str | None:
        """Id of the batch made under this label at or after `since`, or None; never one of `taken`."""
        ...

    def look(self, batch: str) -> BatchState:
        """How a batch is doing."""
        ...

    def results(self, batch: str) -> Iterator[Outcome | str]:
        """Yield what an ended batch holds, in any order; a line that cannot be read is yielded as text."""
        ...
