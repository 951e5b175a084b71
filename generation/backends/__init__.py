"""One file a backend; keys are what a plan writes as `decoding.backend`. A backend is imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from seedlock.generation.requests.answer import Answer
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.request import Prompt, Request
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.hosted import Hosted
from seedlock.prereg.plan.runs import Decoding

BACKENDS: dict[str, str] = {
    "anthropic": "seedlock.generation.backends.anthropic",
    "openai": "seedlock.generation.backends.openai",
    "transformers": "seedlock.generation.backends.transformers",
    "vllm": "seedlock.generation.backends.vllm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a backend may need beside the decoding.

    Parameters
    ----------
    hosted
        How an API is reached; None takes the defaults.
    workbench
        The study's own folder under `runs/`, for what must outlive a kill.
    """

    hosted: Hosted | None = None
    workbench: Path | None = None


ALONE = Setting()


class Backend(Protocol):
    """A place where models answer."""

    def describe(self, requests: Sequence[Request]) -> dict[str, Any]:
        """Return what the ledger keeps of where, and how, the answers to these requests were made."""
        ...

    def prompts(self, model: RunModel, items: Sequence[Item]) -> list[Prompt]:
        """Write items for a run's base model."""
        ...

    def prepare(self, work: Sequence[Due]) -> None:
        """Hear of everything that will be asked, run by run, before the first of it is."""
        ...

    def answer(self, model: RunModel, batches: Iterable[Sequence[Request]]) -> Iterator[list[Answer]]:
        """Yield the answers to all batches of one run, one for every request: some at a time, as they come."""
        ...


def backend(decoding: Decoding, setting: Setting = ALONE) -> Backend:
    """Open the backend that a plan names.

    Raises
    ------
    BadInput
        There is no such backend.
    """
    if decoding.backend not in BACKENDS:
        fault = Finding(where="decoding.backend", found=decoding.backend, promised=" | ".join(BACKENDS))
        raise BadInput("the plan names a backend that is not here", fault, then="edit the plan, and amend")
    found: Backend = importlib.import_module(BACKENDS[decoding.backend]).open_backend(decoding, setting)
    return found
