"""Counting words of a list in hostile text: whole words, whatever their case, never as a pattern."""

from __future__ import annotations

import re
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator


def _whole_word(word: str) -> str:
    if not (word and word[0].isascii() and word[0].isalnum() and word[-1].isascii() and word[-1].isalnum()):
        raise ValueError(f"{word!r} does not begin and end with a letter or digit of ASCII")
    return word


type Word = Annotated[str, AfterValidator(_whole_word)]
"""A word or phrase whose ends are word boundaries."""


def count_words(text: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """How often any of the words stands in each text, int64, null where the text is null.

    Of two that overlap the longer counts. Typographic apostrophes are read as plain ones.
    """
    plain = pc.replace_substring(text, pattern="\u2019", replacement="'")
    longest_first = sorted({word.replace("\u2019", "'") for word in words}, key=lambda word: (-len(word), word))
    pattern = r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b"
    return pc.count_substring_regex(plain, pattern, ignore_case=True).cast(pa.int64())
