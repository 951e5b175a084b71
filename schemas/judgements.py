"""Judgements: what a named judge said of one completion."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field, check, dataframe_check

from seedlock.schemas.completions import SHA256_HEX
from seedlock.schemas.statuses import STATUSES, finite_or_null, reason_says_why
from seedlock.schemas.table import Table


class Judgements(DataFrameModel):
    """One row a completion and judge; `request_id` is the completion's."""

    request_id: str = Field(str_matches=SHA256_HEX + "$")
    judge: str
    label: str = Field(nullable=True)
    value: float = Field(nullable=True)
    status: str = Field(isin=list(STATUSES))
    reason: str = Field(nullable=True)

    class Config:
        """One judgement a judge and completion."""

        strict = True
        unique = ("request_id", "judge")

    @check("value", name="a value is finite")
    @classmethod
    def value_is_finite(cls, value: pd.Series[float]) -> pd.Series[bool]:
        """Undefined is null, never NaN or infinity."""
        return finite_or_null(value)

    @dataframe_check(name="a reason is given when status is not ok")
    @classmethod
    def reason_iff_not_ok(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """A failed judgement says why."""
        return reason_says_why(frame)

    @dataframe_check(name="status ok needs a label or a value")
    @classmethod
    def ok_has_an_answer(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """A judgement is something."""
        return (frame["status"] != "ok") | frame["label"].notna() | frame["value"].notna()


TABLE = Table(name="judgements", model=Judgements, key=("request_id", "judge"), order=("judge", "request_id"))
