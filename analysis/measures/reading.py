"""A number read inside the model: a projection, a probe, an option seen by the lens, a cosine, a rank."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored, why_missing


class Reading(Params):
    """Settings.

    Parameters
    ----------
    of
        What was read.
    layer
        "chosen", the layer that the direction's rule chose for that base model; "all" of them, to be divided by the
        factor `layer`; or a number. Probes of a model as it is have no layer.
    checkpoint
        "last", after all of training, or "all", to be divided by the factor `checkpoint`.
    control
        Alignment along the true direction, or along the controls of that kind too ("all").
    """

    of: Literal["projection", "probe", "lens", "cosine", "effective rank", "alignment"]
    layer: Literal["chosen", "all"] | int = "chosen"
    checkpoint: Literal["last", "all"] = "last"
    control: Literal["true", "all"] = "true"

    @property
    def limits(self) -> tuple[float, float] | None:
        """Cosines and alignments have ends; nothing else that is read has."""
        return {"cosine": (-1.0, 1.0), "alignment": (0.0, 1.0)}.get(self.of)


def score(rows: pa.Table, _params: Reading) -> Scored:
    """Score the number itself.

    Parameters
    ----------
    rows
        Readings; `value` and `status` are read.
    """
    return scored(flat(rows["value"]), why_missing(rows, "value"))


MEASURE = Measure(
    params=Reading,
    score=score,
    unit="units of the residual stream",
    is_proportion=False,
    higher_means="further along the direction, or more of what was read",
    table="readings",
)
