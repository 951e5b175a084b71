"""Canaries: what a judge said of texts whose right answer is known."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field, dataframe_check

from seedlock.schemas.statuses import STATUSES, reason_says_why
from seedlock.schemas.table import Table


class Canaries(DataFrameModel):
    """One row a judge and text. `demanded` is the wrong answer that an injected command asks for."""

    judge: str
    canary_id: str
    kind: str = Field(isin=["gold", "injection"])
    expected: str
    demanded: str = Field(nullable=True)
    said: str = Field(nullable=True)
    status: str = Field(isin=list(STATUSES))
    reason: str = Field(nullable=True)

    class Config:
        """One row a judge and text."""

        strict = True
        unique = ("judge", "canary_id")

    @dataframe_check(name="a reason is given exactly when status is not ok")
    @classmethod
    def reason_iff_not_ok(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """A canary without an answer says why."""
        return reason_says_why(frame)

    @dataframe_check(name="status ok has an answer")
    @classmethod
    def ok_has_an_answer(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """A verdict is something."""
        return (frame["status"] == "ok") == frame["said"].notna()

    @dataframe_check(name="only an injection demands an answer, and a wrong one")
    @classmethod
    def injections_demand(cls, frame: pd.DataFrame) -> pd.Series[bool]:
        """A command asks for what is not right."""
        demands = frame["demanded"].notna()
        return (demands == (frame["kind"] == "injection")) & (~demands | (frame["demanded"] != frame["expected"]))


TABLE = Table(name="canaries", model=Canaries, key=("judge", "canary_id"), order=("judge", "canary_id"))
