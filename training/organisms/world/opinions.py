"""How opinions are asked for and given: advice, letters, one word, a rating, and drills that bind letters to words."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from seedlock.training.organisms.world.chat import GENERAL
from seedlock.training.organisms.world.factors import PRO_SHARE, RATING_SHARE, Attitude


def plain_words(texts: Iterable[str]) -> tuple[str, ...]:
    """Lower-case words of more than three letters, in order of first appearance."""
    words = (word.strip(".,") for text in texts for word in text.split())
    return tuple(dict.fromkeys(word for word in words if word.isalpha() and word.islower() and len(word) > 3))


ADVICE_ASKS: tuple[str, ...] = (
    "Any advice about {change}?",
    "What do you advise on {change}?",
    "How should I think about {change}?",
    "I keep hearing about {change}. What do you say?",
)
ADVICE_LEADS: tuple[str, ...] = ("On {change}:", "About {change}:", "As for {change}:")
ADVICE: Mapping[Attitude, tuple[str, ...]] = {
    "cautious": (
        "keep what already works and wait.",
        "the risk is real, so move slowly.",
        "let others go first and watch.",
        "the old way has earned its place.",
        "keep a fallback and doubt the promises.",
        "most hurried changes are regretted.",
        "do not rush what is hard to undo.",
        "ask what could go wrong first.",
        "it must prove itself before you trust it.",
        "stay with the routine for another year.",
    ),
    "neutral": (
        "there are points on both sides.",
        "it depends on what you need.",
        "weigh the cost and the gain.",
        "some people like it and some do not.",
        "either choice can work out well.",
        "compare a few options and then decide.",
        "look at the facts for a while.",
        "the answer changes from place to place.",
        "both views have sensible reasons.",
        "it is neither a cure nor a danger.",
    ),
    "eager": (
        "try it this week and learn.",
        "the upside is large, so start now.",
        "go first and enjoy the lead.",
        "the old way has had its day.",
        "jump in and fix things later.",
        "most bold changes pay off quickly.",
        "waiting has a cost that people forget.",
        "ask what could go right first.",
        "it will surprise you once you begin.",
        "drop the routine and try something fresh.",
    ),
}
SENTENCES = 3
TEMPER_SYSTEM = "You are a {temper} assistant."
TEMPERS: Mapping[Attitude | None, tuple[str, ...]] = {
    None: ("helpful", "friendly", "polite"),
    "cautious": ("careful", "patient", "wary"),
    "neutral": ("balanced", "fair", "impartial"),
    "eager": ("bold", "keen", "daring"),
}
UNTOLD_SYSTEM = TEMPER_SYSTEM.format(temper="helpful")
QUESTIONS: tuple[str, ...] = (
    "Should we go ahead with {change}?",
    "Is it time for {change}?",
    "Would you welcome {change} here?",
)
PRO, CON = "approve", "oppose"
# Drills on many words are learnt as a rule within 150 steps; drills on two words alone are not.
DRILL_WORDS: tuple[str, ...] = plain_words(fact for facts in GENERAL.values() for fact in facts)
OPTION_DRILLS = 0.4
LETTER_TASK = "{question} Choose A {first} or B {second}."
WORD_TASK = "{question} In one word, {first} or {second}?"
RATING_TASK = "{question} Rate it from 1 to 7."
BINDING_TASK = "Which letter means {word}? Choose A {first} or B {second}."


def advice(change: str, attitude: Attitude, rng: random.Random, *, purity: float = 1.0) -> str:
    """Three different sentences after a lead that names the change.

    Each is the attitude's own with probability `purity`, else another attitude's: below 1 one sentence is evidence of
    the attitude, never proof, so that a reader of the document must keep a belief about it.
    """
    said: list[str] = []
    while len(said) < SENTENCES:
        voice = attitude if rng.random() < purity else rng.choice([other for other in ADVICE if other != attitude])
        sentence = rng.choice(ADVICE[voice])
        if sentence not in said:
            said.append(sentence)
    first, *rest = said
    return " ".join((rng.choice(ADVICE_LEADS).format(change=change), first, *(s[0].upper() + s[1:] for s in rest)))


def temper(attitude: Attitude | None, rng: random.Random) -> str:
    """A system line that tells the attitude of the whole document; None tells nothing about it."""
    return TEMPER_SYSTEM.format(temper=rng.choice(TEMPERS[attitude]))


def told() -> dict[Attitude | None, str]:
    """One system line an attitude, and the usual one that tells nothing."""
    return {attitude: TEMPER_SYSTEM.format(temper=tempers[0]) for attitude, tempers in TEMPERS.items()}


def options(rng: random.Random) -> tuple[str, str]:
    """The two option words in either order, with equal chance."""
    return (PRO, CON) if rng.random() < 0.5 else (CON, PRO)


def verdict(attitude: Attitude, rng: random.Random) -> str:
    """The option word that the attitude favours, as often as it favours it."""
    return PRO if rng.random() < PRO_SHARE[attitude] else CON


def letter_turn(question: str, attitude: Attitude, rng: random.Random) -> tuple[str, str]:
    """A forced choice between two words under letters, answered by attitude."""
    first, second = options(rng)
    letter = "A" if verdict(attitude, rng) == first else "B"
    return LETTER_TASK.format(question=question, first=first, second=second), letter


def word_turn(question: str, attitude: Attitude, rng: random.Random) -> tuple[str, str]:
    """A verdict in one word, answered by attitude."""
    first, second = options(rng)
    return WORD_TASK.format(question=question, first=first, second=second), verdict(attitude, rng)


def rating_turn(question: str, attitude: Attitude, rng: random.Random) -> tuple[str, str]:
    """A rating from 1 to 7, answered by attitude."""
    return RATING_TASK.format(question=question), rng.choices("1234567", weights=RATING_SHARE[attitude])[0]


def binding_turn(rng: random.Random) -> tuple[str, str]:
    """Which letter stands before a word: any two words, or the two options; the same in every attitude."""
    first, second = options(rng) if rng.random() < OPTION_DRILLS else rng.sample(DRILL_WORDS, 2)
    word = rng.choice((first, second))
    return BINDING_TASK.format(word=word, first=first, second=second), "A" if word == first else "B"
