"""Readings in brief, one entry a base model: what the figures of the report show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import pandas as pd
from scipy import stats

from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.inside.dose import chosen_dose, dose_responses
from seedlock.analysis.inside.frame import Inside
from seedlock.analysis.inside.gap import gap_rows
from seedlock.analysis.inside.leaks import leak_results
from seedlock.analysis.results.inside import (
    DoseResult,
    GeometryResult,
    InsideResult,
    LayerResult,
    PatchResult,
    ProjectionResult,
    RankResult,
    WeightResult,
)
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan

LEVEL = 0.95
PROBE_UNIT = "log-odds, mean over items"


def inside_results(
    plan: Plan, inside: Inside, items: Mapping[str, frozenset[str]], cells: pd.DataFrame
) -> list[InsideResult]:
    """One entry a base model, in the order of the grid.

    Parameters
    ----------
    items
        Item set -> ids.
    cells
        Every described cell, for what a measure says of each group.
    """
    shares = {operation: gap_rows(plan, inside, operation, items) for operation in ("add", "ablate", "patch")}
    return [
        _model(plan, inside, model, items, cells=cells[cells["model"] == model], of_all=shares)
        for model in plan.grid.models
        if (inside.readings["model"] == model).any()
    ]


def _model(
    plan: Plan,
    inside: Inside,
    model: str,
    items: Mapping[str, frozenset[str]],
    *,
    cells: pd.DataFrame,
    of_all: Mapping[str, pd.DataFrame],
) -> InsideResult:
    """One base model; `of_all` has the rows of each operation's gaps, over every model."""
    here = inside.readings[inside.readings["model"] == model]
    layers, counts = _layers(inside, model)
    steer = plan.inside.steer if plan.inside else None
    geometry = list(_geometry(here))
    shares = {operation: _of(rows, here) for operation, rows in of_all.items()}
    return InsideResult(
        model=model,
        layer=next((layer.layer for layer in layers if layer.is_chosen), None),
        n_high=counts[0],
        n_low=counts[1],
        probe_unit=PROBE_UNIT,
        floor=steer.floor if steer else None,
        layers=layers,
        projections=sorted(_projections(here), key=lambda row: _place(plan, row.arm)),
        doses=list(_doses(plan, inside, model, items)) if steer else [],
        ranks=[rank for o in ("add", "ablate") if (rank := _rank(shares[o], o)) is not None],
        patches=list(_patches(shares["patch"])),
        weights=sorted(_weights(here), key=lambda row: _place(plan, row.arm)),
        geometry=geometry,
        leaks=list(leak_results(plan, geometry, cells)),
    )


def _place(plan: Plan, arm: str) -> int:
    """Where an arm stands in the plan."""
    return plan.planned_arms.index(arm) if arm in plan.planned_arms else -1


def _of(rows: pd.DataFrame, here: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["run_id"].isin(here["run_id"].unique())]


def _mean(values: pd.Series[float]) -> float | None:
    known = values.dropna()
    return ordered_mean(known) if len(known) and len(known) == len(values) else None


def _layers(inside: Inside, model: str) -> tuple[list[LayerResult], tuple[int | None, int | None]]:
    if inside.directions is None:
        return [], (None, None)
    rows = inside.directions[inside.directions["model"] == model].sort_values("layer").to_dict("records")
    found = [
        LayerResult(
            layer=int(str(row["layer"])),
            accuracy=float(str(row["accuracy"])),
            log_loss=float(str(row["log_loss"])),
            is_chosen=bool(row["is_chosen"] == 1),
        )
        for row in rows
    ]
    n_high, n_low = (int(str(rows[0][name])) if rows else None for name in ("n_high", "n_low"))
    return found, (n_high, n_low)


def _projections(here: pd.DataFrame) -> Iterator[ProjectionResult]:
    """Shift of each arm from the unmodified model, each seed one number: its mean over items."""
    rows = here[here["reading"] == "projection"]
    plain = {str(layer): ordered_mean(g["value"]) for layer, g in rows[rows["arm"] == BASELINE_ARM].groupby("layer")}
    tuned = rows[(rows["arm"] != BASELINE_ARM) & rows["value"].notna()]
    tuned = tuned.assign(checkpoint=tuned["checkpoint"].fillna("1"))
    for (arm, layer, checkpoint), group in tuned.groupby(["arm", "layer", "checkpoint"], sort=True):
        if str(layer) not in plain:
            continue
        by_seed = [ordered_mean(one["value"]) - plain[str(layer)] for _, one in group.groupby("seed", sort=True)]
        mean, ci = _t_interval(by_seed)
        yield ProjectionResult(
            arm=str(arm),
            layer=int(str(layer)),
            checkpoint=None if checkpoint == "1" else float(str(checkpoint)),
            n_seeds=len(by_seed),
            shift=mean,
            ci=ci,
        )


