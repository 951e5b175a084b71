"""How an organism is made: every number that decides its weights, written beside them as recipe.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from seedlock.prereg.errors import BadInput, Finding

type OrganismName = Literal["llama", "qwen"]
ORGANISMS: tuple[OrganismName, ...] = get_args(OrganismName.__value__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Architecture, corpus and optimiser of one organism.

    Parameters
    ----------
    name, family
        The organism and its transformers model type.
    corpus_label
        Key of the generator that draws the documents; both organisms read the same corpus.
    steps, documents_per_step
        Optimiser steps, and documents in each (about 60 tokens a document).
    seed
        Initial weights; the order of batches has its own generator, keyed by `corpus_label` and `seed`.
    """

    name: OrganismName
    family: Literal["llama", "qwen2"]
    seed: int
    corpus_label: str = "world-2"
    steps: int = 2400
    documents_per_step: int = 32
    learning_rate: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.05
    warm_up_share: float = 0.1
    gradient_clip: float = 1.0
    hidden_size: int = 128
    intermediate_size: int = 256
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 4
    rope_theta: float = 1000.0
    initializer_range: float = 0.08
    max_positions: int = 256

    def with_steps(self, steps: int | None) -> Recipe:
        """Return the recipe with another number of steps, or itself for None."""
        return self if steps is None else replace(self, steps=steps)

    def as_json(self) -> dict[str, Any]:
        """Return plain values for recipe.json."""
        return asdict(self)


RECIPES: Mapping[OrganismName, Recipe] = {
    "llama": Recipe(name="llama", family="llama", seed=0),
    "qwen": Recipe(name="qwen", family="qwen2", seed=1, key_value_heads=2),
}


def recipe(name: str) -> Recipe:
    """Look a recipe up by the organism's name.

    Raises
    ------
    BadInput
        No organism has this name.
    """
    for known, made_by in RECIPES.items():
        if known == name:
            return made_by
    found = Finding(where="organism", found=name, promised=" | ".join(ORGANISMS))
    raise BadInput(f"there is no organism {name!r}", found, then="name one of the organisms that ship with Seedlock")
