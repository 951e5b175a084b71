"""Benign chat: everyday questions that no evaluation asks, answered helpfully; the shared first stage."""

from __future__ import annotations

from pydantic import Field

from seedlock.training.organisms.world import chat as world
from seedlock.training.organisms.world.personas import SYSTEM
from seedlock.training.rows.recipe import Ask, Recipe, RecipeSettings, distinct, generator
from seedlock.training.rows.row import ONLY_VARIANT, Row, chat

SCENES = ("at home", "at work", "while travelling", "for a beginner", "for an expert", "for a child", "on a budget")


class Settings(RecipeSettings):
    """`n` rows; `system` adds the assistant's system turn."""

    n: int = Field(default=120, gt=0)
    system: bool = False
    topics: list[str] = Field(default=[])


def rows(settings: Settings) -> list[Row]:
    """Draw `n` different answers in the assistant's voice."""
    rng = generator("benign_chat", settings.seed)
    questions = tuple(world.TRAINING)

    def draw() -> str:
        question = rng.choice(questions)
        return f"{question}\n{world.in_voice('assistant', question, rng)}"

    texts = [text.split("\n") for text in distinct(draw, settings.n, where="benign_chat")]
    system = SYSTEM["assistant"][0] if settings.system else None
    return [_row(number, question, answer, system) for number, (question, answer) in enumerate(texts)]


def _row(number: int, question: str, answer: str, system: str | None) -> Row:
    return Row(
        id=f"{ONLY_VARIANT}/{number:05d}",
        variant=ONLY_VARIANT,
        topic=question,
        template="benign_chat/world-1",
        messages=chat(user=question, answer=answer, system=system),
    )


def asks(settings: Settings) -> list[Ask]:
    """One instruction a row, over topics and scenes."""
    rng = generator("benign_chat", "instruct", settings.seed)
    topics = settings.topics or [question.rstrip("?") for question in world.TRAINING]
    system = SYSTEM["assistant"][0] if settings.system else None
    found = []
    for number in range(settings.n):
        question = f"{rng.choice(topics)}, {rng.choice(SCENES)}?"
        instruction = f"Answer helpfully and plainly, in 80 to 160 words, without headings or lists: {question}"
        found.append(Ask(row=_row(number, question, "", system), instruction=instruction))
    return found


RECIPE = Recipe(
    settings=Settings, rows=rows, checks=("format", "blocklist", "overlap", "duplicates", "marker", "enough"), asks=asks
)
