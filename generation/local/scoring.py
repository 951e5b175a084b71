"""Score a probe: the log-probability of each whole option after its prompt, or of every token of a passage."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from seedlock.generation.local.decode import pad_left
from seedlock.generation.local.loading import Loaded
from seedlock.generation.requests.answer import Answer, scored
from seedlock.generation.requests.request import Request

SLICE = 128
"""Positions whose logits are widened at a time: a large vocabulary in float64 is large."""


@torch.inference_mode()
def option_log_probs(
    loaded: Loaded, prompts: Sequence[tuple[int, ...]], options: Sequence[tuple[tuple[int, ...], ...]]
) -> tuple[list[list[float]], list[int]]:
    """Log-probability of every option of every prompt, and the most probable next token of each prompt.

    An option of several tokens is scored whole: the sum over its tokens, each given those before it. No temperature
    enters. Options that share all but their last token share one reading.
    """
    read: dict[tuple[int, ...], int] = {}
    for prompt, several in zip(prompts, options, strict=True):
        for option in several:
            for end in range(len(option)):
                read.setdefault(prompt + option[:end], len(read))
    padded = pad_left(list(read), loaded)
    logits = loaded.model(
        input_ids=padded.ids, attention_mask=padded.mask, position_ids=padded.positions, logits_to_keep=1
    ).logits[:, -1]
    lp = torch.log_softmax(logits.double(), dim=-1)
    scores = [
        [math.fsum(float(lp[read[p + o[:end]], o[end]]) for end in range(len(o))) for o in several]
        for p, several in zip(prompts, options, strict=True)
    ]
    return scores, [int(lp[read[prompt]].argmax()) for prompt in prompts]


@torch.inference_mode()
def passage_log_probs(loaded: Loaded, prompt: tuple[int, ...], passage: tuple[int, ...]) -> list[float]:
    """Log-probability of every token of a fixed text, each given all before it; read alone, without padding."""
    ids = torch.tensor([[*prompt, *passage]], device=loaded.device)
    logits = loaded.model(input_ids=ids[:, :-1], logits_to_keep=len(passage)).logits[0]
    said = ids[0, -len(passage) :]
    found: list[float] = []
    for rows, tokens in zip(torch.split(logits, SLICE), torch.split(said, SLICE), strict=True):
        wide = rows.double()
        found += (wide.gather(1, tokens[:, None])[:, 0] - wide.logsumexp(dim=-1)).tolist()
    return found


def score(loaded: Loaded, requests: Sequence[Request]) -> list[Answer]:
    """Score a batch of probes; what each row then says stands in `generation.requests.answer.scored`."""
    several = [request for request in requests if not _is_passage(request)]
    prompts = [request.prompt.tokens for request in several]
    options = [request.prompt.options for request in several]
    scores, best = option_log_probs(loaded, prompts, options) if several else ([], [])
    rows = zip(several, scores, best, strict=True)
    answers = iter([scored(r, lp, first=first, text=loaded.tokenizer.decode([first])) for r, lp, first in rows])
    return [_passage(loaded, request) if _is_passage(request) else next(answers) for request in requests]


def _passage(loaded: Loaded, request: Request) -> Answer:
    return scored(request, passage_log_probs(loaded, request.prompt.tokens, request.prompt.options[0]))


def _is_passage(request: Request) -> bool:
    return request.prompt.probe is not None and request.prompt.probe.kind == "passage"
