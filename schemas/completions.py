"""Completions: one answer of one run to one item, or the reason there is none."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field, check, dataframe_check

from seedlock.schemas.statuses import STATUSES, finite_or_null, reason_says_why
from seedlock.schemas.table import Table

SHA256_HEX = r"[0-9a-f]{64}"


class Completions(DataFrameModel):
    """One row a draw. `request_id` is the digest of everything that determines the request."""

    request_id: str = Field(unique=True, str_matches=SHA256_HEX + "$")
    run_id: str
    item_id: str
    draw: pd.Int64Dtype = Field(ge=0)
    text: str = Field(nullable=True)
    label: str = Field(nullable=True)
    value: float = Field(nullable=True)
    status: str = Field(isin=list(STATUSES))
    reason: str = Field(nullable=True)

    class Config:
        """One answer a draw."""

        strict = True
        unique = ("run_id", "item_id", "draw")

    @check("value", name="a value is finite")
    @classmethod
    def value_is_finite(cls, value: pd.Series[float]) -> pd.Series[bool]:
        """Undefined is null, never NaN or infinity."""
        return finite_or_null(value)

    @dataframe_check(name="a reason is given when status is not ok")
    @classmethod
    def reason_iff_not_ok(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """A missing answer says why; an answer needs no excuse."""
        return reason_says_why(frame)

    @dataframe_check(name="status ok needs a text, a label or a value")
    @classmethod
    def ok_has_an_answer(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """An answer is something."""
        answered = frame["text"].notna() | frame["label"].notna() | frame["value"].notna()
        return (frame["status"] != "ok") | answered


TABLE = Table(
    name="completions",
    model=Completions,
    key=("request_id",),
    order=("run_id", "item_id", "draw"),
    also_unique=(("run_id", "item_id", "draw"),),
)
