"""A judge's score of an open answer's stance, -3 (firmly against) to +3 (firmly for)."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
from pydantic import Field

from seedlock.analysis.measures import numeric
from seedlock.analysis.measures.base.measure import Measure, Params, Scored


class JudgedStance(Params):
    """Settings.

    Parameters
    ----------
    of
        Read the judge's `value` or its `label`.
    most
        The score of the firmest stance; a judgement beyond it is missing ("out of range").
    """

    of: Literal["value", "label"] = "value"
    most: float = Field(default=3.0, gt=0)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Firmly against, firmly for."""
        return (-self.most, self.most)


def score(rows: pa.Table, params: JudgedStance) -> Scored:
    """Score the stance as the judge gave it; positive is for the change.

    Parameters
    ----------
    rows
        Completions with a judge's label and value; a judgement that is no number is missing ("unparsed").
    """
    return numeric.score(rows, numeric.Numeric(of=params.of, low=-params.most, high=params.most))


MEASURE = Measure(
    params=JudgedStance,
    score=score,
    unit="judged stance, positive = pro",
    is_proportion=False,
    higher_means="the judge finds the answers more in favour of the change",
    reads=("answer",),
)
