"""The embedded default: a model in this process, on the CPU or a GPU, through transformers and peft."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import torch

from seedlock.generation.backends import Setting
from seedlock.generation.local.decode import Spoken, decode
from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.local.scoring import score
from seedlock.generation.local.tokenizers import load_tokenizer
from seedlock.generation.requests.answer import NOT_FINITE, Answer, failed, said
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.prompts import prompts_for
from seedlock.generation.requests.request import Prompt, Request
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.plan.runs import Decoding

CPU_THREADS = 1
"""Sums over threads come out in another order, and threads of two commands on one machine wait for each other."""


class TransformersBackend:
    """Answers batches with one model after another in memory."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self._device.type == "cpu":
            torch.set_num_threads(CPU_THREADS)

    def describe(self, requests: Sequence[Request]) -> dict[str, Any]:  # noqa: ARG002 - the same for all of them
        """Return what the ledger keeps of where answers were made."""
        return {"device": self._device.type, "threads": torch.get_num_threads(), "dtype": self._decoding.dtype}

    def prompts(self, model: RunModel, items: Sequence[Item]) -> list[Prompt]:
        """Write items for a run's base model."""
        return prompts_for(items, load_tokenizer(model))

    def prepare(self, work: Sequence[tuple[RunModel, Sequence[Request]]]) -> None:
        """Nothing is asked before its turn."""

    def answer(self, model: RunModel, batches: Iterable[Sequence[Request]]) -> Iterator[list[Answer]]:
        """Yield the answers of each batch, in the batch's order."""
        loaded = load(model, self._decoding, self._device)
        for batch in batches:
            yield self._answer(loaded, batch)

    def _answer(self, loaded: Loaded, batch: Sequence[Request]) -> list[Answer]:
        room = loaded.max_positions
        fits = [r for r in batch if len(r.prompt.tokens) + max(map(len, r.prompt.options), default=1) <= room]
        probes = [request for request in fits if request.prompt.probe is not None]
        asked = [request for request in fits if request.prompt.probe is None]
        found = {answer.request.request_id: answer for answer in (score(loaded, probes) if probes else [])}
        if asked:
            spoken = decode(loaded, [r.prompt.tokens for r in asked], [r.seed for r in asked], self._decoding)
            texts = loaded.tokenizer.batch_decode(
                [one.tokens for one in spoken], skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            for request, one, text in zip(asked, spoken, texts, strict=True):
                found[request.request_id] = self._completed(request, one, text)
        too_long = f"the prompt leaves no room in the model's {room} positions"
        return [found.get(request.request_id) or failed(request, too_long) for request in batch]

    def _completed(self, request: Request, spoken: Spoken, text: str) -> Answer:
        if spoken.finish == "failed":
            return failed(request, NOT_FINITE)
        n_tokens = len(spoken.tokens)
        finish: Literal["stop", "length"] = "length" if spoken.finish == "length" else "stop"
        return said(request, text, finish=finish, new_tokens=n_tokens, decoding=self._decoding)


def open_backend(decoding: Decoding, setting: Setting) -> TransformersBackend:  # noqa: ARG001 - others need a setting
    """Make the backend for a plan's decoding."""
    return TransformersBackend(decoding)
