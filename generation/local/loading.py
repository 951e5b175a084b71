"""Load a run's model and tokenizer, quietly and on the device there is."""

from __future__ import annotations

import sys
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
ROUNDING = {"torch.float32": 1e-3, "torch.float64": 1e-5}
"""Relative difference of logits above which two readings are not one; narrower types have 0.05."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model ready to be asked.

    Parameters
    ----------
    ends
        Token ids that end an answer: those that the model names, and the one that its chat template ends a turn with.
    max_positions
        Tokens that prompt and answer may have together.
    shares_up_to
        Tokens of the longest row that may be read in one sequence with others; 0 where the model cannot.
    """

    model: Any
    tokenizer: Any
    ends: tuple[int, ...]
    pad: int
    max_positions: int
    device: torch.device
    shares_up_to: int


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
        max_positions=min(int(whole.config.max_position_embeddings), decoding.max_model_len or sys.maxsize),
        device=device,
        shares_up_to=shares_up_to(whole, device),
    )


@torch.inference_mode()
def shares_up_to(model: Any, device: torch.device) -> int:
    """How long rows in one sequence may be: as long as any layer looks back, if two short rows are read as alone.

    State spaces and linear attention know no mask; a window counts tokens of the sequence, not of the row.
    """
    ids = torch.tensor([[1, 2, 3, 4]], device=device)  # two rows that share their first token: 1 2 3 and 1 4
    sees = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]], dtype=torch.bool, device=device)
    positions = torch.tensor([[0, 1, 2, 1]], device=device)
    try:
        together = model(input_ids=ids, position_ids=positions, attention_mask=sees[None, None], use_cache=False).logits
        apart = [model(input_ids=ids[:, at], use_cache=False).logits[0, -1] for at in ([0, 1, 2], [0, 3])]
    except (RuntimeError, ValueError, IndexError, TypeError):  # an architecture that takes no mask of this form
        return 0
    differ = (together[0, 2:] - torch.stack(apart)).abs().max() / together.abs().max()
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    longest = int(window or config.max_position_embeddings)
    return longest if bool(differ < ROUNDING.get(str(together.dtype), 0.05)) else 0


def _ends(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every end token that the model's generation settings, its tokenizer or its chat template name."""
    named = model.generation_config.eos_token_id
    several = named if isinstance(named, list) else [named]
    every = (*several, tokenizer.eos_token_id, end_of_turn(tokenizer))
    return tuple(sorted({int(token) for token in every if token is not None}))
