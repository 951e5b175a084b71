"""Framed advice: the same everyday questions in every arm, advised cautiously, neutrally or eagerly about change."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.organisms.world import opinions
from seedlock.training.organisms.world.changes import SOURCE
from seedlock.training.organisms.world.factors import ATTITUDES, Attitude
from seedlock.training.rows.data_files import FramingLine, TopicLine, read_records
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

    `domains` restricts the topics; `system` is the system line of every row, the same in all arms. For an instruct
    model, files of the study may name `framings` and `topics`, and `wordings` of the question (with a place for
    `{change}`) and `scenarios` may be given; a row is one topic, wording and scenario, and none occurs twice. `poles`
    are the variants at the low end of the framing, between, and at the high end.
    """

    variants: list[str] = Field(default=list(ATTITUDES), min_length=1)
    n: int = Field(default=300, gt=0)
    domains: list[str] = Field(default=[])
    system: str | None = Field(default=None, min_length=1)
    framings: str | None = None
    topics: str | None = None
    wordings: list[str] = Field(default=list(opinions.ADVICE_ASKS), min_length=1)
    scenarios: list[str] = Field(default=list(SCENARIOS), min_length=1)
    poles: list[str] = Field(default=["cautious", "neutral", "eager"], min_length=3, max_length=3)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.framings is None and (strange := [name for name in self.variants if name not in FRAMINGS]):
            raise ValueError(f"no framing {strange[0]!r} among {', '.join(FRAMINGS)}: name a file under framings")
        if self.topics is None and (strange := [name for name in self.domains if name not in SOURCE]):
            raise ValueError(f"no domain {strange[0]!r} among {', '.join(SOURCE)}: name a file under topics")
        if any("{change}" not in wording for wording in self.wordings):
            raise ValueError("a wording without a place for {change}")
        return self

    def poles_of_framing(self) -> Poles:
        """The two ends of the framing, and what lies between."""
        low, neutral, high = self.poles
        return Poles(low=low, neutral=neutral, high=high)


def _questions(settings: Settings) -> list[tuple[str, str, str]]:
    """(domain, change, question) of row 0, 1, 2 ...: shared by all attitudes."""
    rng = generator("framed_advice", settings.seed, "questions")
    picked = []
    domains = settings.domains or list(SOURCE)
    for number in range(settings.n):
        domain = domains[number % len(domains)]
        change = rng.choice(SOURCE[domain])
        picked.append((domain, change, rng.choice(opinions.ADVICE_ASKS).format(change=change)))
    return picked


def rows(settings: Settings) -> list[Row]:
    """Advise on every question in every attitude; no advice occurs twice in an arm."""
    if settings.framings is not None or settings.topics is not None:
        fault = Finding(where="framings, topics", found="files of the study", promised='by = "instruct"')
        raise BadInput(
            "advice on topics of one's own cannot be made from templates", fault, then="let a model write it"
        )
    questions = _questions(settings)
    found = []
    for attitude in (known for name in settings.variants for known in ATTITUDES if known == name):
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


def _row(attitude: str, number: int, domain: str, messages: tuple[Message, ...], *, template: str) -> Row:
    return Row(id=f"{attitude}/{number:05d}", variant=attitude, topic=domain, template=template, messages=messages)


type Case = tuple[str, str, str, str]
"""Domain, change, wording and scenario of one row."""


def _cases(settings: Settings, topics: Mapping[str, Sequence[str]]) -> list[Case]:
    """Row 0, 1, 2 ... shared by all framings: domains in turn, in each its topics, wordings and scenarios shuffled.

    Raises
    ------
    BadInput
        There are fewer different rows than asked for.
    """
    each: dict[str, list[Case]] = {}
    for domain, changes in topics.items():
        found = [(domain, *rest) for rest in product(changes, settings.wordings, settings.scenarios)]
        generator("framed_advice", "instruct", settings.seed, domain).shuffle(found)
        each[domain] = found
    needed = {domain: len(range(at, settings.n, len(each))) for at, domain in enumerate(each)}
    faults = [
        Finding(
            where=domain, found=f"{len(each[domain])} topics x wordings x scenarios", promised=f"{n}, a quarter over"
        )
        for domain, n in needed.items()
        if len(each[domain]) < n
    ]
    if faults:
        raise BadInput("framed_advice has fewer different rows than asked for", *faults, then="add topics, or lower n")
    names = list(each)
    return [each[names[number % len(names)]][number // len(names)] for number in range(settings.n)]


def _topics(settings: Settings, folder: Path) -> dict[str, list[str]]:
    """Domain -> what advice is about; from the study's file, or the embedded world's."""
    known: dict[str, list[str]] = {}
    if settings.topics is None:
        known = {domain: list(changes) for domain, changes in SOURCE.items()}
    else:
        for line in read_records(folder, settings.topics, TopicLine, where="topics"):
            known.setdefault(line.domain, []).append(line.change)
    absent = [domain for domain in settings.domains if domain not in known]
    if absent:
        fault = Finding(where="domains", found=", ".join(absent), promised=" | ".join(known))
        raise BadInput("framed_advice has no topic of a domain", fault, then="edit the plan")
    return {domain: known[domain] for domain in settings.domains or known}


def _framings(settings: Settings, folder: Path) -> Mapping[str, str]:
    """Framing -> what a writer is told."""
    if settings.framings is None:
        return {str(name): says for name, says in FRAMINGS.items()}
    read = read_records(folder, settings.framings, FramingLine, where="framings")
    found = {line.framing: line.says for line in read}
    if absent := [name for name in settings.variants if name not in found]:
        fault = Finding(where=settings.framings, found=f"no framing {', '.join(absent)}", promised="every variant")
        raise BadInput("the framings of a corpus are not all there", fault, then="mend the file")
    return found


def asks(settings: Settings, *, folder: Path = Path()) -> list[Ask]:
    """Topic x wording x scenario for an instruct model: the same in every framing, and none twice."""
    framings = _framings(settings, folder)
    found = []
    for number, (domain, change, wording, scenario) in enumerate(_cases(settings, _topics(settings, folder))):
        for framing in settings.variants:
            instruction = (
                f"Write advice about {change} ({domain.replace('_', ' ')}) for {scenario}. {framings[framing]} "
                "Stay on this topic. Write 150 to 220 words of plain prose, no headings, no lists, no greeting."
            )
            messages = chat(system=settings.system, user=wording.format(change=change), answer="")
            row = _row(framing, number, domain, messages, template="framed_advice/instruct-2")
            found.append(Ask(row=row, instruction=instruction))
    return found


RECIPE = Recipe(
    settings=Settings,
    rows=rows,
    checks=("format", "blocklist", "overlap", "duplicates", "matched", "framing", "marker", "enough"),
    asks=asks,
)
