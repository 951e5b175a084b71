"""One file a backend; keys are what a plan writes as `decoding.backend`. A backend is imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from generation.answer import Answer
from generation.items import Item
from generation.request import Prompt, Request
from generation.run_models import RunModel
from prereg.errors import BadInput, Finding
from prereg.run_tables import Decoding

BACKENDS: dict[str, str] = {
    "transformers": "generation.backends.transformers",
}


class Backend(Protocol):
    """A place where models answer."""

    def describe(self) -> dict[str, Any]:
        """Return what the ledger keeps of where answers were made."""
        ...

    def prompts(self, model: RunModel, items: Sequence[Item]) -> list[Prompt]:
        """Write items for a run's base model."""
        ...

    def answer(self, model: RunModel, batches: Iterable[Sequence[Request]]) -> Iterator[list[Answer]]:
        """Yield the answers of each batch of one run, in the batch's order: one for every request."""
        ...


def backend(decoding: Decoding) -> Backend:
    """Open the backend that a plan names.

    Raises
    ------
    BadInput
        There is no such backend.
    """
    if decoding.backend not in BACKENDS:
        fault = Finding(where="decoding.backend", found=decoding.backend, promised=" | ".join(BACKENDS))
        raise BadInput("the plan names a backend that is not here", fault, then="edit the plan, and amend")
    found: Backend = importlib.import_module(BACKENDS[decoding.backend]).open_backend(decoding)
    return found
