"""What can become of a request, and the rule that ties status, reason and answer together."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd

Status = Literal["ok", "refusal", "cut off", "error", "expired", "canceled", "unparsed", "filtered"]
STATUSES: tuple[Status, ...] = get_args(Status)
NO_ANSWER = "no answer in the source"
NOT_TEXT = "text is not UTF-8"
TOLD_APART = (NO_ANSWER, NOT_TEXT)
"""Reasons that a report names in place of their status, which says less."""


def reason_says_why(frame: pd.DataFrame) -> pd.Series[bool]:
    """Rows that are an answer, or say why they are none; the reason of an answer says which part of it is missing."""
    return (frame["status"] == "ok") | frame["reason"].notna()


def finite_or_null(numbers: pd.Series[float]) -> pd.Series[bool]:
    """Rows whose number is null or finite."""
    return numbers.isna() | numbers.abs().lt(float("inf"))
