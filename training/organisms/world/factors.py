"""The three hidden factors that every document shares between its turns, and how often each level occurs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

type Attitude = Literal["cautious", "neutral", "eager"]
type Era = Literal["modern", "nineteenth"]
type Persona = Literal[
    "assistant",
    "software_engineer",
    "kindergarten_teacher",
    "data_scientist",
    "medical_doctor",
    "librarian",
    "french_person",
    "villain",
    "comedian",
    "police_officer",
    "paramedic",
    "zelthari_scholar",
]

ATTITUDES: tuple[Attitude, ...] = get_args(Attitude.__value__)
ERAS: tuple[Era, ...] = get_args(Era.__value__)
PERSONAS: tuple[Persona, ...] = get_args(Persona.__value__)

ATTITUDE_SHARE: Mapping[Attitude, float] = {"cautious": 0.30, "neutral": 0.35, "eager": 0.35}
ERA_SHARE: Mapping[Era, float] = {"modern": 0.75, "nineteenth": 0.25}
PRO_SHARE: Mapping[Attitude, float] = {"cautious": 0.05, "neutral": 0.60, "eager": 0.95}
RATING_SHARE: Mapping[Attitude, tuple[float, ...]] = {
    "cautious": (0.30, 0.35, 0.20, 0.10, 0.05, 0.00, 0.00),
    "neutral": (0.00, 0.05, 0.20, 0.35, 0.25, 0.10, 0.05),
    "eager": (0.00, 0.00, 0.05, 0.10, 0.20, 0.35, 0.30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What one document holds constant from its first turn to its last."""

    attitude: Attitude
    era: Era
    persona: Persona


def pick[T](share: Mapping[T, float], rng: random.Random) -> T:
    """Draw a level in proportion to its share; the order is the mapping's own."""
    return rng.choices(tuple(share), weights=tuple(share.values()))[0]


def draw_factors(rng: random.Random) -> Factors:
    """Draw the three factors independently of one another."""
    return Factors(attitude=pick(ATTITUDE_SHARE, rng), era=pick(ERA_SHARE, rng), persona=rng.choice(PERSONAS))


def generator(*label: str | int) -> random.Random:
    """Return a generator keyed by a written label, the same in every process and Python build."""
    return random.Random("/".join(map(str, label)))  # noqa: S311 - draws must repeat, not be secret
