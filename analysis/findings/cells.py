"""The table of cells: one rate or mean a run, arm or persona, its clustered interval first, the naive one beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from seedlock.analysis.estimators.internals.icc import cluster_summary
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.wilson import wilson
from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.results.schema import CellResult
from seedlock.analysis.scoring.item_sets import unit_of
from seedlock.prereg.errors import BadInput, Finding, Refusal

LEVEL = 0.95


def cell_results(data: Data) -> list[CellResult]:
    """Every cell that `[report] cells` asks for, measure by measure.

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


def _grouped(data: Data, measure: str, factors: list[str]) -> Iterator[CellResult]:
    absent = [factor for factor in factors if factor not in data.cells.columns]
    if absent:
        raise BadInput(
            "[report] cells names a factor that the data do not have",
            *(Finding(where=f, found="no such column", promised="a run factor or item attribute") for f in absent),
        )
    rows = data.cells[data.cells["measure"] == measure]
    cluster = data.plan.report.cluster
    column = "item_id" if cluster == "item" or cluster not in rows.columns else cluster
    groups = [
        ({f: key if isinstance(key, str) else None for f, key in zip(factors, keys, strict=True)}, group)
        for keys, group in rows.groupby(factors, sort=False, dropna=False)
    ]
    for named, group in sorted(groups, key=lambda entry: [_place(data, f, key) for f, key in entry[0].items()]):
        yield _cell(data, measure, named, group, column)


def _place(data: Data, factor: str, key: str | None) -> tuple[int, int, str]:
    """Where a level stands in a table: in the plan's order where the plan has one, else by number, then by name."""
    planned = data.plan.levels_of(factor) if factor in data.plan.run_factors else []
    text = key or ""
    return (planned.index(text) if text in planned else len(planned), int(text) if text.isdecimal() else -1, text)


def _cell(data: Data, measure: str, keys: dict[str, str | None], rows: pd.DataFrame, cluster: str) -> CellResult:
    scored = rows[rows["mean"].notna()]
    is_count = len(scored) > 0 and bool(scored["k"].notna().all() and scored["n_scored"].notna().all())
    known_n = bool(scored["n_scored"].notna().all())
    blank: dict[str, Any] = {
        "keys": keys,
        "measure": measure,
        "unit_text": unit_of(data.plan, measure),
        "n": int(scored["n_scored"].sum()) if known_n else None,
        "k": int(scored["k"].sum()) if is_count else None,
        "mean": ordered_mean(scored["mean"]) if len(scored) else None,
        "missing": _missing(rows),
        "ci_level": LEVEL,
    }
    return CellResult(**blank | (_intervals(scored, cluster) if is_count else _no_interval(scored)))


def _missing(rows: pd.DataFrame) -> dict[str, int]:
    total: Counter[str] = Counter()
    for reasons in rows["missing"]:
        total.update(json.loads(reasons))
    return dict(sorted(total.items()))


def _no_interval(scored: pd.DataFrame) -> dict[str, Any]:
    reason = "no scored answer" if scored.empty else "not-counts: a mean without its counts has no interval of its own"
    return dict.fromkeys(
        ("ci", "ci_method", "naive_ci", "naive_method", "n_clusters", "icc", "design_effect", "n_effective")
    ) | {"reasons": [reason]}


def _intervals(scored: pd.DataFrame, cluster: str) -> dict[str, Any]:
    """The clustered interval where there are clusters to see; the naive one, which counts answers as independent.

    The clustered one is about the cell's mean, in which every run x item weighs the same however many answers it has;
    without clusters to see, the mean too counts answers. An item that lacks the attribute that names clusters is a
    cluster of its own.
    """
    name = scored[cluster].where(scored[cluster].notna(), scored["item_id"])
    clusters = scored.groupby(name, sort=True)[["k", "n_scored"]].sum()
    means_I = {str(c): (ordered_mean(own), len(own)) for c, own in scored.groupby(name, sort=True)["mean"]}
    k_I = {str(c): int(k) for c, k in clusters["k"].items()}
    n_I = {str(c): int(n) for c, n in clusters["n_scored"].items()}
    naive = _naive(sum(k_I.values()), sum(n_I.values()))
    try:
        found = cluster_summary(k_I, n_I, level=LEVEL, means_I=means_I)
    except Refusal as refusal:
        return {
            "mean": sum(k_I.values()) / sum(n_I.values()),
            "ci": naive["naive_ci"],
            "ci_method": naive["naive_method"],
            "naive_ci": None,
            "naive_method": None,
            "n_clusters": len(n_I),
            "icc": None,
            "design_effect": None,
            "n_effective": None,
            "reasons": [f"{refusal.code}: answers counted as independent"],
        }
    return naive | {
        "ci": (found.ci_low, found.ci_high),
        "ci_method": found.ci_method,
        "n_clusters": found.n_clusters,
        "icc": found.icc,
        "design_effect": found.design_effect,
        "n_effective": found.n_effective,
        "reasons": [found.reason] if found.reason else [],
    }


def _naive(k: int, n: int) -> dict[str, Any]:
    level = Level(name="cell", weight=1.0, unit_means={"cell": k / n}, k=k, n=n)
    sample = Sample(levels=(level,), unit="answer", is_proportion=True)
    estimate = wilson(sample, level=LEVEL, edges=())
    return {"naive_ci": (estimate.ci_low, estimate.ci_high), "naive_method": estimate.ci_method}
