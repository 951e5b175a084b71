"""The dose of steering: chosen on items kept for it, among doses that leave the model fluent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.inside.frame import Inside
from seedlock.prereg.plan.inside import Inside as Asked
from seedlock.prereg.plan.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseResponse:
    """What one dose of the true direction did to an unmodified model.

    Parameters
    ----------
    effect
        Steered difference between the arms of the gap, on the items that the dose is chosen on; the probe's unit.
    rise
        Relative rise of perplexity, the larger of both signs; None where a passage could not be scored.
    is_fluent
        `rise` is at most the plan's floor.
    """

    dose: float
    effect: float | None
    rise: float | None
    is_fluent: bool


def dose_responses(plan: Plan, inside: Inside, model: str, items: Mapping[str, frozenset[str]]) -> list[DoseResponse]:
    """Every planned dose of one base model, in rising order.

    Parameters
    ----------
    items
        Item set -> ids.
    """
    asked = plan.inside
    if asked is None or asked.steer is None:
        return []
    base = inside.readings[(inside.readings["model"] == model) & (inside.readings["reading"] == "probe")]
    base = base[base["seed"].isna() & (base["control"].isna() | (base["control"] == "true"))]
    source = base[base["item_id"].isin(items[asked.steer.choose_on])]
    fluency = base[base["item_id"].isin(items[asked.steer.fluency])]
    pushes = {arm: asked.push(arm, plan.arms[arm].framing if arm in plan.arms else None) for arm in asked.gap}
    found = []
    for dose in sorted(asked.steer.doses):
        effect = steered_gap(asked, pushes, {sign: _mean_at(source, sign * dose) for sign in (-1, 0, 1)})
        rise = _rise(fluency, dose)
        found.append(
            DoseResponse(dose=dose, effect=effect, rise=rise, is_fluent=rise is not None and rise <= asked.steer.floor)
        )
    return found


def chosen_dose(responses: list[DoseResponse]) -> float | None:
    """The fluent dose with the largest effect, the smaller among equals; None where no dose is fluent."""
    fluent = [(-r.effect, r.dose) for r in responses if r.is_fluent and r.effect is not None]
    return min(fluent)[1] if fluent else None


def steered_gap(asked: Asked, pushes: Mapping[str, int], mean_at: Mapping[int, float | None]) -> float | None:
    """Sum over arms of weight x value at that arm's push; None where one of them is missing."""
    values = [(weight, mean_at[pushes[arm]]) for arm, weight in asked.gap.items()]
    if any(value is None for _, value in values):
        return None
    return math.fsum(weight * value for weight, value in values if value is not None)


def _mean_at(rows: pd.DataFrame, dose: float) -> float | None:
    """Mean over items at one signed dose; 0 is the model as it is. None where an item has no value."""
    spelled = f"{dose:g}"
    here = rows[rows["operation"] == "none"] if dose == 0 else rows[rows["dose"] == spelled]
    here = here[here["layer"].isna()] if dose == 0 else here
    if here.empty or here["value"].isna().any():
        return None
    return ordered_mean(here["value"])


def _rise(fluency: pd.DataFrame, dose: float) -> float | None:
    """Relative rise of perplexity: passages' values are mean negative log-probabilities a token."""
    plain = _mean_at(fluency, 0)
    both = [_mean_at(fluency, sign * dose) for sign in (-1, 1)]
    if plain is None or any(one is None for one in both):
        return None
    return math.exp(min(700.0, max(one for one in both if one is not None) - plain)) - 1
