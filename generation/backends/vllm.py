"""vLLM offline, in a process of its own: one adapter a call, token ids in, checked by a canary against transformers."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from seedlock.generation.backends import Setting
from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.local.tokenizers import load_tokenizer
from seedlock.generation.requests.answer import Answer, failed, said, scored
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.prompts import prompts_for
from seedlock.generation.requests.request import Prompt, Request
from seedlock.generation.requests.run_models import RunModel
from seedlock.generation.vllm_offline.adapters import AdapterNames, room_for
from seedlock.generation.vllm_offline.canary import ROWS, TOKENS, compare
from seedlock.generation.vllm_offline.client import Line
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.runs import Decoding

CHUNK = 4096
"""Requests a call: enough that vLLM is never short of work, few enough to be stored every so often."""
REPLY_S = 1800.0


class VllmBackend:
    """Holds one worker, for one base model after another."""

    def __init__(self, decoding: Decoding, workbench: Path) -> None:
        self._decoding = decoding
        self._log = workbench / "vllm.log"
        self._names = AdapterNames()
        self._room: dict[str, int] = {}
        self._line: Line | None = None
        self._base = ""
        self._opened_for = 0
        self._told: dict[str, Any] = {}
        self._canary: list[float] = []

    def describe(self, requests: Sequence[Request]) -> dict[str, Any]:  # noqa: ARG002 - the same for all of them
        """Return what the ledger keeps of where answers were made."""
        worst = float(f"{max(self._canary):.1e}") if self._canary else None
        canary = {"runs": len(self._canary), "rows_each": ROWS, "worst": worst}
        return {**self._told, "dtype": self._decoding.dtype, "canary": canary}

    def prompts(self, model: RunModel, items: Sequence[Item]) -> list[Prompt]:
        """Write items for a run's base model."""
        return prompts_for(items, load_tokenizer(model))

    def prepare(self, work: Sequence[Due]) -> None:
        """Refuse adapters that vLLM cannot carry, and make room for the largest on each base model."""
        models = [due.model for due in work]
        for base in {m.base for m in models}:
            self._room[base] = max(self._room.get(base, 0), room_for(m for m in models if m.base == base))

    def answer(self, model: RunModel, batches: Iterable[Sequence[Request]]) -> Iterator[list[Answer]]:
        """Yield answers some thousand at a time."""
        loaded = load(model, self._decoding, torch.device("cpu"))
        line = self._open(model, loaded.max_positions)
        run = _Run(line, loaded, self._names.of(model), self._decoding)
        requests = [request for batch in batches for request in batch]
        self._canary.append(run.canary(requests, model.label))
        for start in range(0, len(requests), CHUNK):
            yield run.answers(requests[start : start + CHUNK])

    def _open(self, model: RunModel, positions: int) -> Line:
        room = self._room.get(model.base, room_for([model]))
        if self._line is not None and self._base == model.base and self._opened_for >= room:
            return self._line
        if self._line is not None:
            self._line.close()
        line = Line(self._log, timeout_s=REPLY_S)
        weakref.finalize(self, line.close)
        self._line, self._base, self._opened_for = line, model.base, room
        self._told = line.ask(
            {
                "model": model.base,
                "revision": None if model.is_local else model.revision,
                "dtype": self._decoding.dtype,
                "positions": positions,
                "devices": self._decoding.tensor_parallel,
                "max_rank": room,
            }
        )
        return line


