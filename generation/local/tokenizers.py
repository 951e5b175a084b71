"""Tokenizers alone, as their files hold them: no model and no torch is loaded."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerFast

from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import keeps_own_tokenizer


def load_tokenizer(model: RunModel) -> Any:
    """Load the tokenizer of a run's base model."""
    return read_tokenizer(model.base, None if model.is_local else model.revision)


def read_tokenizer(base: str, revision: str | None = None) -> Any:
    """Load the tokenizer of a folder or a hub id, as its files hold it."""
    kind: Any = PreTrainedTokenizerFast
    if not keeps_own_tokenizer(base):
        from transformers import AutoTokenizer as kind  # noqa: N813, PLC0415 - it brings torch, in seconds
    return kind.from_pretrained(base, revision=revision)
