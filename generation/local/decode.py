"""Answer a batch of prompts: what they share is read once, then every row goes its own way until it is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seedlock.generation.local.loading import Loaded
from seedlock.generation.local.reading import read_prompts
from seedlock.generation.local.sampling import pick, uniforms
from seedlock.generation.requests.answer import Finish
from seedlock.prereg.plan.runs import Decoding

KEPT_SHARE = 0.75
"""Rows still speaking, of those in the cache, below which the others are dropped from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """The tokens of one answer, without the one that ended it."""

    tokens: tuple[int, ...]
    finish: Finish


@torch.inference_mode()
def decode(
    loaded: Loaded, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], decoding: Decoding
) -> list[Spoken]:
    """Answer every prompt, each by its own seed.

    Parameters
    ----------
    prompts
        Token ids, each shorter than the model's positions; equal prompts and equal beginnings are read once.
    seeds
        One a prompt.

    Returns
    -------
    list[Spoken]
        In the order of `prompts`. `finish` is "failed" where the model gave no finite number.
    """
    n_rows = len(prompts)
    limits = torch.tensor([min(decoding.max_new_tokens, loaded.max_positions - len(p)) for p in prompts])
    limits = limits.to(loaded.device)
    steps = int(limits.max())
    u = uniforms(seeds, steps).to(loaded.device)
    ends = torch.tensor(loaded.ends, device=loaded.device)

    read = read_prompts(loaded, prompts)
    cache, logits, mask, position = read.cache, read.logits, read.mask, read.position

    said = torch.full((n_rows, steps), loaded.pad, device=loaded.device)
    length = torch.zeros(n_rows, dtype=torch.long, device=loaded.device)
    ended = torch.zeros(n_rows, dtype=torch.bool, device=loaded.device)
    broken = torch.zeros(n_rows, dtype=torch.bool, device=loaded.device)
    rows = torch.arange(n_rows, device=loaded.device)  # which answer each row of the cache belongs to
    for step in range(steps):
        is_finite = logits.amax(dim=-1).isfinite()
        token = pick(logits.nan_to_num(), u[rows, step], temperature=decoding.temperature, top_p=decoding.top_p)
        is_live = ~ended[rows] & ~broken[rows] & (length[rows] < limits[rows])
        broken[rows] |= is_live & ~is_finite
        is_end = torch.isin(token, ends)
        ended[rows] |= is_live & is_finite & is_end
        speaks = is_live & is_finite & ~is_end
        said[rows[speaks], step] = token[speaks]
        length[rows] += speaks.long()
        goes_on = speaks & (length[rows] < limits[rows])
        if not bool(goes_on.any()):
            break
        if int(goes_on.sum()) < KEPT_SHARE * len(rows):
            kept = goes_on.nonzero().squeeze(-1)
            cache.batch_select_indices(kept)
            rows, token, mask, position = rows[kept], token[kept], mask[kept], position[kept]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=-1)
        position = position + 1
        logits = _next(loaded, token.unsqueeze(-1), mask, position.unsqueeze(-1), cache)
    return [_spoken(*row) for row in zip(said.tolist(), length.tolist(), ended.tolist(), broken.tolist(), strict=True)]


def _next(loaded: Loaded, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any) -> torch.Tensor:
    """Logits of the token after each row, shape (rows, vocabulary), in float32 or wider."""
    out = loaded.model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: torch.Tensor = out.logits[:, -1]
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _spoken(said: list[int], length: int, ended: bool, broken: bool) -> Spoken:
    finish: Finish = "failed" if broken else "stop" if ended else "length"
    return Spoken(tokens=tuple(said[:length]), finish=finish)
