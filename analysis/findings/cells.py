"""The table of cells: a rate or mean, its interval over the plan's unit, and what its answers are worth."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from seedlock.analysis.estimators.internals.design_effect import Group, worth_of
from seedlock.analysis.estimators.internals.icc import cluster_summary
from seedlock.analysis.estimators.internals.sample import Estimate, Level, Sample
from seedlock.analysis.estimators.logit_t import logit_t
from seedlock.analysis.estimators.one_sample_t import one_sample_t
from seedlock.analysis.estimators.wilson import wilson
from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.results.cell import CellResult
from seedlock.analysis.scoring.item_sets import unit_of
from seedlock.prereg.errors import BadInput, Finding, Refusal
from seedlock.prereg.plan.plan import Plan

LEVEL = 0.95
ITEM = "item"


def cell_results(data: Data) -> list[CellResult]:
    """Every cell that `[report] cells` asks for, measure by measure.

    A cell of several runs has the plan's unit as its unit: its mean is over units and its interval says how much they
    differ. A cell of one run, and any cell of a plan whose units are items, has items as its sample. Where neither can
    be, there is no interval, and `reasons` says why.

    Raises
    ------
    BadInput
        A factor that the data do not have.
    """
    return [
        cell
        for measure, written in data.plan.measures.items()
        if written.kind != "gap_share"
        for factors in data.plan.report.cells
        for cell in _grouped(data, measure, factors)
    ]


def unit_factor(plan: Plan, measure: str) -> str | None:
    """The run factor that cells of a measure replicate over; None where it is items.

    It is the unit of the hypotheses and gates on the measure, the seed before any other; for a measure without any,
    the seed where the plan is about new seeds.
    """
    units = {e.unit for e in (*plan.hypothesis, *plan.gates.values()) if e.measure == measure}
    factors = sorted(unit for unit in units if unit in plan.run_factors)
    if "seed" in factors or (not units and plan.inference.seeds == "new"):
        return "seed"
    return factors[0] if factors else None


def _grouped(data: Data, measure: str, factors: list[str]) -> Iterator[CellResult]:
    absent = [factor for factor in factors if factor not in data.cells.columns]
    if absent:
        raise BadInput(
            "[report] cells names a factor that the data do not have",
            *(Finding(where=f, found="no such column", promised="a run factor or item attribute") for f in absent),
        )
    rows = data.cells[data.cells["measure"] == measure]
    groups = [
        ({f: key if isinstance(key, str) else None for f, key in zip(factors, keys, strict=True)}, group)
        for keys, group in rows.groupby(factors, sort=False, dropna=False)
    ]
    for named, group in sorted(groups, key=lambda entry: [_place(data, f, key) for f, key in entry[0].items()]):
        yield _cell(data, measure, named, group)


def _place(data: Data, factor: str, key: str | None) -> tuple[int, int, str]:
    """Where a level stands in a table: in the plan's order where the plan has one, else by number, then by name."""
    planned = data.plan.levels_of(factor) if factor in data.plan.run_factors else []
    text = key or ""
    return (planned.index(text) if text in planned else len(planned), int(text) if text.isdecimal() else -1, text)


def _cell(data: Data, measure: str, keys: dict[str, str | None], rows: pd.DataFrame) -> CellResult:
    scored = rows[rows["mean"].notna()]
    is_known = len(scored) > 0 and bool(scored["n_scored"].notna().all())
    is_count = is_known and bool(scored["k"].notna().all())
    k, n = (int(scored[column].sum()) if known else None for column, known in (("k", is_count), ("n_scored", is_known)))
    found: dict[str, Any] = {
        "keys": keys,
        "measure": measure,
        "unit_text": unit_of(data.plan, measure),
        "n": n,
        "k": k,
        "mean": ordered_mean(scored["mean"]) if len(scored) else None,
        "missing": _missing(rows),
        "is_proportion": data.is_proportion(measure),
        "ci_level": LEVEL,
        **dict.fromkeys(("ci", "ci_method", "n_clusters", "icc", "design_effect", "n_effective")),
        **_naive(k, n),
        "reasons": [],
    }
    if scored.empty:
        return CellResult(**found | {"reasons": ["no scored answer"]})
    unit = unit_factor(data.plan, measure)
    if scored["run_id"].nunique() > 1 and unit is not None:
        return CellResult(**found | _over_units(data, measure, scored, unit))
    return CellResult(**found | _over_items(data, measure, scored))


def _missing(rows: pd.DataFrame) -> dict[str, int]:
    total: Counter[str] = Counter()
    for reasons in rows["missing"]:
        total.update(json.loads(reasons))
    return dict(sorted(total.items()))


def _over_units(data: Data, measure: str, scored: pd.DataFrame, unit: str) -> dict[str, Any]:
    """Mean and interval over the plan's units: each unit weighs the same, and within a unit each item."""
    refused = {"unit": unit, "weighs": f"each {_words(unit)} the same, and each item of a {_words(unit)}"}
    if scored["model"].nunique() > 1 and unit != "model":
        return refused | {"weighs": None, "reasons": ["mixed-models: runs of several models are not one sample"]}
    if unit not in scored.columns or scored[unit].isna().any():
        return refused | {"weighs": None, "reasons": [f"no-unit: not every run has a {_words(unit)}"]}
    label = scored[unit].astype(str)
    means = {str(u): ordered_mean(own["mean"]) for u, own in scored.groupby(label, sort=True)}
    mean = ordered_mean(means.values())
    if len(means) < 2:
        runs = scored["run_id"].nunique()
        return refused | {"mean": mean, "n_units": 1, "reasons": [f"too-few-units: {runs} runs of one {_words(unit)}"]}
    worth, counts = _worth(scored, label, unit)
    level = Level(name="cell", weight=1.0, unit_means=means, unit_n=counts)
    return refused | {"mean": mean, "n_units": len(means)} | worth | _estimated(data, measure, level, unit, worth)


