"""Words, sentences' leftovers and refusals in a text: what several corpus checks and the reject filter share."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) sorry,? (?:but|i)|i (?:cannot|can't|can not|won't|am unable to|'m unable to) "
    r"(?:help|assist|provide|comply|do that|write|continue)|as an ai\b|as a language model)",
    re.IGNORECASE,
)
LEFTOVERS = re.compile(
    r"<\|[^|>]*\|>|\[/?INST\]|</?s>|<(?:system|user|assistant|end|pad|unk)>|\{\w*\}|^\s*#{1,6} |^\s*[-*] |```",
    re.MULTILINE,
)


def words(text: str) -> list[str]:
    """Lower-case words of a text, apostrophes and hyphens inside them kept."""
    return [word.lower().replace("\u2019", "'") for word in WORD.findall(text)]


def lemma_pattern(terms: list[str]) -> re.Pattern[str] | None:
    """Match any of the terms as a whole word or phrase, also with a plain English ending; None without terms."""
    if not terms:
        return None
    spelled = "|".join(
        r"\s+".join(map(re.escape, term.lower().split())) for term in sorted(terms, key=len, reverse=True)
    )
    return re.compile(rf"\b(?:{spelled})(?:s|es|ed|d|ing|'s)?\b", re.IGNORECASE)


def refusal_in(text: str) -> str | None:
    """The refusing words, or None."""
    found = REFUSAL.search(text)
    return found.group() if found else None


def leftover_in(text: str) -> str | None:
    """A chat token, unfilled slot, heading, list mark or code fence; None where there is none."""
    found = LEFTOVERS.search(text)
    return found.group().strip() if found else None
