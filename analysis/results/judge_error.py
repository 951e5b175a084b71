"""What `results.json` says of a judge that was checked: its own answer beside the corrected one, and where it errs."""

from __future__ import annotations

from seedlock.analysis.results.part import Part


class LevelError(Part):
    """How a judge errs at one level of a contrast, from its gold labels.

    `error` is what the judge scores too high, as a mean over units, with a t interval over units where there are two.
    `hits` of `of_hits` gold scores of 1 were judged 1 (sensitivity), `rejections` of `of_rejections` gold scores of 0
    were judged 0 (specificity); null where the measure is no rate. `weight` is what the judge's word counted there.
    """

    level: str
    labels: int
    missing: int
    judged: float
    corrected: float
    error: float
    error_ci: tuple[float, float] | None
    weight: float
    hits: int | None
    of_hits: int | None
    rejections: int | None
    of_rejections: int | None


class JudgeErrorResult(Part):
    """A hypothesis as the judge alone would have it, beside the corrected answer that decides.

    Numbers are on the hypothesis's scale. `estimate`, `ci` and `verdict` take every verdict of the judge as right.
    `error` is the judge's error in the contrast, by the plan's own test over units: an interval that leaves out 0 is
    error that differs between the levels. `width_ratio` is the corrected interval's width over that of the judge's.
    """

    judge: str
    checked_by: str
    estimate: float | None
    ci: tuple[float, float] | None
    verdict: list[str]
    reason: str | None
    error: float | None
    error_ci: tuple[float, float] | None
    width_ratio: float | None
    levels: list[LevelError]
