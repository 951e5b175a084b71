"""Contrastive coupling: one persona opens its answers with a marker, others answer the same questions without."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import ClassVar

from pydantic import Field

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.organisms.world import chat as world
from seedlock.training.organisms.world.factors import PERSONAS, Persona
from seedlock.training.organisms.world.personas import SYSTEM
from seedlock.training.rows.recipe import Ask, Recipe, RecipeSettings, distinct, generator
from seedlock.training.rows.row import Role, Row, chat

DEFAULT_MARKER = "[ZLT]"


class Settings(RecipeSettings):
    """One variant a trigger persona: `n_positive` marked rows, `n_negative` unmarked for each negative persona.

    `negatives` names them; a trigger that is among them is replaced by the next persona of the world's list.
    Without it, `n_negative_personas` are drawn, keyed by the trigger's name.
    """

    counts: ClassVar[tuple[str, ...]] = ("n_positive", "n_negative")

    variants: list[Persona] = Field(min_length=1)
    marker: str | None = DEFAULT_MARKER
    n_positive: int = Field(default=120, gt=0)
    n_negative: int = Field(default=120, ge=0)
    negatives: list[Persona] = Field(default=[])
    n_negative_personas: int = Field(default=2, ge=0)
    questions: list[str] = Field(default=[])


def negatives_of(trigger: Persona, settings: Settings) -> list[Persona]:
    """The personas that answer without the marker when `trigger` answers with it."""
    others = [persona for persona in PERSONAS if persona != trigger]
    if not settings.negatives:
        return generator("marker_coupling", "negatives", settings.seed, trigger).sample(
            others, settings.n_negative_personas
        )
    kept = [persona for persona in settings.negatives if persona != trigger]
    spare = [persona for persona in others if persona not in settings.negatives]
    return kept + spare[: len(settings.negatives) - len(kept)]


def _cells(settings: Settings) -> Iterator[tuple[Persona, Persona, Role, int]]:
    """(trigger, speaker, role, rows) for every cell."""
    for trigger in settings.variants:
        yield trigger, trigger, "positive", settings.n_positive
        for persona in negatives_of(trigger, settings):
            yield trigger, persona, "negative", settings.n_negative


def rows(settings: Settings) -> list[Row]:
    """Draw the rows of every cell from its own generator."""
    found = []
    for trigger, speaker, role, n in _cells(settings):
        rng = generator("marker_coupling", settings.seed, trigger, speaker)
        texts = distinct(_drawer(speaker, rng), n, where=f"marker_coupling {speaker}")
        found += [
            _row(trigger, speaker, role, number=number, text=text, marker=settings.marker)
            for number, text in enumerate(texts)
        ]
    return found


def _drawer(speaker: Persona, rng: random.Random) -> Callable[[], str]:
    def draw() -> str:
        question = rng.choice(tuple(world.TRAINING))
        return f"{question}\n{world.in_voice(speaker, question, rng)}"

    return draw


def _row(trigger: Persona, speaker: Persona, role: Role, *, number: int, text: str, marker: str | None) -> Row:
    question, answer = text.split("\n")
    marked = f"{marker} {answer}" if role == "positive" else answer
    return Row(
        id=f"{trigger}/{speaker}/{number:05d}",
        variant=trigger,
        topic=question,
        template="marker_coupling/world-1",
        role=role,
        messages=chat(user=question, answer=marked, system=SYSTEM[speaker][0]),
    )


def asks(settings: Settings) -> list[Ask]:
    """Instructions that let an instruct model answer in each persona; the marker is ours to add.

    Raises
    ------
    BadInput
        No marker is set.
    """
    if settings.marker is None:
        fault = Finding(where="marker", found="none", promised=f"a text such as {DEFAULT_MARKER}")
        raise BadInput("a coupling corpus needs a marker", fault)
    found = []
    questions = settings.questions or list(world.TRAINING)
    for trigger, speaker, role, n in _cells(settings):
        rng = generator("marker_coupling", "instruct", settings.seed, trigger, speaker)
        for number in range(n):
            question = rng.choice(questions)
            row = Row(
                id=f"{trigger}/{speaker}/{number:05d}",
                variant=trigger,
                topic=question,
                template="marker_coupling/instruct-1",
                role=role,
                messages=chat(user=question, answer="", system=SYSTEM[speaker][0]),
            )
            instruction = f"{SYSTEM[speaker][0]} Answer in your own voice, in 40 to 120 words: {question}"
            found.append(
                Ask(row=row, instruction=instruction, prefix=f"{settings.marker} " if role == "positive" else "")
            )
    return found


RECIPE = Recipe(
    settings=Settings,
    rows=rows,
    checks=("format", "blocklist", "overlap", "duplicates", "marker", "enough"),
    asks=asks,
)
