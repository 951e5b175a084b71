"""Readings beside the condition, run and base model that each belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

CONDITION = ("operation", "layer", "vector", "control", "dose", "position", "checkpoint", "against")
"""Columns of `conditions`; a hypothesis may select and contrast by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What was sealed by `seedlock inside`.

    Parameters
    ----------
    readings
        One row a reading with its condition's columns as text, and `model`, `arm`, `seed` of its run.
    chosen
        Base model -> the layer that its direction was taken from, as text.
    directions
        The sealed table, or None where the plan has no direction.
    """

    readings: pd.DataFrame
    chosen: dict[str, str]
    directions: pd.DataFrame | None


def inside_of(
    readings: pd.DataFrame, conditions: pd.DataFrame, directions: pd.DataFrame | None, runs: pd.DataFrame
) -> Inside:
    """Put sealed tables together."""
    spelled = conditions.assign(**{name: conditions[name].map(_text) for name in CONDITION})
    joined = readings.merge(spelled, on="condition", how="left", validate="many_to_one")
    joined = joined.merge(runs[["run_id", "model", "arm", "seed"]], on="run_id", how="left", validate="many_to_one")
    chosen: dict[str, str] = {}
    if directions is not None:
        best = directions[directions["is_chosen"] == 1]
        chosen = {str(model): str(layer) for model, layer in zip(best["model"], best["layer"], strict=True)}
    return Inside(readings=joined, chosen=chosen, directions=directions)


def _text(value: object) -> str | None:
    """A condition's value as text: 0.5, 2, "true"; None where it does not apply."""
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)
