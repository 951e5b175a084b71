"""A model that says the last words of its prompt again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from seedlock.generation.backends import Setting
from seedlock.generation.requests.answer import Answer, said
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.request import Prompt, Request
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.plan.runs import Decoding


class Echo:
    """Answers at once."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding

    def describe(self, requests: Sequence[Request]) -> dict[str, Any]:
        """What the ledger keeps."""
        return {"backend": self._decoding.backend}

    def prompts(self, model: RunModel, items: Sequence[Item]) -> list[Prompt]:
        """No prompt is written."""
        return []

    def prepare(self, work: Sequence[Due]) -> None:
        """Nothing to hear of."""

    def answer(self, model: RunModel, batches: Iterable[Sequence[Request]]) -> Iterator[list[Answer]]:
        """Yield the answers of each batch."""
        for batch in batches:
            yield [said(one, "again", finish="stop", new_tokens=1, decoding=self._decoding) for one in batch]


def open_backend(decoding: Decoding, setting: Setting) -> Echo:
    """Open the backend."""
    return Echo(decoding)
