"""What a slope, rank correlation or adjusted contrast is over, and the number that each unit stands at."""

from __future__ import annotations

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.inference.hypothesis import Tested
from seedlock.analysis.results.dose import DoseResult
from seedlock.prereg.plan.plan import Estimand


def dose_result(estimand: Estimand) -> DoseResult | None:
    """What the numbers are; None for an estimand without dose and covariate."""
    dose = estimand.dose
    if dose is None:
        if estimand.adjust is None:
            return None
        return DoseResult(kind="adjusted", of=estimand.adjust, measure=estimand.adjust)
    is_rank = ESTIMATORS[estimand.test].family == "rank correlation"
    return DoseResult(
        kind="correlation" if is_rank else "slope",
        of=dose.unit or dose.measure or estimand.over,
        measure=dose.measure,
        scale=dose.scale,
        per=dose.per,
        step="" if is_rank else dose.step_words(estimand.over),
    )


def numbers(tested: Tested) -> dict[tuple[str, str], float]:
    """(level, unit) -> number that the unit stands at there, as the plan or the covariate has it."""
    dose = tested.estimand.dose
    return {
        (level.name, unit): x if dose is None else dose.number(x)
        for level in (tested.sample.levels if tested.sample is not None else ())
        for unit, x in level.unit_x.items()
    }
