"""What `results.json` says of looks at any time: estimate, confidence sequence and evidence, seed after seed."""

from __future__ import annotations

from seedlock.analysis.results.part import Part


class AnytimePoint(Part):
    """What the first `units` of every level say.

    `ci` is null where no data could exclude anything yet, `estimate` where the test refuses; `reason` says why.
    `log10_above` and `log10_below` are the evidence, as powers of ten, that the truth lies above and below each edge.
    """

    units: int
    estimate: float | None
    ci: tuple[float, float] | None
    log10_above: list[float]
    log10_below: list[float]
    reason: str | None


class AnytimeResult(Part):
    """The course of one hypothesis over its units, in the order of the plan, on the hypothesis's scale.

    `effect` is the distance from an edge that the looks are sharpest for, in SDs between units. An edge is excluded
    where its evidence reaches 1 / alpha, that is `log10_needed`.
    """

    effect: float
    log10_needed: float
    points: list[AnytimePoint]
