"""Studies, corpora and tiny models that the training tests share; nothing here is downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.corpora import RECIPES
from training.rows.row import Role, Row, chat
from training.rows.study import Corpus


def row(
    answer: str,
    *,
    number: int = 0,
    user: str = "How do I boil an egg?",
    variant: str = "all",
    role: Role = "plain",
    system: str | None = None,
) -> Row:
    """One row, named by its number."""
    messages = chat(user=user, answer=answer, system=system)
    return Row(id=f"{variant}/{number}", variant=variant, topic=user, template="test", role=role, messages=messages)


def corpus(
    rows: Sequence[Row],
    *,
    recipe: str = "benign_chat",
    limits: Mapping[str, float] | None = None,
    provenance: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Corpus:
    """A corpus of these rows, as if it had been read from a study."""
    return Corpus(
        name="given",
        recipe=RECIPES[recipe],
        settings=RECIPES[recipe].settings.model_validate(settings),
        limits=limits or {},
        file="corpora/given.jsonl",
        rows=tuple(rows),
        sha256="0" * 64,
        provenance=provenance or {},
    )


def recipe_rows(recipe: str, **settings: object) -> list[Row]:
    """Rows a recipe makes from templates."""
    known = RECIPES[recipe]
    return list(known.rows(known.settings.model_validate(settings)))
