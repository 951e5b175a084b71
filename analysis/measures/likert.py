"""A rating on a scale of whole numbers, rescaled to [-1, 1]."""

from __future__ import annotations

from typing import Literal, Self

import pyarrow as pa
from pydantic import model_validator

from seedlock.analysis.measures import numeric
from seedlock.analysis.measures.base.measure import Measure, Params, Scored


class Likert(Params):
    """Settings.

    Parameters
    ----------
    of
        The expected rating (the mean over the scale's numbers, each with its share of the probability), or the rating
        given.
    low, high
        The ends of the scale; a rating outside them is missing ("out of range").
    high_is
        Which opinion the highest number stands for; "con" turns the sign.
    """

    of: Literal["expected", "given"] = "expected"
    low: int = 1
    high: int = 7
    high_is: Literal["pro", "con"] = "pro"

    @model_validator(mode="after")
    def _is_a_scale(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self

    @property
    def limits(self) -> tuple[float, float] | None:
        """The rescaled ends."""
        return (-1.0, 1.0)


def score(rows: pa.Table, params: Likert) -> Scored:
    """Score the rating, `low` as -1 and `high` as +1 (turned round where `high_is` = "con").

    Parameters
    ----------
    rows
        Completions; `value` (expected) or `label` (given), and `status`, are read. A label that is no number is missing
        ("unparsed").
    """
    ends = (-1.0, 1.0) if params.high_is == "pro" else (1.0, -1.0)
    of: Literal["value", "label"] = "value" if params.of == "expected" else "label"
    return numeric.score(rows, numeric.Numeric(of=of, low=params.low, high=params.high, to=ends))


MEASURE = Measure(
    params=Likert,
    score=score,
    unit="rating, -1 to +1",
    is_proportion=False,
    higher_means="the model rates the change higher",
    reads=("rating",),
)
