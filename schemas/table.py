"""What a table is: a pandera model, the key that makes its rows unique, and the order it is sealed in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pa_pandas
import pyarrow as pa
from pandera.pandas import DataFrameModel, DataFrameSchema

from seedlock.prereg.errors import BadInput, Finding

ARROW_TYPES = {
    "string[pyarrow]": pa.string(),
    "str": pa.string(),
    "Int64": pa.int64(),
    "int64": pa.int64(),
    "float64": pa.float64(),
}
SQL_TYPES = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.float64(): "DOUBLE"}
COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,62}")


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One kind of row, declared once: validation, storage and seal all follow from it.

    Parameters
    ----------
    name
        The table's name: its file in `schemas/`, its key in `TABLES`, its name in the store.
    model
        The pandera model, strict: a column it does not name is refused.
    key
        Columns that identify a row. The same key with other content is a contradiction.
    also_unique
        Further column groups that may not repeat.
    takes_columns
        True where a study may declare further text columns (item attributes, factors of an arm).
    """

    name: str
    model: type[DataFrameModel]
    key: tuple[str, ...]
    order: tuple[str, ...]
    also_unique: tuple[tuple[str, ...], ...] = ()
    takes_columns: bool = False

    def schema(self, declared: Sequence[str] = ()) -> DataFrameSchema:
        """Return the pandera schema, with the study's declared text columns added."""
        base = self.model.to_schema()
        extra = [name for name in declared if name not in base.columns]
        if not extra:
            return base
        if not self.takes_columns:
            raise BadInput(
                f"table {self.name!r} takes no further columns",
                *(Finding(where=name, found="a column", promised="none") for name in extra),
            )
        for name in extra:
            if not COLUMN_NAME.fullmatch(name):
                raise BadInput(f"table {self.name!r}: {name!r} cannot name a column")
        columns = {name: pa_pandas.Column(str, nullable=True) for name in extra}
        return base.add_columns(columns)

    def arrow(self, declared: Sequence[str] = ()) -> pa.Schema:
        """Return the Arrow schema: the model's columns in order, then the declared ones, sorted."""
        base = self.model.to_schema().columns
        fields = [(name, ARROW_TYPES[str(column.dtype)]) for name, column in base.items()]
        fields += [(name, pa.string()) for name in sorted(set(declared) - set(base))]
        return pa.schema(fields)

    def ddl(self) -> str:
        """Return the CREATE TABLE statement of the store."""
        columns = ", ".join(f"{quoted(field.name)} {SQL_TYPES[field.type]}" for field in self.arrow())
        return f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} ({columns})"


def to_frame(rows: pa.Table) -> pd.DataFrame:
    """Convert Arrow rows to pandas with nullable integers, so that null never turns a count into a float."""
    frame: pd.DataFrame = rows.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame
