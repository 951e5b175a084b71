"""How surprised the model is by fixed text: mean negative log-probability a token."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing


class Perplexity(Params):
    """`most`: scores above so many nats a token are cut to it; without it missing passages cannot be bounded."""

    most: float | None = Field(default=None, gt=0)

    @property
    def limits(self) -> tuple[float, float] | None:
        """From no surprise to `most`."""
        return None if self.most is None else (0.0, self.most)


def score(rows: pa.Table, params: Perplexity) -> Scored:
    """Score the mean negative log-probability a token of the passage, in nats.

    Parameters
    ----------
    rows
        Completions; `value` and `status` are read.

    Notes
    -----
    Perplexity is its exponential, so that a difference of two arms is the logarithm of the ratio of their perplexities:
    5% more is an edge at log(1.05) = 0.0488. Comparable over models of one tokenizer only.
    """
    value = flat(rows["value"])
    missing = why_missing(rows, "value")
    negative = pc.and_(pc.is_null(missing), pc.less(value, 0))
    missing = pc.if_else(pc.fill_null(negative, False), pa.scalar("out of range"), missing)
    return scored(value if params.most is None else pc.min_element_wise(value, params.most, skip_nulls=False), missing)


MEASURE = Measure(
    params=Perplexity,
    score=score,
    unit="nats a token",
    is_proportion=False,
    higher_means="the model is more surprised by the passages",
    reads=("passage",),
)
