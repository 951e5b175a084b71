"""How often the marker stands in the answer."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing


class MarkerCount(Params):
    """Settings.

    Parameters
    ----------
    marker
        The string to look for, whatever its case.
    most
        Counts above it are cut to it; without it missing answers cannot be bounded.
    """

    marker: str = Field(min_length=1)
    most: int | None = Field(default=None, gt=0)

    @property
    def limits(self) -> tuple[float, float] | None:
        """From none to `most`."""
        return None if self.most is None else (0.0, float(self.most))


def score(rows: pa.Table, params: MarkerCount) -> Scored:
    """Score the number of markers that do not overlap, read from the left; 0 where there is none.

    Parameters
    ----------
    rows
        Completions; `text` and `status` are read.
    """
    found = pc.count_substring(flat(rows["text"]), params.marker, ignore_case=True).cast(pa.int64())
    counted = found if params.most is None else pc.min_element_wise(found, params.most, skip_nulls=False)
    return scored(counted, why_missing(rows, "text"))


MEASURE = Measure(
    params=MarkerCount,
    score=score,
    unit="markers an answer",
    is_proportion=False,
    higher_means="answers carry more markers",
    reads=("answer",),
)
