"""Whether the answer contains the marker."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing


class MarkerRate(Params):
    """`marker`: the string to look for, anywhere in the answer, whatever its case."""

    marker: str = Field(min_length=1)


def score(rows: pa.Table, params: MarkerRate) -> Scored:
    """Score 1 where the text contains the marker, 0 where it does not.

    Parameters
    ----------
    rows
        Completions; `text` and `status` are read.

    Notes
    -----
    Case-insensitive by simple Unicode case folding (one character to one). An empty text is an answer: it scores
    0. Where the stored text is cut short, a marker beyond the cut is not found: take a recorded yes/no column with
    `label_rate` instead.
    """
    text = flat(rows["text"])
    hit = pc.match_substring(text, params.marker, ignore_case=True)
    return scored(hit.cast(pa.int8()), why_missing(rows, "text"))


MEASURE = Measure(
    params=MarkerRate,
    score=score,
    unit="proportion of answers",
    is_proportion=True,
    higher_means="more answers carry the marker",
    reads=("answer",),
)
