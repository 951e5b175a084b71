"""How long an answer is: words or characters of its text, or a recorded number of tokens."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing


class Length(Params):
    """Settings.

    Parameters
    ----------
    of
        "words" (runs of characters without white space between them) or "characters" (code points) of the text.
    at_most
        Longer answers count as this long; the measure has an end then, and missing answers can be bounded.
    """

    of: Literal["words", "characters"] = "words"
    at_most: int | None = Field(default=None, gt=0)

    @property
    def limits(self) -> tuple[float, float] | None:
        """0 to `at_most`; None without it."""
        return None if self.at_most is None else (0.0, float(self.at_most))


def score(rows: pa.Table, params: Length) -> Scored:
    """Score the length of each answer; an empty one is 0 long.

    Parameters
    ----------
    rows
        Completions; `text` and `status` are read.
    """
    text = flat(rows["text"])
    words = pc.count_substring_regex(text, r"\S+") if params.of == "words" else pc.utf8_length(text)
    length = words.cast(pa.float64())
    if params.at_most is not None:
        length = pc.min_element_wise(length, float(params.at_most), skip_nulls=False)
    return scored(length, why_missing(rows, "text"))


MEASURE = Measure(
    params=Length,
    score=score,
    unit="words or characters of an answer",
    is_proportion=False,
    higher_means="longer answers",
    reads=("answer",),
)
