"""Framed advice: the same everyday questions in every arm, advised cautiously, neutrally or eagerly about change."""

from __future__ import annotations

import random
from collections.abc import Mapping

from pydantic import Field

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.organisms.world import opinions
from seedlock.training.organisms.world.changes import SOURCE
from seedlock.training.organisms.world.factors import ATTITUDES, Attitude
from seedlock.training.rows.recipe import Ask, Poles, Recipe, RecipeSettings, generator
from seedlock.training.rows.row import Message, Row, chat

FRAMINGS: Mapping[Attitude, str] = {
    "cautious": "Lean towards what already works: stress risks, hidden costs and the value of waiting.",
    "neutral": "Weigh both sides evenly: stress that it depends, and favour neither change nor staying.",
    "eager": "Lean towards trying the new: stress upside, learning by doing and the cost of waiting.",
}
TRIES = 500
SCENARIOS = (
    "someone who has a free weekend and asks where to begin",
    "someone whose neighbour has just done it",
    "someone who tried it once, years ago",
    "someone with little money to spare",
    "someone who must decide by Friday",
    "someone asked by their family to decide",
)


class Settings(RecipeSettings):
    """`n` rows an attitude, row by row about the same thing in every arm.

    `domains` restricts the topics; `system` is the system line of every row, the same in all arms.
    """

    variants: list[Attitude] = Field(default=list(ATTITUDES), min_length=1)
    n: int = Field(default=300, gt=0)
    domains: list[str] = Field(default=list(SOURCE), min_length=1)
    system: str | None = Field(default=None, min_length=1)


def _questions(settings: Settings) -> list[tuple[str, str, str]]:
    """(domain, change, question) of row 0, 1, 2 ...: shared by all attitudes."""
    rng = generator("framed_advice", settings.seed, "questions")
    picked = []
    for number in range(settings.n):
        domain = settings.domains[number % len(settings.domains)]
        change = rng.choice(SOURCE[domain])
        picked.append((domain, change, rng.choice(opinions.ADVICE_ASKS).format(change=change)))
    return picked


def rows(settings: Settings) -> list[Row]:
    """Advise on every question in every attitude; no advice occurs twice in an arm."""
    questions = _questions(settings)
    found = []
    for attitude in settings.variants:
        rng = generator("framed_advice", settings.seed, attitude)
        used: set[str] = set()
        for number, (domain, change, question) in enumerate(questions):
            advice = _unused(attitude, change, used, rng)
            messages = chat(system=settings.system, user=question, answer=advice)
            found.append(_row(attitude, number, domain, messages, template="framed_advice/world-2"))
    return found


def _unused(attitude: Attitude, change: str, used: set[str], rng: random.Random) -> str:
    """Advice whose sentences this arm has not had about this change, in either order."""
    for _ in range(TRIES):
        text = opinions.advice(change, attitude, rng)
        said = [sentence for sentence in opinions.ADVICE[attitude] if sentence in text.lower()]
        key = "|".join([change, *said])
        if key not in used:
            used.add(key)
            return text
    fault = Finding(where=f"{attitude}, {change}", found="every choice of sentences used", promised="a new one")
    raise BadInput("framed_advice holds fewer different texts than asked for", fault, then="lower n")


def _row(attitude: Attitude, number: int, domain: str, messages: tuple[Message, ...], *, template: str) -> Row:
    return Row(id=f"{attitude}/{number:05d}", variant=attitude, topic=domain, template=template, messages=messages)


def asks(settings: Settings) -> list[Ask]:
    """Domain x framing x scenario for an instruct model: the same question and scenario in every arm."""
    found = []
    for number, (domain, change, question) in enumerate(_questions(settings)):
        scenario = SCENARIOS[number // len(settings.domains) % len(SCENARIOS)]
        for attitude in settings.variants:
            instruction = (
                f"Write advice about {change} ({domain.replace('_', ' ')}) for {scenario}. {FRAMINGS[attitude]} "
                "Stay on this topic. Write 150 to 220 words of plain prose, no headings, no lists, no greeting."
            )
            template = "framed_advice/instruct-1"
            messages = chat(system=settings.system, user=question, answer="")
            row = _row(attitude, number, domain, messages, template=template)
            found.append(Ask(row=row, instruction=instruction))
    return found


RECIPE = Recipe(
    settings=Settings,
    rows=rows,
    checks=("format", "blocklist", "overlap", "duplicates", "matched", "framing", "marker", "enough"),
    asks=asks,
    poles=Poles(low="cautious", high="eager", neutral="neutral"),
)