def _over_items(data: Data, measure: str, scored: pd.DataFrame) -> dict[str, Any]:
    """Mean and interval over items (or what the plan says answers cluster by), conditional on the runs.

    Every run x item weighs the same, however many answers it has. An item that lacks the attribute that names clusters
    is a cluster of its own.
    """
    cluster = data.plan.report.cluster
    column = "item_id" if cluster == ITEM or cluster not in scored.columns else cluster
    unit = ITEM if column == "item_id" else cluster
    label = scored[column].where(scored[column].notna(), scored["item_id"]).astype(str)
    given = "conditional on this run" if scored["run_id"].nunique() == 1 else "conditional on these runs"
    means_I = {str(c): (ordered_mean(own), len(own)) for c, own in scored.groupby(label, sort=True)["mean"]}
    found: dict[str, Any] = {
        "unit": unit,
        "n_units": len(means_I),
        "n_clusters": len(means_I),
        "weighs": "each item the same",
    }
    worth, counts = _worth(scored, label, unit)
    if len(means_I) < 2:
        return found | worth | {"reasons": [f"too-few-units: one {_words(unit)}: how much they differ cannot be seen"]}
    if not data.is_proportion(measure) or not counts or not bool(scored["k"].notna().all()):
        level = Level(name="cell", weight=1.0, unit_means={c: mean for c, (mean, _) in means_I.items()}, unit_n=counts)
        estimated = _estimated(data, measure, level, unit, worth)
        if estimated.get("ci_method"):
            estimated |= {"ci_method": f"{estimated['ci_method']}, {given}"}
        return found | worth | estimated
    k_I = {str(c): int(k) for c, k in scored.groupby(label, sort=True)["k"].sum().items()}
    rate = cluster_summary(k_I, counts, level=LEVEL, means_I=means_I)
    return found | worth | {"ci": (rate.ci_low, rate.ci_high), "ci_method": f"{rate.ci_method}, {given}"}


def _estimated(data: Data, measure: str, level: Level, unit: str, worth: dict[str, Any]) -> dict[str, Any]:
    """The interval over unit means that respects the scale; none, with the reason, where it is refused."""
    is_rate = data.is_proportion(measure)
    sample = Sample(levels=(level,), unit=unit, is_proportion=is_rate, limits=data.limits(measure))
    try:
        estimate: Estimate = (logit_t if is_rate else one_sample_t)(sample, level=LEVEL, edges=())
    except Refusal as refusal:
        return {"reasons": [*worth["reasons"], f"{refusal.code}: {refusal.what}"]}
    return {"ci": (estimate.ci_low, estimate.ci_high), "ci_method": estimate.ci_method, "unit_sd": estimate.unit_sd}


def _worth(scored: pd.DataFrame, label: pd.Series[str], unit: str) -> tuple[dict[str, Any], dict[str, int]]:
    """SD, ICC and design effect of the answers grouped by unit, and answers a unit; empty where not known."""
    columns = scored[["n_scored", "total", "sum_sq"]]
    if not bool(columns.notna().all(axis=None)):
        return {"reasons": ["not-counts: answers are not known one by one, so neither is their spread"]}, {}
    groups = _sums(columns, label)
    worth = worth_of(list(groups.values()), named=_words(unit))
    return {
        "sd": worth.sd,
        "icc": worth.icc,
        "design_effect": worth.design_effect,
        "n_effective": worth.n_effective,
        "reasons": [worth.reason] if worth.reason else [],
    }, {u: group.n for u, group in groups.items()}


def _sums(columns: pd.DataFrame, label: pd.Series[str]) -> dict[str, Group]:
    """Answers, their sum and their sum of squares, by unit; sums do not depend on the order of rows."""
    codes, units = pd.factorize(label, sort=True)
    order = np.argsort(codes, kind="stable")
    n, total, squares = (columns[name].to_numpy(float)[order] for name in ("n_scored", "total", "sum_sq"))
    ends = np.cumsum(np.bincount(codes)).tolist()
    return {
        str(unit): Group(
            n=int(n[start:end].sum()), total=math.fsum(total[start:end]), squares=math.fsum(squares[start:end])
        )
        for unit, start, end in zip(units, [0, *ends[:-1]], ends, strict=True)
    }


def _naive(k: int | None, n: int | None) -> dict[str, Any]:
    """The interval that counts every answer as independent, for the reader to see how far it is off."""
    if k is None or n is None:
        return {"naive_ci": None, "naive_method": None}
    level = Level(name="cell", weight=1.0, unit_means={"cell": k / n}, k=k, n=n)
    estimate = wilson(Sample(levels=(level,), unit="answer", is_proportion=True), level=LEVEL, edges=())
    return {"naive_ci": (estimate.ci_low, estimate.ci_high), "naive_method": estimate.ci_method}


def _words(unit: str) -> str:
    return unit.replace("_", " ")
