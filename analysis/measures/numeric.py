"""A number read from the answer's value, or from its label."""

from __future__ import annotations

from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from seedlock.analysis.measures.base.measure import PLAN_SAYS, Measure, Params, Scored, flat, scored, why_missing

DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


class Numeric(Params):
    """Settings.

    Parameters
    ----------
    of
        Read the number from `value` or from `label`.
    low, high
        The range of possible answers; a number outside it is missing ("out of range"). Needed for worst-case bounds.
    to
        Map [`low`, `high`] linearly to this range ([-1, 1] for a 1-7 rating, say).
    """

    of: Literal["value", "label"] = "value"
    low: float | None = None
    high: float | None = None
    to: tuple[float, float] | None = Field(default=None)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high go together")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be below high")
        if self.to is not None and (self.low is None or self.to[0] == self.to[1]):
            raise ValueError("to needs low and high, and two different ends")
        return self

    @property
    def limits(self) -> tuple[float, float] | None:
        """The declared range on the scale of the scores."""
        if self.low is None or self.high is None:
            return None
        low, high = self.to or (self.low, self.high)
        return min(low, high), max(low, high)


def score(rows: pa.Table, params: Numeric) -> Scored:
    """Score the number itself, rescaled where the plan says so.

    Parameters
    ----------
    rows
        Completions, or completions with a judge's values; `value` or `label`, and `status`, are read.

    Notes
    -----
    A label that is no finite decimal number is missing ("unparsed"), never 0; so is a word where a value should be,
    under its own reason ("not a number: REFUSAL").
    """
    missing = why_missing(rows, params.of)
    if params.of == "value":
        missing = pc.if_else(pc.equal(missing, "unparsed"), pc.coalesce(flat(rows["reason"]), missing), missing)
    number = flat(rows["value"]) if params.of == "value" else _parsed(flat(rows["label"]))
    is_number = pc.fill_null(pc.is_finite(number), False)
    missing = pc.coalesce(missing, pc.if_else(is_number, pa.scalar(None, pa.string()), pa.scalar("unparsed")))
    if params.low is not None and params.high is not None:
        outside = pc.or_(pc.less(number, params.low), pc.greater(number, params.high))
        missing = pc.coalesce(missing, pc.if_else(outside, pa.scalar("out of range"), pa.scalar(None, pa.string())))
        if params.to is not None:
            share = pc.divide(pc.subtract(number, params.low), params.high - params.low)
            number = pc.add(params.to[0], pc.multiply(share, params.to[1] - params.to[0]))
    return scored(number, missing)


def _parsed(label: pa.Array) -> pa.Array:
    """Labels as numbers, null where a label is none."""
    trimmed = pc.utf8_trim_whitespace(label)
    is_number = pc.match_substring_regex(trimmed, DECIMAL)
    return pc.if_else(is_number, trimmed, pa.scalar(None, pa.string())).cast(pa.float64())


MEASURE = Measure(
    params=Numeric,
    score=score,
    unit=PLAN_SAYS,
    is_proportion=False,
    higher_means="a larger number",
)
