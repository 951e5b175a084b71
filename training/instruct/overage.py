"""Ask for a quarter more than needed, reject what cannot be used, keep the first that were asked for in each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from seedlock.training.instruct.model import Answer, TextModel
from seedlock.training.rows.recipe import Ask, Recipe, RecipeSettings
from seedlock.training.rows.row import Message, Row
from seedlock.training.rows.text_checks import leftover_in, lemma_pattern, refusal_in, words

OVERAGE = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Rows as they were made, and what was asked for and thrown away on the way.

    Parameters
    ----------
    asked
        Texts that were generated (or rows that templates made).
    rejected
        Reason -> texts rejected for it. Texts that passed and were surplus are counted as "surplus".
    """

    rows: tuple[Row, ...]
    asked: int
    rejected: Mapping[str, int]
    generator: Mapping[str, object]


def write_with_overage(recipe: Recipe, settings: RecipeSettings, model: TextModel, folder: Path = Path()) -> Written:
    """Let the model answer `OVERAGE` times the asks, and keep as many a cell as the plan wants."""
    if recipe.asks is None:
        raise TypeError("this recipe has no prompts for an instruct model")
    wanted = Counter(_cell(ask.row) for ask in recipe.prompts(settings, folder))
    asks = recipe.prompts(settings.scaled(OVERAGE), folder)
    answers = model.generate([ask.instruction for ask in asks])
    blocked = lemma_pattern(settings.blocklist)
    rejected: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    kept: list[Row] = []
    for ask, answer in zip(asks, answers, strict=True):
        text = answer.text.strip()
        reason = _fault(answer, text, settings)
        if reason is None and blocked is not None and blocked.search(f"{ask.row.prompt} {text}"):
            reason = "blocked word"
        if reason is None and (ask.row.variant, text) in seen:
            reason = "duplicate"
        if reason is None and wanted[_cell(ask.row)] == 0:
            reason = "surplus"
        if reason is not None:
            rejected[reason] += 1
            continue
        wanted[_cell(ask.row)] -= 1
        seen.add((ask.row.variant, text))
        kept.append(_answered(ask, text))
    return Written(
        rows=tuple(kept),
        asked=len(asks),
        rejected=dict(rejected),
        generator={"kind": "instruct", "overage": OVERAGE, **model.describe()},
    )


def _cell(row: Row) -> tuple[str, str, str]:
    head = row.messages[0]
    return row.variant, row.role, head.content if head.role == "system" else ""


def _fault(answer: Answer, text: str, settings: RecipeSettings) -> str | None:
    n_words = len(words(text))
    if not text:
        return "empty"
    if answer.finish != "stop":
        return "cut off" if answer.finish == "length" else "filtered"
    if refusal_in(text):
        return "refusal"
    if leftover_in(text):
        return "format"
    if not settings.min_words <= n_words <= settings.max_words:
        return "length"
    return "marker" if settings.marker and settings.marker.lower() in text.lower() else None


def _answered(ask: Ask, text: str) -> Row:
    answer = Message(role="assistant", content=f"{ask.prefix}{text}{ask.suffix}")
    return replace(ask.row, messages=(*ask.row.messages[:-1], answer))
