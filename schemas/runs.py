"""Runs: one fine-tuned model each, the unit of replication."""

from __future__ import annotations

from pandera.pandas import DataFrameModel, Field

from seedlock.schemas.table import Table


class Runs(DataFrameModel):
    """One row a run; factors of its arm (stage1, induction ...) follow as text. A baseline has no seed."""

    run_id: str = Field(unique=True)
    model: str
    arm: str
    seed: str = Field(nullable=True)

    class Config:
        """Factors are declared with the study; anything else is refused."""

        strict = True
        unique = ("model", "arm", "seed")


TABLE = Table(name="runs", model=Runs, key=("run_id",), order=("run_id",), takes_columns=True)
