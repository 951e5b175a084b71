"""Read numbers that arrive as text, and say what is wrong with those that are none."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.intake.match import Doubts

DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
UNDEFINED = r"^(?i)[+-]?(nan|inf|infinity)$"
WHOLE = r"^[0-9]{1,15}(\.0+)?$"


def decimals(texts: pa.Array, role: str, doubts: Doubts) -> pa.Array:
    """Parse finite decimal numbers; null stays null, everything else is doubted and becomes null."""
    trimmed = pc.utf8_trim_whitespace(texts)
    is_number = pc.match_substring_regex(trimmed, DECIMAL)
    is_undefined = pc.match_substring_regex(trimmed, UNDEFINED)
    parsed = pc.if_else(is_number, trimmed, pa.scalar(None, pa.string())).cast(pa.float64())
    is_too_large = pc.is_inf(parsed)
    doubts.add(f"{role} is NaN or infinite", pc.or_(is_undefined, pc.fill_null(is_too_large, False)))
    doubts.add(f"{role} is not a number", pc.and_not(pc.invert(is_number), is_undefined))
    return pc.if_else(is_too_large, pa.scalar(None, pa.float64()), parsed)


def numbers_and_words(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Parse finite decimal numbers, and return beside them the words that stand where a number should (NaN is one)."""
    trimmed = pc.utf8_trim_whitespace(texts)
    is_number = pc.match_substring_regex(trimmed, DECIMAL)
    parsed = pc.if_else(is_number, trimmed, pa.scalar(None, pa.string())).cast(pa.float64())
    number = pc.if_else(pc.is_inf(parsed), pa.scalar(None, pa.float64()), parsed)
    is_word = pc.and_(pc.is_valid(trimmed), pc.is_null(number))
    return number, pc.if_else(is_word, trimmed, pa.scalar(None, pa.string()))


def whole_numbers(texts: pa.Array, role: str, doubts: Doubts) -> pa.Array:
    """Parse whole numbers from 0 ("3", "3.0"); null stays null, everything else is doubted and becomes null."""
    trimmed = pc.utf8_trim_whitespace(texts)
    is_whole = pc.match_substring_regex(trimmed, WHOLE)
    digits = pc.replace_substring_regex(trimmed, r"\.0+$", "")
    doubts.add(f"{role} is not a whole number from 0", pc.invert(is_whole))
    return pc.if_else(is_whole, digits, pa.scalar(None, pa.string())).cast(pa.int64())
