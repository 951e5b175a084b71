"""Counts: results that arrive aggregated, k of n or a published mean whose n is unknown."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field, check, dataframe_check

from seedlock.schemas.statuses import finite_or_null
from seedlock.schemas.table import Table


class Counts(DataFrameModel):
    """One row a run, item and measure; `item_id` may stand for a whole item set."""

    run_id: str
    item_id: str
    measure: str
    k: pd.Int64Dtype = Field(nullable=True, ge=0)
    n: pd.Int64Dtype = Field(nullable=True, ge=1)
    mean: float = Field(nullable=True)

    class Config:
        """One count a cell."""

        strict = True
        unique = ("run_id", "item_id", "measure")

    @check("mean", name="a mean is finite")
    @classmethod
    def mean_is_finite(cls, mean: pd.Series[float]) -> pd.Series[bool]:
        """Undefined is null, never NaN or infinity."""
        return finite_or_null(mean)

    @dataframe_check(name="either k and n, or mean")
    @classmethod
    def one_form(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """Exactly one of the two ways to report a cell."""
        counted = frame["k"].notna() & frame["n"].notna()
        nothing = frame["k"].isna() & frame["n"].isna()
        return (counted & frame["mean"].isna()) | (nothing & frame["mean"].notna())

    @dataframe_check(name="k is at most n")
    @classmethod
    def k_at_most_n(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """No more successes than answers."""
        return (frame["k"] <= frame["n"]).fillna(True).astype(bool)


TABLE = Table(
    name="counts",
    model=Counts,
    key=("run_id", "item_id", "measure"),
    order=("run_id", "item_id", "measure"),
)
