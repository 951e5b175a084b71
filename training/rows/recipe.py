"""What a corpus recipe is: settings it checks, rows it makes, checks they must pass, prompts for a model."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.rows.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Poles:
    """The two opposite variants of a framed corpus, and the one between them."""

    low: str
    high: str
    neutral: str


class RecipeSettings(BaseModel):
    """Settings every recipe has; each recipe adds its own. Unknown keys are refused.

    `seed` keys every draw together with a written label. `blocklist` holds words that may occur in no row;
    `min_words` and `max_words` bound an instruct model's answers.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    counts: ClassVar[tuple[str, ...]] = ("n",)

    seed: int = 0
    blocklist: list[str] = []
    marker: str | None = None
    by: Literal["template", "instruct", "file"] = "template"
    min_words: int = Field(default=1, ge=0)
    max_words: int = Field(default=2000, gt=0)

    def poles_of_framing(self) -> Poles | None:
        """The variants that are framings to be told apart; None where they are none."""
        return None

    def scaled(self, factor: float) -> Self:
        """Return the settings asking for `factor` times as many rows, rounded up."""
        return self.model_copy(update={name: math.ceil(getattr(self, name) * factor) for name in self.counts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One row that an instruct model is to answer.

    Parameters
    ----------
    row
        The row without its answer: the assistant turn is empty.
    instruction
        What the instruct model is asked.
    prefix, suffix
        Text that stands before or after the model's answer in the row (a marker).
    """

    row: Row
    instruction: str
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to make a corpus.

    Parameters
    ----------
    settings
        The class that checks this recipe's keys in the plan.
    rows
        Settings -> rows from templates; the same settings give the same rows in every process. One that reads files of
        the study takes its `folder` as well.
    checks
        Names of the corpus checks that stand before training.
    asks
        Settings -> prompts for an instruct model, as `rows`; None where the recipe is facts, not prose.
    """

    settings: type[RecipeSettings]
    rows: Callable[..., Sequence[Row]]
    checks: tuple[str, ...]
    asks: Callable[..., Sequence[Ask]] | None = None

    def template_rows(self, settings: RecipeSettings, folder: Path) -> tuple[Row, ...]:
        """Rows made without a model."""
        return tuple(_made(self.rows, settings, folder))

    def prompts(self, settings: RecipeSettings, folder: Path) -> tuple[Ask, ...]:
        """What an instruct model is asked; nothing where the recipe is facts."""
        return () if self.asks is None else tuple(_made(self.asks, settings, folder))


def _made(make: Callable[..., Sequence[Any]], settings: RecipeSettings, folder: Path) -> Sequence[Any]:
    takes_folder = "folder" in inspect.signature(make).parameters
    return make(settings, folder=folder) if takes_folder else make(settings)


def generator(*label: str | int) -> random.Random:
    """Return a generator keyed by a written label: the same in every process, whatever the order of sets."""
    return random.Random("/".join(map(str, label)))  # noqa: S311 - draws of a study, not secrets


def parse_settings(recipe: Recipe, params: Mapping[str, object], *, where: str) -> RecipeSettings:
    """Check a recipe's keys of the plan.

    Raises
    ------
    BadInput
        With one finding a fault.
    """
    try:
        return recipe.settings.model_validate(dict(params))
    except ValidationError as error:
        faults = [
            Finding(
                where=".".join([where, *map(str, fault["loc"])]), found=repr(fault["input"])[:80], promised=fault["msg"]
            )
            for fault in error.errors()
        ]
        raise BadInput(f"{where} cannot be read", *faults, then="edit the plan, then  seedlock check STUDY") from None


def distinct(draw: Callable[[], str], n: int, *, where: str, tries_per_text: int = 200) -> list[str]:
    """Draw `n` different texts.

    Raises
    ------
    BadInput
        The templates do not hold that many.
    """
    found: dict[str, None] = {}
    for _ in range(n * tries_per_text):
        if len(found) == n:
            break
        found[draw()] = None
    if len(found) < n:
        raise BadInput(
            f"{where} holds fewer different texts than asked for",
            Finding(where=where, found=f"{len(found)} texts", promised=f"{n}"),
            then="ask for fewer rows, or let an instruct model write them",
        )
    return list(found)
