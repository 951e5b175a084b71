"""The plan of a synthesis: which estimates of which locked studies are pooled, by which rule, and into which bands."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.plan.bands import Bands, parse_bands
from seedlock.prereg.plan.design import Name
from seedlock.prereg.plan.read import MAX_PLAN_BYTES, parse_as
from seedlock.prereg.plan.runs import Table

type ReportStatus = Literal["confirmatory", "deviated", "retrospective", "exploratory"]


class Question(Table):
    """`[synthesis]`: the question, and the rule by which effects were chosen, in words.

    `of` is what differs between effects ("family", "study"): the mean is over these, and the prediction of the next.
    `known` are results that the authors had seen when they wrote the plan.
    """

    title: str = Field(min_length=1)
    question: str = Field(min_length=1)
    include: str = Field(min_length=1)
    of: str = Field(default="study", min_length=1)
    known: list[str] = []
    caveats: list[str] = []


class Effect(Table):
    """`[[effect]]`: one estimate, by its study and hypothesis (`H1`, or `H1[level]`).

    `name` is what the forest calls it. `times = -1` turns a contrast that was planned the other way round.
    """

    name: Name
    study: Name
    hypothesis: str = Field(min_length=1)
    times: Literal[1, -1] = 1


class Accept(Table):
    """`[accept]`: reports of which status are pooled, and what happens where one is not there.

    `absent`: an effect whose study has no report, was withdrawn, or gave no estimate with a standard error stops the
    synthesis ("refuse"), or is left out and named.
    """

    status: list[ReportStatus] = Field(
        default=["confirmatory", "deviated", "retrospective", "exploratory"], min_length=1
    )
    absent: Literal["refuse", "leave out"] = "refuse"


class Decision(Table):
    """`[decision]`: the claim on the mean, its bands in the effects' own unit, and the band that is expected.

    `alpha` is one-sided at each edge, as in a study. `interval` is how the mean's interval is made.
    """

    claim: str = Field(min_length=1)
    alpha: float = Field(default=0.025, gt=0, lt=0.5)
    bands: list[str | float]
    predicted: str
    interval: Literal["hksj, never narrower", "hksj"] = "hksj, never narrower"

    @field_validator("bands")
    @classmethod
    def _bands_partition(cls, bands: list[str | float]) -> list[str | float]:
        parse_bands(bands)
        return bands

    @model_validator(mode="after")
    def _predicts_a_band(self) -> Decision:
        if self.predicted not in self.partition.names:
            raise ValueError(f"predicted = {self.predicted!r} is none of the bands {self.partition.names}")
        return self

    @property
    def partition(self) -> Bands:
        """The bands, parsed."""
        return parse_bands(self.bands)


class SynthesisPlan(Table):
    """The whole of `prereg/syntheses/NAME/plan.toml`."""

    synthesis: Question
    effect: list[Effect] = Field(min_length=2, max_length=200)
    accept: Accept = Accept()
    decision: Decision

    @model_validator(mode="after")
    def _each_effect_once(self) -> SynthesisPlan:
        for said in ([e.name for e in self.effect], [f"{e.study} {e.hypothesis}" for e in self.effect]):
            if twice := sorted({one for one in said if said.count(one) > 1}):
                raise ValueError(f"named twice: {', '.join(twice)}")
        return self

    @property
    def studies(self) -> list[str]:
        """Studies that it takes effects from, in plan order."""
        return list(dict.fromkeys(effect.study for effect in self.effect))


def read_synthesis(path: Path) -> SynthesisPlan:
    """Parse the plan at `path`.

    Raises
    ------
    BadInput
        With one finding for every fault of the file.
    """
    return parse_synthesis(read_regular(path, limit=MAX_PLAN_BYTES), path)


@lru_cache(maxsize=16)
def parse_synthesis(data: bytes, path: Path) -> SynthesisPlan:
    """Parse plan bytes; `path` is for messages only."""
    return parse_as(SynthesisPlan, data, path)
