"""From cells (run x item x measure) to the sample that one hypothesis is estimated from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd

from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.scoring.item_sets import in_set, matching
from seedlock.prereg.errors import BadInput, EmptyCell, Finding, UnmetName
from seedlock.prereg.plan.filters import conditions, scored_as
from seedlock.prereg.plan.named_values import Named, unmet
from seedlock.prereg.plan.plan import BASELINE_ARM, Estimand, Plan
from seedlock.prereg.plan.runs import Where, listed

ALL = "all"
NO_SEED = "no seed"
"""Unit of the unmodified model, until its mean stands beside every seed."""

type Fill = Mapping[str, float | Mapping[str, float]]
"""Level -> score of its missing answers, one or one a unit."""
type Numbers = Mapping[str, Mapping[str, float]]
"""Level -> unit -> number that it stands at."""


def select(cells: pd.DataFrame, plan: Plan, estimand: Estimand, extra: Where) -> pd.DataFrame:
    """Cells of one measure that a hypothesis speaks of, with its level and unit beside each.

    Parameters
    ----------
    cells
        One row a run, item and measure: `run_id`, run factors, `item_id`, item attributes, `n_scored`, `k`, `mean`,
        `n_missing`.
    extra
        The condition that `per` adds.

    Returns
    -------
    pandas.DataFrame
        The rows, with columns `level` and `unit_label` added.

    Raises
    ------
    BadInput
        A factor, attribute or level that the data do not have.
    UnmetName
        A value of the condition that no item has.
    EmptyCell
        Nothing is left.
    """
    asked: Where = {**estimand.where, **extra}
    where = conditions(plan, asked)
    unit = "item_id" if estimand.unit == "item" else estimand.unit
    over = "item_id" if estimand.over == "item" else estimand.over
    _require_columns(cells, [*where, over, *([] if unit == "answer" else [unit])])
    chosen = cells[cells["measure"] == scored_as(plan, estimand.measure, asked)]
    _require_values(chosen, plan, where)
    if estimand.items is not None:
        chosen = chosen[in_set(chosen, plan, estimand.items)]
    chosen = chosen[matching(chosen, where, named="where")]
    if estimand.contrast is not None:
        chosen = chosen[chosen[over].isin(estimand.contrast)]
    elif "arm" not in where:
        chosen = chosen[chosen["arm"] != BASELINE_ARM]
    if estimand.dose is not None:
        chosen = chosen[chosen[over].notna()]
    if chosen.empty:
        of = f" on items {estimand.items}" if estimand.items is not None else ""
        raise EmptyCell(f"no data for {estimand.measure}{of} where {asked or 'everything'}")
    level = ALL if estimand.contrast is None and estimand.dose is None else chosen[over]
    return chosen.assign(level=level, unit_label=chosen["item_id"] if unit == "answer" else chosen[unit])


def _require_columns(cells: pd.DataFrame, names: Iterable[str]) -> None:
    absent = [name for name in dict.fromkeys(names) if name not in cells.columns]
    if absent:
        known = ", ".join(
            sorted(set(cells.columns) - {"measure", "n_scored", "k", "mean", "total", "sum_sq", "missing"})
        )
        raise BadInput(
            "the plan names a factor that the data do not have",
            *(Finding(where=name, found="no such column", promised=f"one of: {known}") for name in absent),
            then="declare it under [arms.X.factors], or under attributes in [import]",
        )


def _require_values(rows: pd.DataFrame, plan: Plan, where: Where) -> None:
    """Refuse a condition on items of which some value is met by nothing: the rest alone is another hypothesis."""
    named = [
        Named(where=f"where.{factor}", attribute=factor, values=tuple(listed(wanted)))
        for factor, wanted in where.items()
        if factor not in plan.run_factors
    ]
    faults = unmet(named, {one.attribute: set(rows[one.attribute].dropna()) for one in named})
    if faults:
        raise UnmetName("the plan names values that no item has", *faults)


def build_sample(
    chosen: pd.DataFrame,
    estimand: Estimand,
    *,
    is_proportion: bool,
    limits: tuple[float, float] | None = None,
    cluster: str,
    missing_as: Fill | None = None,
    numbers: Numbers | None = None,
    are_strangers: bool = False,
) -> Sample:
    """Reduce selected cells to unit means, each item of a unit weighing the same.

    Parameters
    ----------
    chosen
        From `select`.
    limits
        Least and greatest score of the measure; None where it has no ends.
    cluster
        Column that answers cluster by ("item" = each item its own cluster).
    missing_as
        Level -> score that its missing answers are given (worst-case bounds), one or one a unit; None leaves them out.
    numbers
        Level -> unit -> number that it stands at; None where the levels' weights are all.
    are_strangers
        Units of one name at two levels share nothing.

    Raises
    ------
    EmptyCell
        A level of the contrast has no scored answer.
    """
    weights = weights_of(chosen, estimand)
    absent = [level for level in weights if level not in set(chosen["level"])]
    if absent:
        raise EmptyCell(f"no data for {estimand.over} {', '.join(absent)}")
    column = "item_id" if cluster == "item" or cluster not in chosen.columns else cluster
    chosen = named_without_seed(chosen, estimand)
    levels = tuple(
        _level(name, weight, chosen[chosen["level"] == name], column, None if missing_as is None else missing_as[name])
        for name, weight in weights.items()
    )
    if numbers is not None:
        levels = tuple(replace(level, unit_x=numbers.get(level.name, {})) for level in levels)
    levels = tuple(_beside_every_seed(level, levels) if NO_SEED in level.unit_means else level for level in levels)
    return Sample(
        levels=levels,
        unit=estimand.unit,
        is_proportion=is_proportion,
        limits=limits,
        are_strangers=are_strangers,
    )


def named_without_seed(chosen: pd.DataFrame, estimand: Estimand) -> pd.DataFrame:
    """The same cells, those of an unmodified model that is set against seeds with a unit of their own."""
    if (estimand.over, estimand.unit) != ("arm", "seed") or BASELINE_ARM not in set(chosen["level"]):
        return chosen
    return chosen.assign(unit_label=chosen["unit_label"].mask(chosen["level"] == BASELINE_ARM, NO_SEED))


def _beside_every_seed(base: Level, levels: tuple[Level, ...]) -> Level:
    """The unmodified model has no seed: its mean stands beside every seed that it is set against, as it is."""
    seeds = sorted({seed for level in levels if level is not base for seed in level.unit_means})
    (mean,) = base.unit_means.values()
    cells = {(seed, item): own for seed in seeds for (_, item), own in base.cells.items()}
    numbers = {seed: x for x in base.unit_x.values() for seed in seeds}
    return replace(base, unit_means=dict.fromkeys(seeds, mean), unit_n={}, cells=cells, unit_x=numbers)


def weights_of(chosen: pd.DataFrame, estimand: Estimand) -> dict[str, float]:
    """Level -> weight: of the contrast, or 1 where there is none; where numbers are measured, of every level found."""
    if estimand.contrast is None and estimand.dose is not None:
        return dict.fromkeys(sorted(set(map(str, chosen["level"]))), 1.0)
    return estimand.contrast or {ALL: 1.0}


def _level(
    name: str, weight: float, rows: pd.DataFrame, cluster: str, missing_as: float | Mapping[str, float] | None
) -> Level:
    filled = _filled(rows, missing_as)
    scored = filled[filled["mean"].notna()]
    means = {str(unit): ordered_mean(group["mean"]) for unit, group in scored.groupby("unit_label", sort=True)}
    is_known = bool(scored["n_scored"].notna().all()) and len(scored) > 0
    by_unit = scored.groupby("unit_label", sort=True)["n_scored"].sum()
    known = Level(
        name=name,
        weight=weight,
        unit_means=means,
        unit_n={str(unit): int(n) for unit, n in by_unit.items()} if is_known else {},
        cluster_means={str(c): ordered_mean(group["mean"]) for c, group in scored.groupby(cluster, sort=True)},
        n_runs=int(scored["run_id"].nunique()),
        cells=_unit_by_item(scored),
    )
    if not is_known or not scored["k"].notna().all():
        return known
    clusters = scored.groupby(cluster, sort=True)[["k", "n_scored"]].sum()
    return replace(
        known,
        k=int(scored["k"].sum()),
        n=int(scored["n_scored"].sum()),
        cluster_k={str(c): int(k) for c, k in clusters["k"].items()},
        cluster_n={str(c): int(n) for c, n in clusters["n_scored"].items()},
    )


def _unit_by_item(scored: pd.DataFrame) -> dict[tuple[str, str], float]:
    """(unit, item) -> mean, where each pair is one cell; empty where units gather several runs of an item."""
    pairs = list(zip(scored["unit_label"].astype(str), scored["item_id"].astype(str), strict=True))
    means = dict(zip(pairs, map(float, scored["mean"]), strict=True))
    return means if len(means) == len(pairs) else {}


def fill_of(units: pd.Series[str], missing_as: float | Mapping[str, float]) -> pd.Series[float]:
    """The score that each row's missing answers are given, by its unit; of units that a map leaves out, NaN."""
    if isinstance(missing_as, Mapping):
        return units.astype(str).map(dict(missing_as)).astype(float)
    return pd.Series(missing_as, index=units.index, dtype=float)


def _filled(rows: pd.DataFrame, missing_as: float | Mapping[str, float] | None) -> pd.DataFrame:
    """The rows with their missing answers scored `missing_as`; unchanged where none is missing or asked for."""
    if missing_as is None or not rows["n_missing"].any():
        return rows
    n = rows["n_scored"].fillna(0) + rows["n_missing"]
    known = rows["total"].fillna(rows["mean"].fillna(0.0) * rows["n_scored"].fillna(0))
    fill = fill_of(rows["unit_label"], missing_as)
    total = known + fill * rows["n_missing"]
    k = rows["k"]
    if fill.isin([0.0, 1.0]).all():
        k = k.fillna(0) + fill.astype("Int64") * rows["n_missing"]
    return rows.assign(n_scored=n, mean=(total / n.where(n > 0)).astype(float), k=k)


def ordered_mean(values: Iterable[float]) -> float:
    """Mean by exact summation: the same whatever order the rows came in."""
    numbers = [float(value) for value in values]
    return math.fsum(numbers) / len(numbers)
