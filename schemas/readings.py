"""Readings: one number read inside a run on one item under one condition, or the reason there is none."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field, check, dataframe_check

from seedlock.schemas.statuses import STATUSES, finite_or_null, reason_says_why
from seedlock.schemas.table import Table

READINGS = (
    "projection",
    "probe",
    "lens",
    "cosine",
    "effective rank",
    "alignment",
)


class Readings(DataFrameModel):
    """One row a run, item, reading and condition.

    `reading` says what was read: where the last prompt token lies along the direction ("projection"), the value of a
    probe ("probe"), the options as a layer gives them ("lens"), cosine of two centroids ("cosine"), rank of a weight
    change and the share of it along a direction ("effective rank", "alignment"; `item_id` is then the module's name).
    `condition` is a row of the table `conditions`.
    """

    run_id: str
    item_id: str
    reading: str = Field(isin=list(READINGS))
    condition: str
    value: float = Field(nullable=True)
    status: str = Field(isin=list(STATUSES))
    reason: str = Field(nullable=True)

    class Config:
        """One reading a run, item and condition."""

        strict = True
        unique = ("run_id", "item_id", "reading", "condition")

    @check("value", name="a value is finite")
    @classmethod
    def value_is_finite(cls, value: pd.Series[float]) -> pd.Series[bool]:
        """Undefined is null, never NaN or infinity."""
        return finite_or_null(value)

    @dataframe_check(name="a value is given exactly when status is ok, else a reason")
    @classmethod
    def value_or_reason(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """A failure is a row with a status, never a number."""
        return reason_says_why(frame) & (frame["value"].isna() == frame["reason"].notna())


TABLE = Table(
    name="readings",
    model=Readings,
    key=("run_id", "item_id", "reading", "condition"),
    order=("run_id", "reading", "condition", "item_id"),
)
