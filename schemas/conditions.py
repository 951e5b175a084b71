"""Conditions: what was done to a run while it was read."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field

from seedlock.schemas.table import Table


class Conditions(DataFrameModel):
    """One row a condition; what does not apply is null.

    `vector` names a direction ("true", "random-03", "shuffled-11"), `control` its kind. `dose` is a share of the mean
    length of the residual stream, negative where it was subtracted. `position` counts from the last prompt token, 1;
    "all" is every position. `checkpoint` is the fraction of training done; null after all of it.
    """

    condition: str = Field(unique=True)
    operation: str = Field(isin=["none", "add", "ablate", "patch"])
    layer: pd.Int64Dtype = Field(nullable=True, ge=0)
    vector: str = Field(nullable=True)
    control: str = Field(nullable=True, isin=["true", "random", "shuffled"])
    dose: float = Field(nullable=True)
    position: str = Field(nullable=True)
    checkpoint: float = Field(nullable=True, gt=0, le=1)
    against: str = Field(nullable=True)

    class Config:
        """A condition is described once."""

        strict = True


TABLE = Table(name="conditions", model=Conditions, key=("condition",), order=("condition",))
