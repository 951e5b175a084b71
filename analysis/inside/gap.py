"""How much of the gap between arms a change of the stream makes or takes away, seed by seed and item by item."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from seedlock.analysis.inside.dose import chosen_dose, dose_responses
from seedlock.analysis.inside.frame import CONDITION, Inside
from seedlock.prereg.plan.inside import Inside as Asked
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan

NO_DOSE = "no dose leaves the model fluent"
ABSENT = "a reading that the gap needs is missing"
OF_A_PROBE = ("model", "run_id", "arm", "seed", "item_id", "condition", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """Probe values of one base model: (run, condition name) -> item -> value."""

    values: Mapping[tuple[str, str], Mapping[str, float | None]]
    runs: Mapping[tuple[str, str | None], str]
    seeds: Sequence[str]

    def run(self, arm: str, seed: str) -> str | None:
        """Run of an arm at a seed; the unmodified model for every seed."""
        return self.runs.get((arm, None if arm == BASELINE_ARM else seed))

    def at(self, run: str | None, condition: str, item: str) -> float | None:
        """A probe's value, None where there is none."""
        return None if run is None else self.values.get((run, condition), {}).get(item)


def gap_rows(plan: Plan, inside: Inside, operation: str, items: Mapping[str, frozenset[str]]) -> pd.DataFrame:
    """Two rows a seed, item and condition: the gap, and what the change made or took of it.

    The gap is the weighted sum over the plan's arms at one seed. Adding a direction to the unmodified model *makes* the
    same weighted sum of the steered values, each arm with its own push, at the dose chosen on other items. Projecting
    it out of the runs *takes* the gap less what is left of it. Patching *makes* the weighted sum over arms of the
    unmodified model with that arm's stream.

    Returns
    -------
    pandas.DataFrame
        Columns of readings, with `part` ("change" or "gap"); rows stand at the run of the first arm with weight > 0.
    """
    asked = plan.inside
    table = None if asked is None else getattr(asked, {"add": "steer", "ablate": "ablate", "patch": "patch"}[operation])
    if asked is None or table is None:
        return pd.DataFrame(columns=["run_id", "item_id", "part", "value", "status", "reason", *CONDITION])
    rows: list[dict[str, Any]] = []
    read = inside.readings
    concerns = (read["reading"] == "probe") & ((read["operation"] == operation) | (read["operation"] == "none"))
    for model, here in read.loc[concerns, [*OF_A_PROBE, *CONDITION]].groupby("model", sort=False):
        known = _model(here)
        conditions = _conditions(here, operation)
        if operation == "add":
            dose = chosen_dose(dose_responses(plan, inside, str(model), items))
            steps = list(_added(plan, asked, known, conditions, dose))
        else:
            steps = [(c, _change_of(asked, known, operation, c)) for c in conditions]
        for condition, change in steps:
            rows += _rows(asked, known, condition, change, sorted(items[table.items]))
    return pd.DataFrame(rows)


def _model(here: pd.DataFrame) -> _Model:
    values: dict[tuple[str, str], dict[str, float | None]] = {}
    names = ("run_id", "condition", "item_id", "value")
    for run, condition, item, value in zip(*(here[name].to_numpy(object) for name in names), strict=True):
        values.setdefault((run, condition), {})[item] = None if pd.isna(value) else float(value)
    named = here[["run_id", "arm", "seed"]].drop_duplicates()
    runs = {
        (arm, None if pd.isna(seed) else str(seed)): run
        for run, arm, seed in zip(named["run_id"], named["arm"], named["seed"], strict=True)
    }
    seeds = sorted({seed for _, seed in runs if seed is not None}, key=lambda s: (len(s), s))
    return _Model(values=values, runs=runs, seeds=seeds)


def _conditions(here: pd.DataFrame, operation: str) -> list[dict[str, Any]]:
    """Conditions of an operation, each once, by name."""
    rows = here[here["operation"] == operation][["condition", *CONDITION]].drop_duplicates("condition")
    return [
        {str(k): None if pd.isna(v) else v for k, v in row.items()}
        for row in rows.sort_values("condition").to_dict("records")
    ]


type _Change = Any  # (seed, item, gap) -> float | None | str


def _added(
    plan: Plan, asked: Asked, known: _Model, conditions: Sequence[dict[str, Any]], dose: float | None
) -> Iterator[tuple[dict[str, Any], _Change]]:
    """One entry a vector: the steered gap at the chosen dose, the same at every seed."""
    pushes = {arm: asked.push(arm, plan.arms[arm].framing if arm in plan.arms else None) for arm in asked.gap}
    base = known.runs.get((BASELINE_ARM, None))
    by_vector: dict[str, dict[str, str]] = {}
    first: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        by_vector.setdefault(condition["vector"], {})[condition["dose"]] = condition["condition"]
        first.setdefault(condition["vector"], condition)
    for vector, names in by_vector.items():

        def change(_seed: str, item: str, _gap: float, names: dict[str, str] = names) -> float | str | None:
            if dose is None:
                return NO_DOSE
            spelled = {sign: "as it is" if sign == 0 else names.get(f"{sign * dose:g}", "") for sign in (-1, 0, 1)}
            values = [(w, known.at(base, spelled[pushes[arm]], item)) for arm, w in asked.gap.items()]
            return _sum(values)

        described = {**first[vector], "dose": None if dose is None else f"{dose:g}"}
        described["condition"] = f"add {vector}"
        yield described, change


def _change_of(asked: Asked, known: _Model, operation: str, condition: dict[str, Any]) -> _Change:
    def ablated(seed: str, item: str, gap: float) -> float | str | None:
        left = _sum([(w, known.at(known.run(arm, seed), condition["condition"], item)) for arm, w in asked.gap.items()])
        return left if left is None else gap - left

    def patched(seed: str, item: str, _gap: float) -> float | str | None:
        base = known.runs.get((BASELINE_ARM, None))
        return _sum(
            [
                (
                    weight,
                    known.at(base, "as it is", item)
                    if arm == BASELINE_ARM
                    else known.at(known.run(arm, seed), condition["condition"], item),
                )
                for arm, weight in asked.gap.items()
            ]
        )

    return ablated if operation == "ablate" else patched


def _rows(
    asked: Asked, known: _Model, condition: dict[str, Any], change: _Change, items: Sequence[str]
) -> Iterator[dict[str, Any]]:
    first = next(arm for arm, weight in asked.gap.items() if weight > 0)
    for seed in known.seeds:
        host = known.run(first, seed)
        if host is None:
            continue
        for item in items:
            gap = _sum([(w, known.at(known.run(arm, seed), "as it is", item)) for arm, w in asked.gap.items()])
            made = None if gap is None else change(seed, item, gap)
            parts = (("gap", gap), ("change", made))
            yield from (_row(host, item, condition, part, value) for part, value in parts)


def _row(run: str, item: str, condition: dict[str, Any], part: str, value: float | str | None) -> dict[str, Any]:
    reason = value if isinstance(value, str) else ABSENT if value is None else None
    number = value if isinstance(value, float) else None
    status = "ok" if reason is None else "error"
    return {
        **condition,
        "run_id": run,
        "item_id": item,
        "part": part,
        "value": number,
        "status": status,
        "reason": reason,
    }


def _sum(values: Sequence[tuple[float, float | None]]) -> float | None:
    if any(value is None for _, value in values):
        return None
    return math.fsum(weight * value for weight, value in values if value is not None)
