"""How often the right option of a multiple-choice question has the highest log-probability."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing


class Capability(Params):
    """`lead`: nats by which the right option must lead the best other one; more than 0 in any case."""

    lead: float = Field(default=0.0, ge=0)


def score(rows: pa.Table, params: Capability) -> Scored:
    """Score 1 where the right option leads, 0 where it does not; a tie is not right.

    Parameters
    ----------
    rows
        Completions; `value` (log P of the right option less that of the best other one) and `status` are read.

    Notes
    -----
    Options are scored whole, by the sum over their tokens: a longer one pays for its length. Give letters, or options
    of like length.
    """
    return scored(pc.greater(flat(rows["value"]), params.lead).cast(pa.int8()), why_missing(rows, "value"))


MEASURE = Measure(
    params=Capability,
    score=score,
    unit="proportion of questions answered right",
    is_proportion=True,
    higher_means="more questions are answered right",
    reads=("choice",),
)
