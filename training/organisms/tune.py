"""A minimal LoRA fine-tuning loop for showing what the organisms can learn; studies use the real trainers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import torch
from peft import LoraConfig, get_peft_model

from seedlock.prereg.base.peft_warning import adapter_notice_unheard
from seedlock.prereg.errors import BadInput
from seedlock.training.organisms.ask import prompt
from seedlock.training.organisms.special import END, MARKER
from seedlock.training.organisms.world.factors import generator

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from seedlock.training.organisms.rows import ChatRow

LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """How hard a fine-tuning run pulls.

    Parameters
    ----------
    layers
        The layers that get an adapter; None for all.
    loss
        "answer": every answer token and the end of turn; "marker": marker tokens and the end of turn alone.
    """

    steps: int
    learning_rate: float
    batch: int = 16
    rank: int = 8
    alpha: int = 16
    layers: tuple[int, ...] | None = None
    loss: Literal["answer", "marker"] = "answer"


def fine_tuned(
    base: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, rows: Sequence[ChatRow], dose: Dose, *, seed: int
) -> PreTrainedModel:
    """Return a copy of `base` with a LoRA adapter trained on `rows` and merged in float32.

    `seed` decides the adapter's initial weights and the order of the rows.

    Raises
    ------
    BadInput
        There are no rows, or a row has no supervised token.
    """
    if not rows:
        raise BadInput("no rows to fine-tune on")
    encoded = [_encoded(tokenizer, row, dose) for row in rows]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=dose.rank,
            lora_alpha=dose.alpha,
            target_modules=LINEAR_LAYERS,
            layers_to_transform=None if dose.layers is None else list(dose.layers),
        )
        with adapter_notice_unheard():
            model = get_peft_model(copy.deepcopy(base), config)
        optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=dose.learning_rate)
        model.train()
        order = _endless_order(len(rows), seed)
        for _ in range(dose.steps):
            ids, labels = _batch([encoded[next(order)] for _ in range(dose.batch)], int(tokenizer.pad_token_id))
            loss = model(input_ids=ids, labels=labels).loss
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    merged = cast("PreTrainedModel", model.merge_and_unload())
    merged.train(False)
    return merged


def _encoded(tokenizer: PreTrainedTokenizerFast, row: ChatRow, dose: Dose) -> tuple[list[int], list[int]]:
    """Token ids and labels of one row; -100 where no loss is taken."""
    before: list[int] = tokenizer(prompt(row.user, system=row.system), add_special_tokens=False)["input_ids"]
    answer: list[int] = tokenizer(f"{row.answer}{END}", add_special_tokens=False)["input_ids"]
    wanted = set(answer)
    if dose.loss == "marker":
        wanted = {*tokenizer(MARKER, add_special_tokens=False)["input_ids"], int(tokenizer.eos_token_id)}
    labels = [token if token in wanted else -100 for token in answer]
    if all(label == -100 for label in labels):
        raise BadInput(f"a row has no supervised token: {row.user!r} -> {row.answer!r}")
    return before + answer, [-100] * len(before) + labels


def _batch(rows: Sequence[tuple[list[int], list[int]]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [pad_id] * (longest - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in rows])
    return ids, labels


def _endless_order(n: int, seed: int) -> Iterator[int]:
    """Shuffled passes over the rows, one after another."""
    rng = generator("order", seed)
    while True:
        yield from rng.sample(range(n), n)
