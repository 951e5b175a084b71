"""Added: one table more."""

from __future__ import annotations

from pandera.pandas import DataFrameModel

from seedlock.schemas.table import Table


class Added(DataFrameModel):
    """One row a name."""

    name: str

    class Config:
        """Names are unique."""

        strict = True


TABLE = Table(name="added", model=Added, key=("name",), order=("name",))
