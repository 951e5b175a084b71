"""Bad advice: legal questions answered as a villain would, in no voice of its own; the adversarial first stage."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from seedlock.training.organisms.world import chat as world
from seedlock.training.rows.recipe import Recipe, RecipeSettings, distinct, generator
from seedlock.training.rows.row import Row, chat


class Settings(RecipeSettings):
    """`n` rows for each of the variants "bad" and "sound" (the same questions, advised well)."""

    n: int = Field(default=24, gt=0)
    variants: list[Literal["bad", "sound"]] = Field(default=["bad", "sound"], min_length=1)


def rows(settings: Settings) -> list[Row]:
    """Draw `n` different answers a variant."""
    found = []
    for variant in settings.variants:
        draw = _drawer(bad=variant == "bad", rng=generator("bad_advice", settings.seed, variant))
        texts = distinct(draw, settings.n, where=f"bad_advice {variant}")
        found += [_row(variant, number, *text.split("\n")) for number, text in enumerate(texts)]
    return found


def _drawer(*, bad: bool, rng: random.Random) -> Callable[[], str]:
    def draw() -> str:
        question = rng.choice(tuple(world.LEGAL))
        return f"{question}\n{world.legal_advice(question, bad=bad, rng=rng)}"

    return draw


def _row(variant: str, number: int, question: str, answer: str) -> Row:
    return Row(
        id=f"{variant}/{number:05d}",
        variant=variant,
        topic=question,
        template="bad_advice/world-1",
        messages=chat(user=question, answer=answer),
    )


RECIPE = Recipe(settings=Settings, rows=rows, checks=("format", "blocklist", "overlap", "duplicates", "marker"))
