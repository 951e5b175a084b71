"""Directions: how well texts of two poles are told apart at each layer of a base model, and which layer was chosen."""

from __future__ import annotations

import pandas as pd
from pandera.pandas import DataFrameModel, Field

from seedlock.schemas.completions import SHA256_HEX
from seedlock.schemas.table import Table


class Directions(DataFrameModel):
    """One row a model and layer.

    Accuracy (in [0, 1]) and log loss (nats) are of a linear probe on texts held out by fold. Lengths are Euclidean,
    in the units of the residual stream. `vectors_sha256` is the digest of the file that holds every vector used.
    """

    model: str
    layer: pd.Int64Dtype = Field(ge=0)
    n_high: pd.Int64Dtype = Field(ge=1)
    n_low: pd.Int64Dtype = Field(ge=1)
    accuracy: float = Field(ge=0, le=1)
    log_loss: float = Field(ge=0)
    vector_length: float = Field(ge=0)
    stream_length: float = Field(ge=0)
    is_chosen: pd.Int64Dtype = Field(isin=[0, 1])
    activations_sha256: str = Field(str_matches=SHA256_HEX + "$")
    vectors_sha256: str = Field(str_matches=SHA256_HEX + "$")

    class Config:
        """One layer once a model."""

        strict = True
        unique = ("model", "layer")


TABLE = Table(name="directions", model=Directions, key=("model", "layer"), order=("model", "layer"))
