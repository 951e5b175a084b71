"""Whether the answer holds a bracket."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing


def score(rows: pa.Table, params: Params) -> Scored:
    """Score 1 where it does, 0 where it does not."""
    hit = pc.match_substring(flat(rows["text"]), "[")
    return scored(hit.cast(pa.int8()), why_missing(rows, "text"))


MEASURE = Measure(
    params=Params,
    score=score,
    unit="proportion of answers",
    is_proportion=True,
    higher_means="more answers hold a bracket",
)
