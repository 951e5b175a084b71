"""What can become of a request, and the rule that ties status, reason and answer together."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd

Status = Literal["ok", "refusal", "cut off", "error", "expired", "canceled", "unparsed"]
STATUSES: tuple[Status, ...] = get_args(Status)


def reason_says_why(frame: pd.DataFrame) -> pd.Series[bool]:
    """Rows whose reason is given exactly when there is no valid answer."""
    return (frame["status"] == "ok") == frame["reason"].isna()


def finite_or_null(numbers: pd.Series[float]) -> pd.Series[bool]:
    """Rows whose number is null or finite."""
    return numbers.isna() | numbers.abs().lt(float("inf"))
