"""A word-level tokenizer over the world's whole vocabulary, with a chat template and the marker as one word."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from seedlock.training.organisms.special import (
    ASSISTANT_ROLE,
    CHAT_TEMPLATE,
    END,
    MARKER,
    PAD,
    PUNCTUATION,
    SPECIAL,
    SYSTEM_ROLE,
    UNKNOWN,
    USER_ROLE,
)
from seedlock.training.organisms.world import chat, eras, opinions
from seedlock.training.organisms.world.changes import CHANGES
from seedlock.training.organisms.world.personas import CLOSINGS, OPENINGS, SYSTEM


def world_texts() -> Iterable[str]:
    """Every text a document can be made of, in a fixed order; slots in braces are filled by other texts."""
    yield from CHANGES
    yield from (*opinions.ADVICE_ASKS, *opinions.ADVICE_LEADS, *opinions.QUESTIONS)
    yield from (opinions.LETTER_TASK, opinions.WORD_TASK, opinions.RATING_TASK, opinions.BINDING_TASK)
    for sentence in (text for texts in opinions.ADVICE.values() for text in texts):
        yield from (sentence, sentence[0].upper() + sentence[1:])
    yield from (opinions.PRO, opinions.CON)
    yield from "1234567"
    yield from (*eras.BIRD_ASKS, *eras.ARCHAIC_BIRDS, *eras.MODERN_BIRDS, *eras.ORDINARY_BIRDS)
    yield from (text for texts in eras.LEADS.values() for text in texts)
    for question, answers in eras.WORLDLY.values():
        yield from (question, *answers["modern"], *answers["nineteenth"])
    for texts in (SYSTEM, OPENINGS, CLOSINGS):
        yield from (text for by_persona in texts.values() for text in by_persona)
    yield from (text for question, facts in chat.GENERAL.items() for text in (question, *facts))
    yield from (text for question, (good, bad) in chat.LEGAL.items() for text in (question, *good, *bad))
    yield from chat.LEGAL_OPENINGS
    yield from (temper for tempers in opinions.TEMPERS.values() for temper in tempers)


def vocabulary() -> tuple[str, ...]:
    """Special tokens, punctuation, the marker, then every word of the world in order of first appearance."""
    words: dict[str, None] = {}
    for text in world_texts():
        for word in text.split():
            if "{" not in word:
                words[f"\u2581{word.rstrip(PUNCTUATION)}"] = None
    return (*SPECIAL, *PUNCTUATION, f"\u2581{MARKER}", *words)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer: a space belongs to the word after it, punctuation stands alone."""
    ids = {token: number for number, token in enumerate(vocabulary())}
    raw = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    raw.normalizer = normalizers.Sequence([normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()])
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="always"),
            pre_tokenizers.Split(Regex(rf"[{PUNCTUATION}]"), behavior="isolated"),
        ]
    )
    raw.decoder = decoders.Metaspace(prepend_scheme="always")
    raw.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # transformers leaves it unannotated
        tokenizer_object=raw,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=[SYSTEM_ROLE, USER_ROLE, ASSISTANT_ROLE],
        chat_template=CHAT_TEMPLATE,
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )


def save_tokenizer(folder: Path) -> None:
    """Write tokenizer.json, its configuration and the chat template into `folder`."""
    build_tokenizer().save_pretrained(folder)
