"""What stands ready while a study is looked into: loaded models, prompts and requests, one run at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched

import torch

from seedlock.generation.local.answering import CPU_THREADS
from seedlock.generation.local.device import device_for
from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.local.scoring import score
from seedlock.generation.local.tokenizers import load_tokenizer
from seedlock.generation.requests.answer import Answer, failed
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.prompts import prompts_for
from seedlock.generation.requests.request import Prompt, Request, requests_of
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.plan.runs import Decoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An item set as one base model reads it."""

    prompts: tuple[Prompt, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Item ids, in order."""
        return tuple(prompt.item_id for prompt in self.prompts)


class Bench:
    """Loads each run once, the unmodified model beside it.

    Parameters
    ----------
    batch_size
        Prompts read at a time; no reading depends on it beyond rounding.
    """

    def __init__(self, items: Sequence[Item], decoding: Decoding, batch_size: int) -> None:
        self._items = items
        self._decoding = decoding
        self._asked: dict[tuple[str | None, ...], Asked] = {}
        self._held: dict[str, tuple[RunModel, Loaded]] = {}
        self.batch_size = batch_size
        self.device = device_for(decoding.dtype)
        if self.device.type == "cpu":
            torch.set_num_threads(CPU_THREADS)

    def asked(self, run: RunModel, item_set: str) -> Asked:
        """Prompts of an item set, written once a base model, prompts of like length together."""
        key = (run.base, run.revision, run.chat_template, item_set)
        if key not in self._asked:
            wanted = [item for item in self._items if item.item_set == item_set]
            prompts = prompts_for(wanted, load_tokenizer(run))
            ordered = sorted(prompts, key=lambda p: (len(p.tokens), p.item_id))
            self._asked[key] = Asked(prompts=tuple(ordered))
        return self._asked[key]

    def loaded(self, run: RunModel) -> Loaded:
        """Return a run's model; at most one tuned and one unmodified model stay in memory."""
        place = "base" if run.adapter is None and run.adapter_sha256 is None else "tuned"
        if place not in self._held or self._held[place][0] != run:
            self._held.pop(place, None)
            self._held[place] = (run, load(run, self._decoding, self.device))
        return self._held[place][1]

    def score(self, loaded: Loaded, run: RunModel, prompts: Sequence[Prompt]) -> list[Answer]:
        """Score probes with a model as it stands now, whatever hooks it has."""
        answers: list[Answer] = []
        for batch in batched(self.requests(run, prompts), self.batch_size):
            answers += self._scored(loaded, batch)
        return answers

    def requests(self, run: RunModel, prompts: Sequence[Prompt]) -> list[Request]:
        """One request a prompt, in order."""
        return list(requests_of(run, prompts, self._decoding.model_copy(update={"draws": 1})))

    @staticmethod
    def _scored(loaded: Loaded, batch: Sequence[Request]) -> list[Answer]:
        room = loaded.max_positions
        fits = [r for r in batch if len(r.prompt.tokens) + max(map(len, r.prompt.options), default=1) <= room]
        found = {a.request.request_id: a for a in (score(loaded, fits) if fits else [])}
        too_long = f"the prompt leaves no room in the model's {room} positions"
        return [found.get(request.request_id) or failed(request, too_long) for request in batch]
