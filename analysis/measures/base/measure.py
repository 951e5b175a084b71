"""What a measure is: checked settings and one pure function from rows to scores."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, ValidationError

from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.asked import Asked
from seedlock.schemas.statuses import TOLD_APART

PLAN_SAYS = "the measure's own unit"
"""Unit of a kind whose numbers only the plan can name."""
SHOWN = 20


class Params(BaseModel):
    """Settings of a measure as the plan writes them; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Least and greatest possible score, for worst-case bounds; None where there is none."""
        return (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Scores of a table's rows, in their order; exactly one of the two is given a row.

    Parameters
    ----------
    score
        float64, shape (rows,), null where there is no score.
    missing
        Why there is none, shape (rows,), null where there is one.
    """

    score: pa.Array
    missing: pa.Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure[P: Params]:
    """A kind of measure that a plan can name.

    Parameters
    ----------
    params
        Its settings.
    score
        Rows (the columns of `completions`) and settings in, `Scored` out. Pure.
    unit
        Unit of a score.
    is_proportion
        True where every score is 0 or 1, so that a cell is k of n.
    higher_means
        What a higher score says, in plain words.
    reads
        How the items it scores are asked (`asked` of the items table); empty reads every item.
    neither
        Which rows are neither one thing nor the other (ties, borderline): a report counts them apart. None where a
        measure knows no such thing.
    table
        What it scores: completions, or readings of the inside of models.
    """

    params: type[P]
    score: Callable[[pa.Table, P], Scored]
    unit: str
    is_proportion: bool
    higher_means: str
    reads: tuple[Asked, ...] = ()
    neither: Callable[[pa.Table, P], pa.Array] | None = None
    table: Literal["completions", "readings"] = "completions"

    def configure(self, settings: Mapping[str, Any], *, where: str) -> P:
        """Check settings from a plan.

        Raises
        ------
        BadInput
            Every key that is unknown (with a guess), absent, or of the wrong kind.
        """
        try:
            return self.params.model_validate(dict(settings))
        except ValidationError as error:
            findings = (_finding(where, list(self.params.model_fields), detail) for detail in error.errors())
            raise BadInput(f"{where} cannot be used as it is", *findings) from error


def _finding(where: str, known: list[str], detail: Any) -> Finding:
    """Translate one pydantic error."""
    path = ".".join(map(str, detail["loc"]))
    found = "nothing" if detail["type"] == "missing" else repr(detail["input"])
    promised = str(detail["msg"])
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path, known, n=1)
        promised = f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(known) or 'no setting'}"
    return Finding(where=f"{where}.{path}" if path else where, found=found, promised=promised)


def why_missing(rows: pa.Table, answer: str) -> pa.Array:
    """Return the reason a row has no answer to score, null where it has one.

    A status other than "ok" names the reason, or a reason that says more than its status; of an "ok" row without the
    column `answer` its own reason does, else it is "no text", "no label" or "no value".
    """
    status, null = flat(rows["status"]), pa.scalar(None, pa.string())
    reason = flat(rows["reason"]) if "reason" in rows.column_names else pa.nulls(rows.num_rows, pa.string())
    told = pc.if_else(pc.is_in(reason, value_set=pa.array(TOLD_APART)), reason, status)
    nothing = pc.if_else(pc.is_valid(flat(rows[answer])), null, pc.coalesce(reason, pa.scalar(f"no {answer}")))
    return pc.if_else(pc.equal(status, "ok"), nothing, told)


def scored(score: pa.Array, missing: pa.Array) -> Scored:
    """Blank the scores of rows that have a reason to be missing."""
    is_scored = pc.is_null(missing)
    return Scored(score=pc.if_else(is_scored, score.cast(pa.float64()), pa.scalar(None, pa.float64())), missing=missing)


def flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one contiguous array."""
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column


def refuse_unlisted(labels: pa.Array, listed: tuple[str, ...]) -> None:
    """Refuse labels that are none of `listed`.

    Raises
    ------
    BadInput
        Each such label with its number of rows, most frequent first.
    """
    unlisted = labels.filter(pc.invert(pc.is_in(labels, pa.array(listed, pa.string()))))
    if not len(unlisted):
        return
    counted = sorted(
        ((c["values"], c["counts"]) for c in pc.value_counts(unlisted).to_pylist()), key=lambda c: (-c[1], c[0])
    )
    raise BadInput(
        "labels that the plan does not list",
        *(
            Finding(where=repr(label), found=f"{rows} rows", promised=", ".join(listed))
            for label, rows in counted[:SHOWN]
        ),
        then="list each under the measure, or say that it is missing",
    )
