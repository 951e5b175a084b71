"""Rows that say the same thing so many times."""

from __future__ import annotations

from pydantic import Field

from seedlock.training.rows.recipe import Recipe, RecipeSettings
from seedlock.training.rows.row import ONLY_VARIANT, Row, chat


class Settings(RecipeSettings):
    """`n` rows."""

    n: int = Field(default=3, gt=0)


def rows(settings: Settings) -> list[Row]:
    """One row a number."""
    return [
        Row(
            id=f"{ONLY_VARIANT}/{number:05d}",
            variant=ONLY_VARIANT,
            topic=str(number),
            template="added/1",
            messages=chat(user=f"What comes after {number}?", answer=f"{number + 1} does."),
        )
        for number in range(settings.n)
    ]


RECIPE = Recipe(settings=Settings, rows=rows, checks=())
