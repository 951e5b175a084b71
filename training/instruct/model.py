"""The instruct model a corpus may be written by: prompts in, texts out, and what it says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the instruct model is sampled; every setting is sent and recorded."""

    temperature: float = 0.8
    top_p: float = 0.95
    max_new_tokens: int = 400
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: its text, and whether the model ended it or was cut off."""

    text: str
    finish: Literal["stop", "length", "filtered"]


class TextModel(Protocol):
    """Anything that answers prompts: an OpenAI-compatible endpoint, a local transformers model."""

    def generate(self, prompts: Sequence[str], *, first: int = 0) -> list[Answer]:
        """Answer each prompt, in order; `first` is the place of the first among all, which its seed follows."""
        ...

    def describe(self) -> Mapping[str, str | int | float]:
        """Model, revision and sampling, for the provenance file."""
        ...