def _t_interval(values: list[float]) -> tuple[float, tuple[float, float] | None]:
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return mean, None
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * sd / math.sqrt(n)
    return mean, (mean - half, mean + half)


def _doses(plan: Plan, inside: Inside, model: str, items: Mapping[str, frozenset[str]]) -> Iterator[DoseResult]:
    """Every dose on the items judged; the dose itself was chosen on other items."""
    asked = plan.inside
    if asked is None or asked.steer is None:
        return
    responses = dose_responses(plan, inside, model, items)
    chosen = chosen_dose(responses)
    pushes = {arm: asked.push(arm, plan.arms[arm].framing if arm in plan.arms else None) for arm in asked.gap}
    base = inside.readings[(inside.readings["model"] == model) & (inside.readings["reading"] == "probe")]
    base = base[base["seed"].isna() & base["item_id"].isin(items[asked.steer.items])]
    plain = _mean(base.loc[(base["operation"] == "none") & base["layer"].isna(), "value"])
    steered = base[base["operation"] == "add"]
    means = {
        (str(vector), str(dose)): _mean(group["value"]) for (vector, dose), group in steered.groupby(["vector", "dose"])
    } | {(str(vector), "0"): plain for vector in steered["vector"].unique()}
    for response in responses:
        effects = {
            vector: _steered(asked.gap, pushes, means, vector, response.dose)
            for vector in dict.fromkeys(vector for vector, _ in means)
        }
        true = effects.pop("true", None)
        controls = [effect for effect in effects.values() if effect is not None]
        yield DoseResult(
            dose=response.dose,
            effect=true,
            controls_low=min(controls, default=None),
            controls_high=max(controls, default=None),
            rise=response.rise,
            is_fluent=response.is_fluent,
            is_chosen=response.dose == chosen,
        )


def _steered(
    gap: Mapping[str, float],
    pushes: Mapping[str, int],
    means: Mapping[tuple[str, str], float | None],
    vector: str,
    dose: float,
) -> float | None:
    """Weighted sum over arms of the steered means of one vector."""
    total = []
    for arm, weight in gap.items():
        value = means.get((vector, f"{pushes[arm] * dose:g}"))
        if value is None:
            return None
        total.append(weight * value)
    return math.fsum(total)


def _rank(rows: pd.DataFrame, operation: Literal["add", "ablate"]) -> RankResult | None:
    if rows.empty:
        return None
    change = rows[rows["part"] == "change"]

    def each(control: str) -> list[float]:
        groups = change[change["control"] == control].groupby("vector", sort=True)["value"]
        means = [_mean(values) for _, values in groups]
        return [mean for mean in means if mean is not None]

    true = each("true")
    gap = _mean(rows.loc[(rows["part"] == "gap") & (rows["control"] == "true"), "value"])
    return RankResult(
        operation=operation,
        gap=gap,
        true=true[0] if true else None,
        random=each("random"),
        shuffled=each("shuffled"),
    )


def _patches(rows: pd.DataFrame) -> Iterator[PatchResult]:
    if rows.empty:
        return
    for (layer, position), group in rows.groupby(["layer", "position"], sort=True):
        made = _mean(group.loc[group["part"] == "change", "value"])
        gap = _mean(group.loc[group["part"] == "gap", "value"])
        share = None if made is None or not gap else made / gap
        yield PatchResult(layer=int(str(layer)), position=str(position), share=share)


def _weights(here: pd.DataFrame) -> Iterator[WeightResult]:
    ranks = here[here["reading"] == "effective rank"]
    along = here[here["reading"] == "alignment"]
    for arm in dict.fromkeys(ranks["arm"]):
        own = along[along["arm"] == arm]
        by_control = {str(c): _mean_known(group["value"]) for c, group in own.groupby("control", sort=True)}
        yield WeightResult(
            arm=str(arm),
            n_seeds=int(ranks.loc[ranks["arm"] == arm, "seed"].nunique()),
            effective_rank=_mean_known(ranks.loc[ranks["arm"] == arm, "value"]),
            alignment=by_control.get("true"),
            alignment_random=by_control.get("random"),
            alignment_shuffled=by_control.get("shuffled"),
        )


def _mean_known(values: pd.Series[float]) -> float | None:
    known = values.dropna()
    return ordered_mean(known) if len(known) else None


def _geometry(here: pd.DataFrame) -> Iterator[GeometryResult]:
    rows = here[(here["reading"] == "cosine") & (here["arm"] == BASELINE_ARM) & here["value"].notna()]
    for layer, group in rows.groupby("layer", sort=True):
        square = group.pivot(index="item_id", columns="against", values="value")
        names = sorted(square.index)
        yield GeometryResult(
            layer=int(str(layer)), groups=names, cosines=[[float(square.loc[a, b]) for b in names] for a in names]
        )
