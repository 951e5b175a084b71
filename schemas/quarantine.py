"""Quarantine: rows that failed, kept whole, with every reason beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pandera.errors import SchemaErrors
from pandera.pandas import DataFrameModel, Field

from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.completions import SHA256_HEX
from seedlock.schemas.table import Table

REASON_SEPARATOR = "; "
PLACED = ("run_id", "item_id", "draw")
"""Further columns of a refused row: its place in the grid, null where that is not known."""


class Quarantine(DataFrameModel):
    """One row a refused source row: where it stood, why it was refused, and what it held (JSON, or as found)."""

    source: str
    file: str
    file_sha256: str = Field(str_matches=SHA256_HEX + "$")
    row: pd.Int64Dtype = Field(ge=0)
    reasons: str
    content: str

    class Config:
        """A source row is refused once, with all its reasons."""

        strict = True
        unique = ("source", "row")


TABLE = Table(
    name="quarantine",
    model=Quarantine,
    key=("source", "row"),
    order=("source", "row"),
    takes_columns=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A frame in two: every input row is in exactly one part.

    Parameters
    ----------
    good
        Rows that meet the schema.
    quarantined
        The others as they came, with the column `reasons` added.
    counts
        Reason -> rows; a row with two reasons counts under both.
    """

    good: pd.DataFrame
    quarantined: pd.DataFrame
    counts: dict[str, int]


def split(table: Table, frame: pd.DataFrame, declared: Sequence[str] = ()) -> Split:
    """Separate the rows that meet a table's schema from those that do not; nothing is dropped.

    Raises
    ------
    BadInput
        The fault is not of a row: a column is missing, unknown or of another type.
    """
    numbered = frame.reset_index(drop=True)
    try:
        table.schema(declared).validate(numbered, lazy=True)
    except SchemaErrors as errors:
        reasons = _reasons(table, errors.failure_cases)
    else:
        reasons = {}
    bad = numbered.index.isin(list(reasons))
    joined = [REASON_SEPARATOR.join(reasons[row]) for row in numbered.index[bad]]
    return Split(
        good=numbered[~bad].reset_index(drop=True),
        quarantined=numbered[bad].assign(reasons=pd.array(joined, dtype="str")).reset_index(drop=True),
        counts=dict(Counter(reason for found in reasons.values() for reason in found)),
    )


def _reasons(table: Table, failures: pd.DataFrame) -> dict[int, list[str]]:
    """Row -> its reasons, in the order pandera found them."""
    whole = failures[failures["index"].isna()]
    if len(whole):
        raise BadInput(
            f"table {table.name!r} does not have the columns it promises",
            *(
                Finding(
                    where=str(failure["column"] or failure["schema_context"]),
                    found=str(failure["failure_case"]),
                    promised=str(failure["check"]),
                )
                for failure in whole.drop_duplicates(["column", "check", "failure_case"]).to_dict("records")
            ),
        )
    reasons: dict[int, list[str]] = {}
    for failure in failures[["index", "schema_context", "column", "check"]].to_dict("records"):
        said = str(failure["check"])
        reason = f"{failure['column']}: {said}" if failure["schema_context"] == "Column" else said
        found = reasons.setdefault(int(failure["index"]), [])
        if reason not in found:
            found.append(reason)
    return reasons
