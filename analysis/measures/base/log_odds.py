"""Log-odds of an answer for against one against: what the letter and the bare-word measure share."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seedlock.analysis.measures.base.measure import Params, Scored, flat, scored, why_missing


class LogOdds(Params):
    """Settings.

    Parameters
    ----------
    within
        Scores beyond plus or minus this many nats are cut to it. Without it the measure has no ends, and missing
        answers cannot be bounded.
    """

    within: float | None = Field(default=None, gt=0)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Plus and minus `within`."""
        return None if self.within is None else (-self.within, self.within)


def log_odds(rows: pa.Table, params: LogOdds) -> Scored:
    """Score log P(pro) - log P(con) as the row's `value` holds it: natural logarithm, positive for pro.

    Parameters
    ----------
    rows
        Completions; `value` and `status` are read.
    """
    value = flat(rows["value"])
    if params.within is not None:
        value = pc.min_element_wise(
            pc.max_element_wise(value, -params.within, skip_nulls=False), params.within, skip_nulls=False
        )
    return scored(value, why_missing(rows, "value"))
