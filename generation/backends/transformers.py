"""The embedded default: models in processes of this machine, on the CPU or a GPU, through transformers and peft."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import batched, groupby
from typing import Any

import torch

from seedlock.generation.backends import Setting
from seedlock.generation.local.answering import Desk, helpers_for, lay_out
from seedlock.generation.local.tokenizers import load_tokenizer
from seedlock.generation.local.worker_pool import Part, carried_out
from seedlock.generation.requests.answer import Answer
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.prompts import prompts_for
from seedlock.generation.requests.request import Prompt, Request
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.plan.runs import Decoding

PART = 8
"""Batches handed out at a time, all of one run: a helper loads a run's model once for them."""


class TransformersBackend:
    """Answers batches with one model after another in memory; on a CPU, helpers answer later runs meanwhile.

    No answer depends on who gave it: batches are the same, and every process uses one thread.
    """

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._desk = Desk.here(decoding)
        self._firsts: list[str] = []
        self._helped: Iterator[tuple[int, list[Answer]]] = iter(())
        self._early: dict[str, list[Answer]] = {}

    def describe(self, requests: Sequence[Request]) -> dict[str, Any]:  # noqa: ARG002 - the same for all of them
        """Return what the ledger keeps of where answers were made."""
        return {"device": self._desk.device.type, "threads": torch.get_num_threads(), "dtype": self._decoding.dtype}

    def prompts(self, model: RunModel, items: Sequence[Item]) -> list[Prompt]:
        """Write items for a run's base model."""
        return prompts_for(items, load_tokenizer(model))

    def prepare(self, work: Sequence[Due]) -> None:
        """Let helpers begin where there is much to do; a batch is known by its first request."""
        batches = [(due.model, batch) for due in work for batch in due.batches]
        helpers = helpers_for(batches, self._decoding)
        self._firsts = [batch[0].request_id for _, batch in batches]
        self._helped, self._early = iter(()), {}
        if helpers > 1:
            again = partial(lay_out, batches, self._decoding)
            self._helped = carried_out(again, parts_of(batches, helpers), workers=helpers, preload=__name__)

    def answer(self, model: RunModel, batches: Iterable[Sequence[Request]]) -> Iterator[list[Answer]]:
        """Yield the answers of each batch, in the batch's order; what helpers leave out is answered here."""
        for batch in batches:
            yield self._from_helpers(batch) or self._desk.answer(model, batch)

    def _from_helpers(self, batch: Sequence[Request]) -> list[Answer] | None:
        first = batch[0].request_id
        while first not in self._early and (told := next(self._helped, None)) is not None:
            index, answers = told
            self._early[self._firsts[index]] = answers
        return self._early.pop(first, None)


def parts_of(batches: Sequence[tuple[RunModel, Sequence[Request]]], helpers: int) -> list[Part]:
    """Indices of batches in parts that stay with one run; single batches where there are fewer runs than helpers."""
    runs = [list(own) for _, own in groupby(range(len(batches)), key=lambda index: batches[index][0].run_id)]
    size = PART if len(runs) >= helpers else 1
    return [part for own in runs for part in batched(own, size)]


def open_backend(decoding: Decoding, setting: Setting) -> TransformersBackend:  # noqa: ARG001 - others need a setting
    """Make the backend for a plan's decoding."""
    return TransformersBackend(decoding)
