"""The scale a hypothesis is judged on: the measure's own unit, or a standard deviation frozen by the plan."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.design_effect import Group, worth_of
from seedlock.analysis.inference.reason import Reason
from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.scoring.item_sets import in_set, unit_of
from seedlock.prereg.errors import EmptyCell, NoSpread, TooFewUnits
from seedlock.prereg.plan.plan import Estimand, Plan, Sd


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How many raw units one unit of the bands' scale is, and the words for it.

    Parameters
    ----------
    note
        Where a fallback stands in, why.
    sd_df
        Degrees of freedom behind an SD that is itself an estimate: its error is carried into tests and interval. None
        for a scale that is fixed.
    """

    raw_per_unit: float
    text: str
    note: Reason | None = None
    sd_df: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    sd: float
    df: float


def scale_of(plan: Plan, estimand: Estimand, cells: pd.DataFrame) -> Scale:
    """The scale that `estimand` names.

    Raises
    ------
    EmptyCell, TooFewUnits
        The planned SD cannot be computed from the data.
    NoSpread
        The data have no spread, and the plan names no fallback.
    """
    unit = unit_of(plan, estimand.measure)
    if estimand.scale == "raw":
        return Scale(raw_per_unit=1.0, text=raw_unit(plan, estimand))
    name = estimand.scale.removeprefix("sd.")
    sd = plan.sd[name]
    if sd.value is not None:
        text = f"SD {name} (fixed at {sd.value:g}: {sd.source})"
        return Scale(raw_per_unit=sd.value, text=text, sd_df=sd.df)
    try:
        found = _spread(plan, sd, cells)
    except NoSpread as refusal:
        if sd.fallback is None:
            raise
        text = f"SD {name} (undefined: no spread; the plan's fallback of {sd.fallback:g} {unit}: {sd.source})"
        return Scale(raw_per_unit=sd.fallback, text=text, note=Reason("fallback-sd", f"{refusal.what}; {text}"))
    origin = f"{found.sd:.4g} {unit}, {sd.of}, arm {sd.arm}, estimated from these data with {found.df:.4g} df"
    return Scale(raw_per_unit=found.sd, text=f"SD {name} ({origin})", sd_df=found.df)


def raw_unit(plan: Plan, estimand: Estimand) -> str:
    """The unit of an estimate on its measure's own scale, or what the test makes of it: a share of what, say."""
    unit_of_estimate = ESTIMATORS[estimand.test].unit_of_estimate
    if estimand.dose is not None:
        own = unit_of(plan, estimand.measure)
        line = f"{own} per {estimand.dose.step_words(estimand.over)}"
        return line if unit_of_estimate is None else unit_of_estimate(own, estimand.over)
    if unit_of_estimate is None or not estimand.contrast:
        return unit_of(plan, estimand.measure)
    top, bottom = ([n for n, weight in estimand.contrast.items() if sign * weight > 0] for sign in (1, -1))
    return unit_of_estimate(" + ".join(top), " + ".join(bottom))


def _spread(plan: Plan, sd: Sd, cells: pd.DataFrame) -> _Spread:
    """Sample SD of single answers, item means or unit (seed) means, in one arm."""
    rows = cells[(cells["measure"] == sd.measure) & (cells["arm"] == sd.arm) & cells["mean"].notna()]
    if sd.items is not None:
        rows = rows[in_set(rows, plan, sd.items)]
    if rows.empty:
        raise EmptyCell(f"no data for the SD of {sd.measure} in arm {sd.arm}")
    if sd.of == "answers":
        return _answer_sd(rows)
    key = "item_id" if sd.of == "item means" else "run_id"
    means = [ordered_mean(group["mean"]) for _, group in rows.groupby(key, sort=True)]
    return _sample_sd(means, f"{sd.of} of {sd.measure} in arm {sd.arm}")


def _answer_sd(rows: pd.DataFrame) -> _Spread:
    """Its degrees of freedom are those of the answers' worth: answers to one item, or of one run, repeat each other."""
    n = int(rows["n_scored"].sum())
    if n < 2:
        raise TooFewUnits(f"{n} answer(s) have no spread")
    total = math.fsum(m * int(c) for m, c in zip(rows["mean"], rows["n_scored"], strict=True))
    squares = math.fsum(rows["sum_sq"])
    variance = (squares - total**2 / n) / (n - 1)
    if variance <= 1e-12 * max(1.0, squares / n):
        raise NoSpread("every answer is the same: an SD scale is undefined")
    worth = [worth_of(_groups(rows, key), named=key).n_effective or 2.0 for key in ("item_id", "run_id")]
    return _Spread(sd=math.sqrt(variance), df=max(1.0, min(worth) - 1))


def _groups(rows: pd.DataFrame, key: str) -> list[Group]:
    totals = (rows["mean"] * rows["n_scored"]).groupby(rows[key], sort=True).sum()
    own = rows.groupby(key, sort=True)[["n_scored", "sum_sq"]].sum()
    return [
        Group(n=int(n), total=float(total), squares=float(squares))
        for n, squares, total in zip(own["n_scored"], own["sum_sq"], totals, strict=True)
        if n
    ]


def _sample_sd(means: list[float], what: str) -> _Spread:
    if len(means) < 2:
        raise TooFewUnits(f"{what}: one mean has no spread")
    centre = math.fsum(means) / len(means)
    variance = math.fsum((m - centre) ** 2 for m in means) / (len(means) - 1)
    if variance <= 1e-24 * max(1.0, centre**2):
        raise NoSpread(f"{what}: no spread, an SD scale is undefined")
    return _Spread(sd=math.sqrt(variance), df=len(means) - 1)
