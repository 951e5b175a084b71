"""Requests: what was asked of a model and how its answer ended, one row beside every generated completion."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field, check

from seedlock.schemas.completions import SHA256_HEX
from seedlock.schemas.statuses import finite_or_null
from seedlock.schemas.table import Table


class Requests(DataFrameModel):
    """One row a request; `request_id` is the completion's.

    `finish` says how the answer ended: by itself ("stop"), at the planned length ("length"), scored without any answer
    ("scored"), or not at all ("failed"). `option_mass` is the probability that all options of a probe share. Tokens are
    null where an API does not count them.
    """

    request_id: str = Field(unique=True, str_matches=SHA256_HEX + "$")
    run_id: str
    item_id: str
    draw: pd.Int64Dtype = Field(ge=0)
    seed: pd.Int64Dtype = Field(ge=0)
    prompt_sha256: str = Field(str_matches=SHA256_HEX + "$")
    prompt_tokens: pd.Int64Dtype = Field(ge=0, nullable=True)
    new_tokens: pd.Int64Dtype = Field(ge=0, nullable=True)
    finish: str = Field(isin=["stop", "length", "scored", "failed"])
    option_mass: float = Field(nullable=True, ge=0)

    class Config:
        """One request a draw."""

        strict = True
        unique = ("run_id", "item_id", "draw")

    @check("option_mass", name="a mass is finite")
    @classmethod
    def mass_is_finite(cls, mass: pd.Series[float]) -> pd.Series[bool]:
        """Undefined is null, never NaN or infinity."""
        return finite_or_null(mass)


TABLE = Table(
    name="requests",
    model=Requests,
    key=("request_id",),
    order=("run_id", "item_id", "draw"),
    also_unique=(("run_id", "item_id", "draw"),),
)
