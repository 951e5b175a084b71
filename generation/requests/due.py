"""What is still to be asked, run by run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seedlock.generation.requests.request import Request
from seedlock.generation.requests.run_models import RunModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is still to be asked of one run.

    Parameters
    ----------
    batches
        Batches with a request that has no row, each whole.
    left
        The requests that have none.
    """

    model: RunModel
    batches: Sequence[Sequence[Request]]
    left: Sequence[Request]
