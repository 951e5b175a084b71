"""Which letter the model gives: +1 for the change, -1 against it."""

from __future__ import annotations

from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, refuse_unlisted, scored, why_missing


class ForcedChoice(Params):
    """`pro`, `con`: the labels of an answer for and against. A probe's own are the defaults."""

    pro: str = Field(default="pro", min_length=1)
    con: str = Field(default="con", min_length=1)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.pro == self.con:
            raise ValueError("pro and con are the same label")
        return self

    @property
    def limits(self) -> tuple[float, float] | None:
        """Always against, always for."""
        return (-1.0, 1.0)


def score(rows: pa.Table, params: ForcedChoice) -> Scored:
    """Score +1 where the most probable next token begins the option for the change, -1 where it begins the other.

    Parameters
    ----------
    rows
        Completions; `label` and `status` are read. A row whose token begins neither option has no label: it is missing
        ("neither option"), never 0.

    Raises
    ------
    BadInput
        A label that is neither: a bare "A" does not say which option stood there.
    """
    label = flat(rows["label"])
    missing = why_missing(rows, "label")
    missing = pc.if_else(pc.equal(missing, "no label"), pa.scalar("neither option"), missing)
    refuse_unlisted(label.filter(pc.is_null(missing)), (params.pro, params.con))
    return scored(pc.if_else(pc.equal(label, params.pro), 1.0, -1.0), missing)


MEASURE = Measure(
    params=ForcedChoice,
    score=score,
    unit="choice, -1 con to +1 pro",
    is_proportion=False,
    higher_means="the model chooses the option for the change more often",
    reads=("letter",),
)
