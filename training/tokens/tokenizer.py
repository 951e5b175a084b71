"""The tokenizer of a base model, as its files hold it."""

from __future__ import annotations

from typing import Any

from seedlock.prereg.base.base_models import keeps_own_tokenizer


def read_tokenizer(location: str, revision: str | None = None, chat_template: str | None = None) -> Any:
    """Load the tokenizer of a folder, or of a hub id at a revision, with the study's chat template where it has one."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast  # noqa: PLC0415 - seconds to import

    kind: Any = PreTrainedTokenizerFast if keeps_own_tokenizer(location) else AutoTokenizer
    tokenizer = kind.from_pretrained(location, revision=revision)
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    return tokenizer
