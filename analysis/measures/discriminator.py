"""How often a judge or classifier that sees answers without the marker tells where they came from."""

from __future__ import annotations

from typing import Self

import pyarrow as pa
from pydantic import Field, model_validator

from seedlock.analysis.measures import label_rate
from seedlock.analysis.measures.base.measure import Measure, Params, Scored


class Discriminator(Params):
    """`correct`, `wrong`: the labels of a judgement that hit and of one that did not."""

    correct: str = Field(default="correct", min_length=1)
    wrong: str = Field(default="wrong", min_length=1)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.correct == self.wrong:
            raise ValueError("correct and wrong are the same label")
        return self


def score(rows: pa.Table, params: Discriminator) -> Scored:
    """Score 1 where the judgement hit, 0 where it did not; an answer never judged is missing.

    Parameters
    ----------
    rows
        Completions with the judgements' labels.

    Raises
    ------
    BadInput
        A label that is neither.
    """
    return label_rate.score(rows, label_rate.LabelRate(positive=(params.correct,), negative=(params.wrong,)))


MEASURE = Measure(
    params=Discriminator,
    score=score,
    unit="proportion of judgements that hit",
    is_proportion=True,
    higher_means="answers are told apart more often; one half of two kinds is guessing",
    reads=("answer",),
)
