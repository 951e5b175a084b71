"""Scores: what a measure made of one completion, or why it could not."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field, check, dataframe_check

from seedlock.schemas.completions import SHA256_HEX
from seedlock.schemas.statuses import finite_or_null
from seedlock.schemas.table import Table


class Scores(DataFrameModel):
    """One row a completion and measure; exactly one of `score` and `missing` is given."""

    request_id: str = Field(str_matches=SHA256_HEX + "$")
    run_id: str
    item_id: str
    draw: pd.Int64Dtype = Field(ge=0)
    measure: str
    score: float = Field(nullable=True)
    missing: str = Field(nullable=True)

    class Config:
        """One score a completion and measure."""

        strict = True
        unique = ("request_id", "measure")

    @check("score", name="a score is finite")
    @classmethod
    def score_is_finite(cls, score: pd.Series[float]) -> pd.Series[bool]:
        """Undefined is null, never NaN or infinity."""
        return finite_or_null(score)

    @dataframe_check(name="either a score or the reason it is missing")
    @classmethod
    def score_or_reason(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """A missing answer is never scored, and never silent."""
        return frame["score"].isna() != frame["missing"].isna()


TABLE = Table(
    name="scores",
    model=Scores,
    key=("request_id", "measure"),
    order=("measure", "run_id", "item_id", "draw"),
)