class _Run:
    """One run on the worker: everything said names its adapter, and no other's."""

    def __init__(self, line: Line, loaded: Loaded, adapter: dict[str, str | int] | None, decoding: Decoding) -> None:
        self._line = line
        self._loaded = loaded
        self._adapter = adapter
        self._decoding = decoding

    def canary(self, requests: Sequence[Request], label: str) -> float:
        """Answer a few prompts greedily, score the answers, and have transformers score them too."""
        spread = [r for r in requests if r.prompt.tokens]
        spread = spread[:: max(1, len(spread) // ROWS)][:ROWS]
        prompts = [r.prompt.tokens[: self._loaded.max_positions - TOKENS] for r in spread]
        rows = [{"tokens": prompt, "max_tokens": TOKENS, "seed": 0} for prompt in prompts]
        answered = self._ask("answer", rows, temperature=0.0, top_p=1.0)
        tokens = [row["tokens"] for row in answered]
        scores = self._score([(p, tuple(t)) for p, t in zip(prompts, tokens, strict=True) if t])
        log_p = iter(scores)
        told = [(p, t, next(log_p)[0] if t else ()) for p, t in zip(prompts, tokens, strict=True)]
        return compare(self._loaded, told, label=label, dtype=self._decoding.dtype)

    def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests, in their order."""
        room = self._loaded.max_positions
        fits = [r for r in requests if len(r.prompt.tokens) + max(map(len, r.prompt.options), default=0) < room]
        found = {a.request.request_id: a for a in self._completed([r for r in fits if r.prompt.probe is None])}
        found |= {a.request.request_id: a for a in self._probed([r for r in fits if r.prompt.probe is not None])}
        too_long = f"the prompt leaves no room in the model's {room} positions"
        return [found.get(request.request_id) or failed(request, too_long) for request in requests]

    def _completed(self, requests: Sequence[Request]) -> Iterator[Answer]:
        if not requests:
            return
        room, most = self._loaded.max_positions, self._decoding.max_new_tokens
        rows = [
            {"tokens": r.prompt.tokens, "max_tokens": min(most, room - len(r.prompt.tokens)), "seed": r.seed}
            for r in requests
        ]
        told = self._ask("answer", rows, temperature=self._decoding.temperature, top_p=self._decoding.top_p)
        texts = self._loaded.tokenizer.batch_decode(
            [row["tokens"] for row in told], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        for request, row, text in zip(requests, told, texts, strict=True):
            if row["finish"] not in {"stop", "length"}:
                yield failed(request, f"vLLM ended the answer: {row['finish']}")
            else:
                n_tokens = len(row["tokens"])
                yield said(request, text, finish=row["finish"], new_tokens=n_tokens, decoding=self._decoding)

    def _probed(self, requests: Sequence[Request]) -> Iterator[Answer]:
        scores = iter(self._score([(r.prompt.tokens, option) for r in requests for option in r.prompt.options]))
        for request in requests:
            told = [next(scores) for _ in request.prompt.options]
            probe = request.prompt.probe
            if probe is not None and probe.kind == "passage":
                yield scored(request, told[0][0])
            else:
                first = told[0][1]
                log_p = [sum(tokens) for tokens, _ in told]
                yield scored(request, log_p, first=first, text=self._loaded.tokenizer.decode([first]))

    def _score(self, rows: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[tuple[list[float], int]]:
        """Log-probability of every token of a continuation, and the most probable token after the prompt."""
        if not rows:
            return []
        read: dict[tuple[tuple[int, ...], int], int] = {}
        for prompt, tokens in rows:
            for at, token in enumerate(tokens):
                read.setdefault((prompt + tokens[:at], token), len(read))
        told = self._ask("score", [{"tokens": before, "wanted": token} for before, token in read])
        return [
            (
                [told[read[prompt + tokens[:at], token]]["log_p"] for at, token in enumerate(tokens)],
                told[read[prompt, tokens[0]]]["first"],
            )
            for prompt, tokens in rows
        ]

    def _ask(self, op: str, rows: Sequence[dict[str, Any]], **settings: float) -> list[dict[str, Any]]:
        ends = list(self._loaded.ends)
        told: list[dict[str, Any]] = self._line.ask(
            {"op": op, "adapter": self._adapter, "rows": rows, "ends": ends, **settings}
        )["rows"]
        return told


def open_backend(decoding: Decoding, setting: Setting) -> VllmBackend:
    """Make the backend for a plan's decoding.

    Raises
    ------
    BadInput
        vLLM does not compute in the planned type.
    """
    if decoding.dtype == "float64" or setting.workbench is None:
        fault = Finding(where="decoding.dtype", found=decoding.dtype, promised="float32 | bfloat16 | float16")
        raise BadInput("vLLM cannot be used like this", fault, then="edit the plan, and amend")
    return VllmBackend(decoding, setting.workbench)
