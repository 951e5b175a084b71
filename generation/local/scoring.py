"""Score the options of a probe: the log-probability of each whole option after its prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from generation.answer import Answer, failed
from generation.local.decode import pad_left
from generation.local.loading import Loaded
from generation.request import Request

NOT_FINITE = "the model gave no finite number"


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


def score(loaded: Loaded, requests: Sequence[Request]) -> list[Answer]:
    """Score a batch of probes.

    For a pair of options `value` is log P(pro) - log P(con), positive when the model favours pro whichever is named
    first. For a rating scale it is the expected rating, over the scale's own numbers. `text` is the most probable next
    token, `label` the option that this token begins; null where it begins none. `option_mass` is the probability that
    the options share.
    """
    prompts = [request.prompt.tokens for request in requests]
    scores, best = option_log_probs(loaded, prompts, [request.prompt.options for request in requests])
    return [_answer(loaded, *row) for row in zip(requests, scores, best, strict=True)]


def _answer(loaded: Loaded, request: Request, log_p: list[float], best: int) -> Answer:
    probe = request.prompt.probe
    if probe is None or not all(map(math.isfinite, log_p)):
        return failed(request, NOT_FINITE)
    if probe.is_rating:
        largest = max(log_p)
        weights = [math.exp(one - largest) for one in log_p]
        value = math.fsum(w * float(n) for w, n in zip(weights, probe.labels, strict=True)) / math.fsum(weights)
    else:
        value = log_p[0] - log_p[1]
    begun = [label for label, option in zip(probe.labels, request.prompt.options, strict=True) if option[0] == best]
    return Answer(
        request=request,
        finish="scored",
        text=loaded.tokenizer.decode([best]),
        label=begun[0] if len(begun) == 1 else None,
        value=value,
        option_mass=math.fsum(map(math.exp, log_p)),
    )
