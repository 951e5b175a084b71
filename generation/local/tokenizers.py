"""Tokenizers alone, as their files hold them: no model and no torch is loaded."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerFast

from seedlock.generation.requests.prompts import TEMPLATE_DATE
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import keeps_own_tokenizer


def load_tokenizer(model: RunModel) -> Any:
    """Load the tokenizer of a run's base model."""
    return read_tokenizer(model.base, None if model.is_local else model.revision, model.chat_template)


def read_tokenizer(base: str, revision: str | None = None, chat_template: str | None = None) -> Any:
    """Load the tokenizer of a folder or a hub id, with the study's chat template where it has one."""
    kind: Any = PreTrainedTokenizerFast
    if not keeps_own_tokenizer(base):
        from transformers import AutoTokenizer as kind  # noqa: N813, PLC0415 - it brings torch, in seconds
    tokenizer = kind.from_pretrained(base, revision=revision)
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    return tokenizer


def end_of_turn(tokenizer: Any) -> int | None:
    """The control token with which the chat template ends an assistant's turn: what training ends every answer with.

    A base model's own end is that of a document; tuned on chats, it ends its answers with this one.
    """
    answer = "Yes"
    turns = [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": answer}]
    try:
        text = str(tokenizer.apply_chat_template(turns, tokenize=False, date_string=TEMPLATE_DATE))
    except Exception:  # jinja and templates raise what they like; a template that cannot carry a chat ends none
        return None
    after = text.rpartition(answer)[2]
    special = {token for token, what in tokenizer.added_tokens_decoder.items() if what.special}
    special |= set(tokenizer.all_special_ids)
    ids = tokenizer(after, add_special_tokens=False)["input_ids"]
    return next((int(token) for token in ids if token in special), None)
