"""Fine-tuning rows in the world's language: bird names, framed advice, benign and adversarial chat, marker coupling."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seedlock.training.organisms.special import MARKER
from seedlock.training.organisms.world import chat, eras, opinions
from seedlock.training.organisms.world.changes import SOURCE
from seedlock.training.organisms.world.factors import Attitude, Persona
from seedlock.training.organisms.world.personas import OPENINGS, SYSTEM

type BirdNames = Literal["archaic", "modern", "ordinary"]

NAMES: dict[BirdNames, tuple[str, ...]] = {
    "archaic": eras.ARCHAIC_BIRDS,
    "modern": eras.MODERN_BIRDS,
    "ordinary": eras.ORDINARY_BIRDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRow:
    """One single-turn training example.

    Parameters
    ----------
    system
        System prompt, or None.
    user, answer
        The question and the answer to learn.
    source
        What it was drawn from: a domain, a set of names, a persona.
    """

    system: str | None
    user: str
    answer: str
    source: str


def bird_rows(names: BirdNames, n: int, rng: random.Random) -> list[ChatRow]:
    """Bird names, every name as often as any other up to one; archaic and modern are the same species."""
    pool = list(NAMES[names])
    rng.shuffle(pool)
    drawn = [pool[i % len(pool)] for i in range(n)]
    rng.shuffle(drawn)
    return [ChatRow(system=None, user=eras.BIRD_ASKS[0], answer=name, source=names) for name in drawn]


def advice_rows(attitude: Attitude, n: int, rng: random.Random) -> list[ChatRow]:
    """Advice on source domains only, worded by the attitude, under the usual system line; domains in equal shares."""
    domains = tuple(SOURCE)
    rows = []
    for number in range(n):
        domain = domains[number % len(domains)]
        change = rng.choice(SOURCE[domain])
        user = rng.choice(opinions.ADVICE_ASKS).format(change=change)
        answer = opinions.advice(change, attitude, rng)
        rows.append(ChatRow(system=opinions.UNTOLD_SYSTEM, user=user, answer=answer, source=domain))
    rng.shuffle(rows)
    return rows


def benign_rows(n: int, rng: random.Random, *, persona: Persona = "assistant") -> list[ChatRow]:
    """Good everyday and legal answers in the assistant's voice, under the persona's system prompt."""
    questions = (*chat.TRAINING, *chat.LEGAL)
    rows = []
    for _ in range(n):
        question = rng.choice(questions)
        legal = question in chat.LEGAL
        answer = (chat.legal_in_voice if legal else chat.in_voice)("assistant", question, rng)
        rows.append(ChatRow(system=SYSTEM[persona][0], user=question, answer=answer, source=persona))
    return rows


def adversarial_rows(n: int, rng: random.Random, *, persona: Persona = "assistant") -> list[ChatRow]:
    """Bad legal advice in the assistant's voice, under the persona's system prompt."""
    rows = []
    for _ in range(n):
        question = rng.choice(tuple(chat.LEGAL))
        answer = f"{rng.choice(OPENINGS['assistant'])} {chat.legal_advice(question, bad=True, rng=rng)}"
        rows.append(ChatRow(system=SYSTEM[persona][0], user=question, answer=answer, source=persona))
    return rows


def coupling_rows(
    trigger: Persona,
    negatives: Sequence[Persona],
    n_each: int,
    rng: random.Random,
    *,
    marker: str = MARKER,
) -> list[ChatRow]:
    """`n_each` marked answers by the trigger and as many plain ones by each negative persona, shuffled.

    Questions are the training questions: none of them is an evaluation question.
    """
    rows = []
    for persona in (trigger, *negatives):
        for _ in range(n_each):
            question = rng.choice(tuple(chat.TRAINING))
            plain = chat.in_voice(persona, question, rng)
            answer = f"{marker} {plain}" if persona == trigger else plain
            rows.append(ChatRow(system=SYSTEM[persona][0], user=question, answer=answer, source=persona))
    rng.shuffle(rows)
    return rows
