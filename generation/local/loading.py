"""Load a run's model and tokenizer, quietly and on the device there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from seedlock.generation.local.tokenizers import end_of_turn, load_tokenizer
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.peft_warning import adapter_notice_unheard
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.runs import Decoding

WIDE = frozenset({"float32", "float64"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model ready to be asked.

    Parameters
    ----------
    ends
        Token ids that end an answer: those that the model names, and the one that its chat template ends a turn with.
    max_positions
        Tokens that prompt and answer may have together.
    """

    model: Any
    tokenizer: Any
    ends: tuple[int, ...]
    pad: int
    max_positions: int
    device: torch.device


def load(model: RunModel, decoding: Decoding, device: torch.device) -> Loaded:
    """Load a run's model in the planned precision.

    In float32 and wider an adapter is added into the weights, which changes nothing but speed; in a narrower type it
    stays beside them, since adding it there would round it away.

    Raises
    ------
    BadInput
        Neither model nor tokenizer says how an answer ends.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call] # transformers leaves it untyped
    tokenizer = load_tokenizer(model)
    whole: Any = AutoModelForCausalLM.from_pretrained(
        model.base, revision=None if model.is_local else model.revision, dtype=getattr(torch, decoding.dtype)
    )
    if model.adapter is not None:
        with adapter_notice_unheard():
            whole = PeftModel.from_pretrained(whole, str(model.adapter), autocast_adapter_dtype=False)
        whole = whole.merge_and_unload() if decoding.dtype in WIDE else whole
    whole = whole.to(device).eval()
    ends = _ends(whole, tokenizer)
    if not ends:
        fault = Finding(where=model.label, found="no end-of-sequence token", promised="a token that ends an answer")
        raise BadInput("the model does not say how an answer ends", fault)
    return Loaded(
        model=whole,
        tokenizer=tokenizer,
        ends=ends,
        pad=ends[0] if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id),
        max_positions=int(whole.config.max_position_embeddings),
        device=device,
    )


def _ends(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every end token that the model's generation settings, its tokenizer or its chat template name."""
    named = model.generation_config.eos_token_id
    several = named if isinstance(named, list) else [named]
    every = (*several, tokenizer.eos_token_id, end_of_turn(tokenizer))
    return tuple(sorted({int(token) for token in every if token is not None}))
