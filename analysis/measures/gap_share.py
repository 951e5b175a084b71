"""The gap between arms and what a change inside the model makes or takes of it."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing


class GapShare(Params):
    """`operation`: the direction added to the unmodified model, projected out of the runs, or streams patched in.

    Cells carry the factors `part` ("gap" or "change"), `control` ("true", "random", "shuffled"), `vector`, `layer` and
    `position`.
    """

    operation: Literal["add", "ablate", "patch"]

    @property
    def limits(self) -> tuple[float, float] | None:
        """A difference of log-odds has no ends."""
        return None


def score(rows: pa.Table, _params: GapShare) -> Scored:
    """Score the number itself.

    Parameters
    ----------
    rows
        From `analysis.inside.gap.gap_rows`; `value` and `status` are read.
    """
    return scored(flat(rows["value"]), why_missing(rows, "value"))


MEASURE = Measure(
    params=GapShare,
    score=score,
    unit="log-odds of the probe",
    is_proportion=False,
    higher_means="a larger gap, or more of it made or taken",
    table="readings",
)
