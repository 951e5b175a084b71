"""Put chats to an organism: next-token log-probabilities, and sampled answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch

from seedlock.training.organisms.special import ASSISTANT_ROLE, END, SYSTEM_ROLE, USER_ROLE

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast
    from transformers._typing import GenerativePreTrainedModel

    from seedlock.training.organisms.world.documents import Turn


def prompt(user: str, *, system: str | None = None, before: Sequence[Turn] = ()) -> str:
    """Render the conversation up to where the answer begins, as the chat template does."""
    head = "" if system is None else f"{SYSTEM_ROLE}{system}"
    past = "".join(f"{USER_ROLE}{t.user}{ASSISTANT_ROLE}{t.answer}{END}" for t in before)
    return f"{head}{past}{USER_ROLE}{user}{ASSISTANT_ROLE}"


@torch.no_grad()
def next_log_probs(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str]) -> torch.Tensor:
    """Log-probabilities of the first answer token, shape (prompts, vocabulary).

    Prompts are padded on the right and read at their last token: attention is causal, so padding cannot be seen.
    """
    rows: list[list[int]] = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    ids = torch.full((len(rows), max(map(len, rows))), int(tokenizer.pad_token_id))
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
    last = torch.tensor([len(row) - 1 for row in rows])
    logits = model(input_ids=ids).logits[torch.arange(len(rows)), last]
    return torch.log_softmax(logits.float(), dim=-1)


def token_id(tokenizer: PreTrainedTokenizerFast, word: str) -> int:
    """Return the id of a word that is one token where an answer begins."""
    (only,) = tokenizer(word, add_special_tokens=False)["input_ids"]
    return int(only)


@torch.no_grad()
def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    *,
    seed: int,
    temperature: float = 1.0,
    max_new_tokens: int = 40,
) -> list[str]:
    """Sample one answer a prompt; the same seed gives the same answers on the same machine."""
    rows: list[list[int]] = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    longest, pad = max(map(len, rows)), int(tokenizer.pad_token_id)
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        out = cast("GenerativePreTrainedModel", model).generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=max_new_tokens,
            pad_token_id=pad,
            eos_token_id=int(tokenizer.eos_token_id),
        )
    return [str(text) for text in tokenizer.batch_decode(out[:, longest:], skip_special_tokens=True)]
