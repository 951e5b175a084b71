"""`dose` of a hypothesis or gate: the numbers that its levels stand at, and the slope over them as a contrast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seedlock.prereg.plan.design import Name
from seedlock.prereg.plan.runs import Table

type Level = str | int | float

ROUNDING = 1e-12
"""A level this much nearer to the middle than the outermost one stands in the middle, and has no part in a slope."""

STEP_WORDS = {"log2": "doubling", "log10": "tenfold"}


class Dose(Table):
    """`dose = { at = [...] }`, or `dose = { measure = "..." }`: what a slope or a rank correlation is over.

    Parameters
    ----------
    at
        Levels of `over` whose names are numbers, or level -> the number it stands for.
    measure
        In place of `at`: the number is the unit's own mean of another measure at that level (answer length, a cosine).
    scale
        "log2" makes one step a doubling, "log10" a tenfold.
    per
        Numbers (or doublings, or tenfolds) in one step of the slope.
    unit
        What the numbers count, in words that the report prints: "rows", "steps", "tokens".
    """

    at: Annotated[list[Level], Field(min_length=2)] | dict[str, float] | None = None
    measure: Name | None = None
    scale: Literal["linear", "log2", "log10"] = "linear"
    per: float = Field(default=1.0, gt=0)
    unit: str = Field(default="", max_length=40)

    @model_validator(mode="after")
    def _has_numbers(self) -> Self:
        if (self.at is None) == (self.measure is None):
            raise ValueError("give either at (numbers of levels) or measure (numbers that are measured)")
        for name, number in self.numbers.items():
            if not math.isfinite(number) or (self.scale != "linear" and number <= 0):
                raise ValueError(f"level {name} stands at {number:g}, which has no place on scale {self.scale!r}")
        if self.at is not None and len(set(self.numbers.values())) < 2:
            raise ValueError("a dose needs at least two different numbers")
        return self

    @property
    def numbers(self) -> dict[str, float]:
        """Level -> its number as the plan gives it; empty where numbers are measured."""
        if isinstance(self.at, Mapping):
            return dict(self.at)
        try:
            return {str(level): float(level) for level in self.at or ()}
        except ValueError as error:
            raise ValueError("names that are no numbers need theirs: at = { low = 1.0, high = 4.0 }") from error

    def step(self, number: float) -> float:
        """A number in steps of the slope, on its scale; NaN where the scale has no place for it."""
        if self.scale == "linear":
            return number / self.per
        log = {"log2": math.log2, "log10": math.log10}[self.scale]
        return log(number) / self.per if number > 0 else math.nan

    def number(self, step: float) -> float:
        """The number at a step: `step` undone."""
        along = step * self.per
        return along if self.scale == "linear" else {"log2": 2.0, "log10": 10.0}[self.scale] ** along

    def step_words(self, over: str) -> str:
        """One step in words: "100 rows", "doubling of rows", "unit of length"."""
        what = self.unit or self.measure or over
        many = "" if self.per == 1 else f"{self.per:g} "
        if self.scale == "linear":
            return f"{many}{what}" if many else f"unit of {what}"
        return f"{many}{STEP_WORDS[self.scale]}{'s' if many else ''} of {what}"

    def contrast_beside(self, written: Mapping[str, float] | None) -> dict[str, float] | None:
        """The slope's weights, None where numbers are measured; refuses another contrast beside them."""
        weights = self.weights() if self.at is not None else None
        if written is not None and written != weights:
            raise ValueError("a dose brings its own weights: leave out contrast")
        return weights

    def weights(self) -> dict[str, float]:
        """The slope as a contrast: level -> weight, such that the weighted sum of means is the slope per step.

        Notes
        -----
        Least squares over the levels' means, every level weighing the same: w = (x - mean x) / sum (x - mean x)^2.
        """
        steps = {name: self.step(number) for name, number in self.numbers.items()}
        centre = math.fsum(steps.values()) / len(steps)
        about = math.fsum((x - centre) ** 2 for x in steps.values())
        most = max(abs(x - centre) for x in steps.values())
        return {name: (x - centre) / about if abs(x - centre) > ROUNDING * most else 0.0 for name, x in steps.items()}
