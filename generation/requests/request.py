"""Requests: every run x item x draw that the plan promises, named by everything that determines its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedlock.generation.requests.items import Turn
from seedlock.generation.requests.probes import Probe
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.canonical import Sha256
from seedlock.prereg.plan.runs import Decoding
from seedlock.schemas.identity import request_id

SEED_BITS = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One item as a model reads it: token ids, written once for all runs on that model.

    Parameters
    ----------
    options
        Token ids of every option of a probe, as they follow the prompt; empty where the model answers freely.
    turns
        What is said, where an API writes the tokens itself; `tokens` and `options` are empty then.
    """

    item_id: str
    tokens: tuple[int, ...]
    sha256: Sha256
    probe: Probe | None
    options: tuple[tuple[int, ...], ...]
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing asked of one run. `seed` is its own: no other request, batch or order has a part in it."""

    request_id: Sha256
    run_id: str
    draw: int
    seed: int
    prompt: Prompt


def requests_of(model: RunModel, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[Request]:
    """Yield every request of a run; a probe is asked once, everything else `draws` times."""
    for prompt in prompts:
        for draw in range(draws_of(prompt.probe, decoding)):
            seed = request_seed(decoding.seed, model.run_id, prompt.item_id, draw)
            yield Request(
                request_id=request_id(
                    {
                        "run_id": model.run_id,
                        "item_id": prompt.item_id,
                        "draw": draw,
                        "model": model.revision,
                        "adapter": model.adapter_sha256 or "none",
                        "prompt": prompt.sha256,
                        "backend": decoding.backend,
                        "dtype": decoding.dtype,
                        "temperature": repr(decoding.temperature),
                        "top_p": repr(decoding.top_p),
                        "max_new_tokens": decoding.max_new_tokens,
                        "cut_off": decoding.cut_off,
                        "seed": seed,
                        **({} if model.served is None else {"served": model.served}),
                    }
                ),
                run_id=model.run_id,
                draw=draw,
                seed=seed,
                prompt=prompt,
            )


def draws_of(probe: Probe | None, decoding: Decoding) -> int:
    """How often a prompt is put to each run."""
    return 1 if probe is not None else decoding.draws


def request_seed(plan_seed: int, run_id: str, item_id: str, draw: int) -> int:
    """Derive a request's own seed, a whole number below 2^53."""
    digest = hashlib.sha256(f"{plan_seed}\x1f{run_id}\x1f{item_id}\x1f{draw}".encode()).digest()
    return int.from_bytes(digest[:8]) >> (64 - SEED_BITS)
