"""Cells: the sufficient statistics every estimate is made from, run by item by measure."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field, check, dataframe_check

from seedlock.schemas.statuses import finite_or_null
from seedlock.schemas.table import Table


class Cells(DataFrameModel):
    """One row a run, item and measure.

    `n_scored` is null where only a published mean is known. `k` is given for yes/no measures only.
    `missing` is canonical JSON, reason -> rows, and sums to `n_missing`.
    """

    run_id: str
    item_id: str
    measure: str
    n_scored: pd.Int64Dtype = Field(nullable=True, ge=0)
    k: pd.Int64Dtype = Field(nullable=True, ge=0)
    total: float = Field(nullable=True)
    mean: float = Field(nullable=True)
    sum_sq: float = Field(nullable=True, ge=0)
    n_missing: pd.Int64Dtype = Field(ge=0)
    missing: str = Field(str_startswith="{")

    class Config:
        """One cell a run, item and measure."""

        strict = True
        unique = ("run_id", "item_id", "measure")

    @check("total", "mean", "sum_sq", name="a statistic is finite")
    @classmethod
    def is_finite(cls, numbers: pd.Series[float]) -> pd.Series[bool]:
        """Undefined is null, never NaN or infinity."""
        return finite_or_null(numbers)

    @dataframe_check(name="k is at most n_scored")
    @classmethod
    def k_at_most_n(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """No more successes than scored answers."""
        return (frame["k"] <= frame["n_scored"]).fillna(frame["k"].isna()).astype(bool)

    @dataframe_check(name="a mean is given exactly when something was scored")
    @classmethod
    def mean_iff_scored(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """An empty cell has no mean; it is never 0."""
        return frame["mean"].isna() == (frame["n_scored"] == 0).fillna(False).astype(bool)


TABLE = Table(
    name="cells",
    model=Cells,
    key=("run_id", "item_id", "measure"),
    order=("measure", "run_id", "item_id"),
    takes_columns=True,
)
