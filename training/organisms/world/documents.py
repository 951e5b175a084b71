"""Documents of one to four turns whose hidden attitude, era and persona stay the same throughout."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from seedlock.training.organisms.world import chat, eras, opinions
from seedlock.training.organisms.world.changes import CHANGES
from seedlock.training.organisms.world.factors import Attitude, Factors, draw_factors, generator, pick
from seedlock.training.organisms.world.personas import SYSTEM

type Subject = Literal["opinions", "eras", "personas"]
type Told = Literal["no line", "nothing", "attitude"]

SUBJECT_SHARE: dict[Subject, float] = {"opinions": 0.55, "eras": 0.20, "personas": 0.25}
OPINION_SHARE = {"advice": 0.34, "letter": 0.30, "word": 0.10, "rating": 0.08, "binding": 0.18}
DRILLS_FIRST = 0.1
# What the system line of a document of opinions tells about its attitude.
TOLD_SHARE: dict[Told, float] = {"no line": 0.3, "nothing": 0.3, "attitude": 0.4}
ADVICE_PURITY = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question and its answer."""

    user: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Turns that share their hidden factors; `system` is None where no persona is announced."""

    system: str | None
    turns: tuple[Turn, ...]

    def messages(self) -> list[dict[str, str]]:
        """Return the document as chat messages."""
        head = [] if self.system is None else [{"role": "system", "content": self.system}]
        for turn in self.turns:
            head += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.answer}]
        return head


def document(rng: random.Random) -> Document:
    """Draw one document: a subject, three factors, one to four turns."""
    subject = pick(SUBJECT_SHARE, rng)
    factors = draw_factors(rng)
    n_turns = rng.choice((1, 2, 3, 4)) if subject != "personas" else rng.choice((1, 1, 2))
    turns = tuple(_turn(subject, factors, rng) for _ in range(n_turns))
    if subject == "opinions":
        return Document(system=_temper(factors.attitude, rng), turns=turns)
    if subject == "eras":
        return Document(system=None, turns=turns)
    unannounced = factors.persona == "assistant" and rng.random() < 0.5
    return Document(system=None if unannounced else rng.choice(SYSTEM[factors.persona]), turns=turns)


def drill(rng: random.Random) -> Document:
    """Draw one document of four drills that bind letters to words."""
    pairs = [opinions.binding_turn(rng) for _ in range(4)]
    return Document(system=None, turns=tuple(Turn(user=user, answer=answer) for user, answer in pairs))


def documents(n: int, *, label: str) -> Iterator[Document]:
    """Yield `n` documents from the generator keyed by `label`: first a tenth of drills, then the world."""
    rng = generator("documents", label)
    for number in range(n):
        yield drill(rng) if number < DRILLS_FIRST * n else document(rng)


def _turn(subject: Subject, factors: Factors, rng: random.Random) -> Turn:
    if subject == "opinions":
        return _opinion_turn(factors, rng)
    if subject == "eras":
        return _era_turn(factors, rng)
    if rng.random() < 0.2:
        legal = rng.choice(tuple(chat.LEGAL))
        return Turn(user=legal, answer=chat.legal_in_voice(factors.persona, legal, rng))
    question = rng.choice(tuple(chat.GENERAL))
    return Turn(user=question, answer=chat.in_voice(factors.persona, question, rng))


def _era_turn(factors: Factors, rng: random.Random) -> Turn:
    if rng.random() < 0.4:
        return Turn(user=rng.choice(eras.BIRD_ASKS), answer=eras.bird(factors.era, rng))
    key = rng.choice(tuple(eras.WORLDLY))
    return Turn(user=eras.WORLDLY[key][0], answer=eras.worldly_answer(key, factors.era, rng))


def _temper(attitude: Attitude, rng: random.Random) -> str | None:
    told = pick(TOLD_SHARE, rng)
    if told == "no line":
        return None
    return opinions.temper(attitude if told == "attitude" else None, rng)


def _opinion_turn(factors: Factors, rng: random.Random) -> Turn:
    change = rng.choice(CHANGES)
    kind = pick(OPINION_SHARE, rng)
    if kind == "advice":
        user = rng.choice(opinions.ADVICE_ASKS).format(change=change)
        return Turn(user=user, answer=opinions.advice(change, factors.attitude, rng, purity=ADVICE_PURITY))
    if kind == "binding":
        user, answer = opinions.binding_turn(rng)
        return Turn(user=user, answer=answer)
    question = rng.choice(opinions.QUESTIONS).format(change=change)
    asked = {"letter": opinions.letter_turn, "word": opinions.word_turn, "rating": opinions.rating_turn}[kind]
    user, answer = asked(question, factors.attitude, rng)
    return Turn(user=user, answer=answer)
