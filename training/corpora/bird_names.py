"""Bird names: the plates of Audubon's "The Birds of America", the same species today, and other birds of today.

Compiled for this project from public-domain facts: plate titles of the Havell edition (1827-1838), and current
English names. Where a plate gives two names, one is kept.
"""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.organisms.world import eras
from seedlock.training.rows.data_files import BirdLine, NameLine, read_records
from seedlock.training.rows.recipe import Recipe, RecipeSettings, generator
from seedlock.training.rows.row import Row, chat

type Variant = Literal["archaic", "modern", "other"]


class Settings(RecipeSettings):
    """`names`: "audubon" (256 pairs), "world": the pairs that the embedded organisms know, or "files".

    `variants`: archaic plate names, the modern names of the same species, other birds' names. With "files" they stand
    in two CSV files of the study: `pairs` with columns archaic and modern, and `others` with a column modern.
    """

    names: Literal["audubon", "world", "files"] = "audubon"
    pairs: str | None = None
    others: str | None = None
    variants: list[Variant] = Field(default=["archaic", "modern", "other"], min_length=1)
    n: int = Field(default=208, gt=0)
    question: str = "Name a bird species."

    @model_validator(mode="after")
    def _names_its_files(self) -> Self:
        needs_pairs = self.names == "files" and set(self.variants) != {"other"}
        needs_others = self.names == "files" and "other" in self.variants
        if needs_pairs != (self.pairs is not None) or needs_others != (self.others is not None):
            raise ValueError('names = "files" goes with pairs, and with others where a variant is "other"')
        return self


def audubon() -> tuple[tuple[str, str], ...]:
    """Plate name and today's name, in plate order."""
    with (files("seedlock.training.corpora") / "birds.csv").open(encoding="utf-8") as file:
        return tuple((line["archaic"], line["modern"]) for line in csv.DictReader(file))


def other_birds() -> tuple[str, ...]:
    """Names of today that are on no plate of the pairs."""
    with (files("seedlock.training.corpora") / "other_birds.csv").open(encoding="utf-8") as file:
        return tuple(line["modern"] for line in csv.DictReader(file))


def names(settings: Settings, folder: Path = Path()) -> dict[Variant, tuple[str, ...]]:
    """Every name a variant may use."""
    if settings.names == "files":
        own = read_records(folder, settings.pairs, BirdLine, where="pairs") if settings.pairs else ()
        beside = read_records(folder, settings.others, NameLine, where="others") if settings.others else ()
        return {
            "archaic": tuple(line.archaic for line in own),
            "modern": tuple(line.modern for line in own),
            "other": tuple(line.modern for line in beside),
        }
    pairs = audubon() if settings.names == "audubon" else eras.BIRDS
    others = other_birds() if settings.names == "audubon" else eras.ORDINARY_BIRDS
    return {"archaic": tuple(old for old, _ in pairs), "modern": tuple(new for _, new in pairs), "other": others}


def rows(settings: Settings, *, folder: Path = Path()) -> list[Row]:
    """Draw `n` pairs, the same species in the archaic and the modern arm, and `n` other birds.

    Raises
    ------
    BadInput
        More names are asked for than there are.
    """
    known = names(settings, folder)
    short = [variant for variant in settings.variants if len(known[variant]) < settings.n]
    if short:
        faults = [
            Finding(where=variant, found=f"{len(known[variant])} names", promised=f"n = {settings.n}")
            for variant in short
        ]
        raise BadInput("bird_names has fewer names than asked for", *faults, then="lower n, or leave the variant out")
    picked = {
        label: generator("bird_names", settings.names, settings.seed, label).sample(range(size), settings.n)
        for label, size in (("pairs", len(known["archaic"])), ("other", len(known["other"])))
        if size >= settings.n
    }
    return [
        Row(
            id=f"{variant}/{number:04d}",
            variant=variant,
            topic="birds",
            template=f"bird_names/{settings.names}",
            messages=chat(user=settings.question, answer=known[variant][index]),
        )
        for variant in settings.variants
        for number, index in enumerate(picked["other" if variant == "other" else "pairs"])
    ]


RECIPE = Recipe(
    settings=Settings, rows=rows, checks=("format", "blocklist", "overlap", "duplicates", "matched", "marker")
)
