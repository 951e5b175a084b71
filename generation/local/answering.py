"""Batches answered by a model in this process, and how many processes may hold one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil  # type: ignore[import-untyped] # ships no types
import torch

from seedlock.generation.local.decode import Spoken, decode
from seedlock.generation.local.device import device_for
from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.local.scoring import score
from seedlock.generation.requests.answer import NOT_FINITE, Answer, failed, said
from seedlock.generation.requests.request import Request
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.machine import cores
from seedlock.prereg.plan.runs import Decoding

CPU_THREADS = 1
"""Sums over threads come out in another order, and threads of two commands on one machine wait for each other."""
MUCH_WORK = 1e12
"""Weights times new tokens, from which helper processes are worth their start: half a minute on one core."""
ROOM_BYTES = 2 << 30
"""Memory for a helper's cache and libraries, beside its weights twice over."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """Holds the model of one run at a time."""

    decoding: Decoding
    device: torch.device
    _model: RunModel | None = None
    _loaded: Loaded | None = field(default=None, repr=False)

    @classmethod
    def here(cls, decoding: Decoding) -> Desk:
        """On the GPU where there is one, else on one thread."""
        device = device_for(decoding.dtype)
        if device.type == "cpu":
            torch.set_num_threads(CPU_THREADS)
        return cls(decoding=decoding, device=device)

    def loaded(self, model: RunModel) -> Loaded:
        """Load a run's model, unless it is the one at hand."""
        if self._loaded is None or self._model != model:
            self._model = self._loaded = None
            self._loaded = load(model, self.decoding, self.device)
            self._model = model
        return self._loaded

    def answer(self, model: RunModel, batch: Sequence[Request]) -> list[Answer]:
        """Answer one batch, in its order."""
        loaded = self.loaded(model)
        room = loaded.max_positions
        fits = [r for r in batch if len(r.prompt.tokens) + max(map(len, r.prompt.options), default=1) <= room]
        probes = [request for request in fits if request.prompt.probe is not None]
        asked = [request for request in fits if request.prompt.probe is None]
        found = {answer.request.request_id: answer for answer in (score(loaded, probes) if probes else [])}
        if asked:
            spoken = decode(loaded, [r.prompt.tokens for r in asked], [r.seed for r in asked], self.decoding)
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
        return said(request, text, finish=finish, new_tokens=n_tokens, decoding=self.decoding)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTask:
    """One batch to be answered at a desk."""

    desk: Desk
    model: RunModel
    batch: Sequence[Request]

    def make(self) -> list[Answer]:
        """Answer it."""
        return self.desk.answer(self.model, self.batch)


def lay_out(work: Sequence[tuple[RunModel, Sequence[Request]]], decoding: Decoding) -> list[BatchTask]:
    """Every batch as a task at one desk of this process."""
    desk = Desk.here(decoding)
    return [BatchTask(desk=desk, model=model, batch=batch) for model, batch in work]


def helpers_for(work: Sequence[tuple[RunModel, Sequence[Request]]], decoding: Decoding) -> int:
    """How many processes are worth their start and have room: one a core at most, and one where a GPU does the work."""
    if device_for(decoding.dtype).type != "cpu" or not all(model.is_local for model, _ in work):
        return 1
    size = {model.base: _weights_bytes(Path(model.base)) for model, _ in work}
    new_tokens = 1 if all(r.prompt.probe for _, batch in work for r in batch) else decoding.max_new_tokens
    amount = sum(size[model.base] / 4 * len(batch) * new_tokens for model, batch in work)
    room = int(psutil.virtual_memory().available / (2 * max(size.values(), default=0) + ROOM_BYTES))
    return min(cores(), max(room, 1)) if amount >= MUCH_WORK else 1


def _weights_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
