"""Score a probe: the log-probability of each whole option after its prompt, or of every token of a passage."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from seedlock.generation.local.loading import Loaded
from seedlock.generation.local.reading import read_trees
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
    enters. Whatever prompts and options share at their beginning is read once.
    """
    wanted = [(number, option) for number, several in enumerate(options) for option in several]
    rows = [prompts[number] + option[:-1] for number, option in wanted]
    found: dict[int, float] = {}
    best: dict[int, int] = {}
    for read in read_trees(loaded, rows, [len(prompts[number]) - 1 for number, _ in wanted], cached=False):
        at = {node: i for i, node in enumerate(read.kept)}
        first = read.logits.argmax(dim=-1).tolist()
        for row, path in zip(read.tree.rows, read.tree.paths, strict=True):
            number, option = wanted[row]
            after = [at[node] for node in path[len(prompts[number]) - 1 :]]
            best[number] = first[after[0]]
            found[row] = math.fsum(_said(read.logits[after], option))
    scores = iter(found[row] for row in range(len(rows)))
    return [[next(scores) for _ in several] for several in options], [best[number] for number in range(len(prompts))]


def _said(logits: torch.Tensor, tokens: Sequence[int]) -> list[float]:
    """Log-probability of one token a row of logits, in float64."""
    found: list[float] = []
    said = torch.tensor(tokens, device=logits.device)
    for rows, these in zip(torch.split(logits, SLICE), torch.split(said, SLICE), strict=True):
        wide = rows.double()
        found += (wide.gather(1, these[:, None])[:, 0] - wide.logsumexp(dim=-1)).tolist()
    return found


@torch.inference_mode()
def passage_log_probs(loaded: Loaded, prompt: tuple[int, ...], passage: tuple[int, ...]) -> list[float]:
    """Log-probability of every token of a fixed text, each given all before it; read alone, without padding."""
    ids = torch.tensor([[*prompt, *passage]], device=loaded.device)
    logits = loaded.model(input_ids=ids[:, :-1], logits_to_keep=len(passage)).logits[0]
    return _said(logits, passage)


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
