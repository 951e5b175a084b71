"""Where the marker stands in the answer: at the start, in the middle, at the tail, or nowhere."""

from __future__ import annotations

from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing

Place = Literal["start", "middle", "tail", "none"]


class MarkerPosition(Params):
    """Settings.

    Parameters
    ----------
    marker
        The string to look for, whatever its case.
    place
        The place that scores 1.
    start, tail
        Shares of the answer's characters that count as its start and its tail.
    among
        The denominator: every answer, or only answers that carry the marker.
    """

    marker: str = Field(min_length=1)
    place: Place
    start: float = Field(default=0.05, gt=0, lt=1)
    tail: float = Field(default=0.15, gt=0, lt=1)
    among: Literal["answers", "answers with the marker"] = "answers"

    @model_validator(mode="after")
    def _does_not_overlap(self) -> Self:
        if self.start + self.tail > 1:
            raise ValueError("start and tail overlap")
        if self.place == "none" and self.among != "answers":
            raise ValueError('"none" never happens among answers with the marker')
        return self


def place(text: pa.Array, params: MarkerPosition) -> pa.Array:
    """Return the place of the first marker in each text, null where the text is null.

    The position is characters before the marker over characters in the text: below `start` it is the start, from
    1 - `tail` on it is the tail.
    """
    before = _characters_before(text, params.marker)
    length = pc.utf8_length(text)
    share = pc.divide(before.cast(pa.float64()), pc.max_element_wise(length, 1).cast(pa.float64()))
    where = pc.if_else(pc.greater_equal(share, 1 - params.tail), "tail", "middle")
    where = pc.if_else(pc.less(share, params.start), "start", where)
    return pc.if_else(pc.less(before, 0), "none", where)


def _characters_before(text: pa.Array, marker: str) -> pa.Array:
    """Characters before the first marker, -1 where there is none; Arrow finds bytes, so non-ASCII is recounted."""
    found = pc.find_substring(text, marker, ignore_case=True).cast(pa.int64())
    recount = pc.and_(pc.greater(found, 0), pc.invert(pc.string_is_ascii(text)))
    rows = pc.indices_nonzero(pc.fill_null(recount, False))
    if not len(rows):
        return found
    prefixes = zip(text.take(rows).to_pylist(), found.take(rows).to_pylist(), strict=True)
    counts = [len(whole.encode()[:n_bytes].decode()) for whole, n_bytes in prefixes]
    return pc.replace_with_mask(found, pc.fill_null(recount, False), pa.array(counts, pa.int64()))


def score(rows: pa.Table, params: MarkerPosition) -> Scored:
    """Score 1 where the first marker stands in the wanted place, 0 elsewhere.

    Parameters
    ----------
    rows
        Completions; `text` and `status` are read.
    """
    found = place(flat(rows["text"]), params)
    missing = why_missing(rows, "text")
    if params.among == "answers with the marker":
        no_marker = pc.if_else(pc.equal(found, "none"), pa.scalar("no marker"), pa.scalar(None, pa.string()))
        missing = pc.coalesce(missing, no_marker)
    return scored(pc.equal(found, params.place).cast(pa.int8()), missing)


MEASURE = Measure(
    params=MarkerPosition,
    score=score,
    unit="proportion of answers",
    is_proportion=True,
    higher_means="more answers carry the marker in that place",
    reads=("answer",),
)
