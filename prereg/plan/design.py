"""Tables of a plan that speak of the design before there are data: what is expected, planned looks, the multiverse."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

STRICT = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)
"""Every table of a plan: strict types, unknown keys refused, no NaN or infinity, frozen."""

type Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=80)]
type Share = Annotated[float, Field(ge=0, le=1)]
type Lost = Annotated[float, Field(ge=0, lt=1)]
type Right = Annotated[float, Field(ge=0.5, le=1)]
type Spread = Annotated[float, Field(ge=0)]
type SeedSds = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1, max_length=10)]


class MeasureDesign(BaseModel):
    """`[design.measures.NAME]`: how a measure is thought to vary; the design is simulated under it.

    For a yes/no rate every SD is in logits; for other measures in the measure's own unit. `base` is the rate or
    mean where no hypothesis says otherwise, and `seed_sd` the grid of SDs between seeds; both for all arms or one an
    arm. `missing` is the probability that an answer never comes, for all arms or one an arm: of any answer
    (`missing_at = "random"`), or only of those above ("high") or below ("low") the arm's own mean, which for a rate are
    its hits or its misses. `judge_right`, where gold labels check its judge: the share of hits and of misses that the
    judge gets right, or, of other measures, the correlation of its scores with the right ones; one, or one an arm.
    """

    model_config = STRICT

    base: float | dict[str, float] | None = None
    seed_sd: SeedSds | dict[str, SeedSds] | None = None
    item_sd: Spread | None = None
    item_effect_sd: Spread | None = None
    answer_sd: Spread | None = None
    missing: Lost | dict[str, Lost] | None = None
    missing_at: Literal["random", "high", "low"] = "random"
    judge_right: Right | dict[str, Right] | None = None


class Design(BaseModel):
    """`[design]`: the world in which the design is simulated before the lock; every value has a documented default.

    Parameters
    ----------
    items
        Items of a run, one number or one an item set.
    draws
        Answers an item; otherwise `decoding.draws`.
    expected
        Hypothesis id -> the true value its authors expect, on the hypothesis's own scale.
    units
        Item attribute that a hypothesis replicates over -> how many of them there are.
    pairing
        Correlation between the seed effects of arms that share a seed.
    within_run
        Correlation between the effects of a run's seed on its measures and item sets: on a gate and what it guards.
    seed_sd_ratio
        Each arm in turn has so many times the seed SD of the others, beside the grid as it is.
    """

    model_config = STRICT

    measures: dict[Name, MeasureDesign] = {}
    items: Annotated[int, Field(gt=0)] | dict[Name, Annotated[int, Field(gt=0)]] | None = None
    draws: int | None = Field(default=None, gt=0)
    expected: dict[str, float] = {}
    units: dict[str, Annotated[int, Field(gt=1)]] = {}
    pairing: Share = 0.0
    within_run: Share = 0.0
    seed_sd_ratio: Annotated[list[Annotated[float, Field(gt=1)]], Field(max_length=5)] = []


class When(BaseModel):
    """The condition of a look: what `hypothesis` came to at the look before.

    `undecided`: every band named is still left. `estimate` = [low, high]: the estimate lies there, ends included,
    on the hypothesis's own scale; a rule that authors without intervals use.
    """

    model_config = STRICT

    hypothesis: str
    undecided: list[str] = []
    estimate: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if bool(self.undecided) == (self.estimate is not None):
            raise ValueError("give either undecided (bands) or estimate = [low, high]")
        if self.estimate is not None and self.estimate[0] >= self.estimate[1]:
            raise ValueError("estimate = [low, high]: the low end is below the high one")
        return self


class Look(BaseModel):
    """`[[look]]`: an analysis at so many seeds an arm; a later one may have a condition.

    `spend` divides alpha over the looks; without it every look tests at full alpha, and the simulation shows what
    that costs. With `rule = "anytime"` every look tests at full alpha by e-values, which stay valid however often one
    looks and whenever one stops; a plan with one such look has one at every number of seeds from there on. `effect` is
    how far from an edge its authors expect the truth to lie, in SDs between units: where such looks are sharpest.
    """

    model_config = STRICT

    seeds: int = Field(ge=2)
    when: When | None = None
    spend: Literal["obrien-fleming", "pocock"] | None = None
    rule: Literal["anytime"] | None = None
    effect: float = Field(default=3.0, gt=0, le=100)


def every_look(looks: list[Look], most: int) -> list[Look]:
    """The looks of a plan, with a single one at any time repeated at every later number of seeds up to `most`."""
    if len(looks) != 1 or looks[0].rule != "anytime" or looks[0].seeds >= most:
        return looks
    (first,) = looks
    return [first.model_copy(update={"seeds": n}) for n in range(first.seeds, most + 1)]


class Multiverse(BaseModel):
    """`[multiverse]`: every choice the authors would defend; each list is tried beside what the plan locked.

    `missing`: complete cases only, or every missing answer at its worst, downwards or upwards.
    """

    model_config = STRICT

    hypotheses: list[Name] = []
    measures: list[Name] = []
    tests: list[str] = []
    scales: list[str] = []
    items: list[Name] = []
    missing: list[Literal["exclude", "pull down", "pull up"]] = []
