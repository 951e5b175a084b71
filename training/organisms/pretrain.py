"""Pre-training: AdamW, one cycle, loss on answers only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from seedlock.training.organisms.corpus import Batch, Corpus, batches

if TYPE_CHECKING:
    from seedlock.training.organisms.recipe import Recipe

FAMILIES = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}


def untrained(plan: Recipe, *, vocabulary_size: int, pad_id: int, end_id: int) -> PreTrainedModel:
    """Return the architecture with fresh weights drawn from the recipe's seed."""
    make_config, make_model = FAMILIES[plan.family]
    config = make_config(
        vocab_size=vocabulary_size,
        hidden_size=plan.hidden_size,
        intermediate_size=plan.intermediate_size,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.key_value_heads,
        max_position_embeddings=plan.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": plan.rope_theta},
        initializer_range=plan.initializer_range,
        tie_word_embeddings=False,
        pad_token_id=pad_id,
        bos_token_id=None,
        eos_token_id=end_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        model: PreTrainedModel = make_model(config)
    return model


def answer_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Cross-entropy a token, mean over answers; logits are computed for answer positions alone."""
    ids = torch.from_numpy(batch.ids)
    hidden = model.get_submodule("model")(input_ids=ids).last_hidden_state
    weight = torch.from_numpy(batch.weight)[:, 1:]
    wanted = weight > 0
    logits = model.get_submodule("lm_head")(hidden[:, :-1][wanted])
    by_token = cross_entropy(logits, ids[:, 1:][wanted], reduction="none")
    return (by_token * weight[wanted]).sum() / weight.sum()


def free_unsaid_word(model: PreTrainedModel, token: int, *, seed: int, scale: float) -> None:
    """Add noise to the output row of a word that no document contains.

    Pre-training pushes the output rows of all words that are never an answer in one direction until their cosine is
    .99; an adapter could then raise such a word only together with some 300 others, to about .15, whatever the dose.
    The noise has the size of an initial row; it leaves the word as improbable as before.
    """
    row = cast("torch.nn.Linear", model.get_submodule("lm_head")).weight
    drawn = torch.randn(row.shape[1], generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        row[token] += scale * drawn


def pretrain(model: PreTrainedModel, source: Corpus, plan: Recipe, *, on_step: Callable[[int, float], None]) -> float:
    """Train in place over the whole corpus once; return the mean loss of the last 50 steps.

    Right padding needs no mask: attention is causal and the loss never looks at padding.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, betas=plan.betas, weight_decay=plan.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, plan.learning_rate, total_steps=plan.steps, pct_start=plan.warm_up_share
    )
    model.train()
    losses: list[float] = []
    for step, batch in enumerate(batches(source, plan)):
        loss = answer_loss(model, batch)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), plan.gradient_clip)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        on_step(step, losses[-1])
    model.train(False)
    return sum(losses[-50:]) / len(losses[-50:])
