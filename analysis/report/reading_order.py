"""results.json as a reader wants it: its bytes are in the alphabet's order, tables in the plan's and in habit's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seedlock.analysis.results.schema import Results
from seedlock.prereg.plan.plan import Plan

_FREE = {
    "keys", "cell", "contrast", "where", "units", "bounds", "as_deviated", "units_per_level", "priors",
    "band_posteriors", "band_posteriors_new_unit", "diagnostics", "sensitivity", "power_scaling", "predictive_checks",
    "left_out", "outcomes", "samples", "training_examples",
}  # fmt: skip
"""Where results.json holds names that no schema orders."""
_HABIT = (
    "assumption", "prior", "left_out", "level", "unit", "statistic", "observed", "replicated_mean", "mean", "k", "n",
    "estimate", "ci", "ci_low", "ci_high", "p_predicted", "p_predicted_new_seed", "p", "verdict",
    "rhat", "bulk_ess", "tail_ess", "divergences", "bfmi", "attempts",
    "worst_pareto_k", "n_influential", "influential", "elpd", "se", "likelihood", "priors", "diagnosis", "reason",
)  # fmt: skip


_REAL = {
    "mean", "observed", "replicated_mean", "estimate", "se", "df", "ci", "p", "p_value", "fires", "before_fires",
    "rhat", "bulk_ess", "tail_ess", "bfmi", "elpd", "worst_pareto_k",
}  # fmt: skip
"""Names of real numbers there: canonical JSON writes 1.0 as 1, and a rate of 1 is no count."""
_COUNTS = {"units_per_level"}
"""Counts by a name of the plan's, which may be any word: an arm called "p" too."""


def in_reading_order(results: Results, plan: Plan) -> dict[str, Any]:
    """Results as plain data, the same for the same file and plan: what the report is made from."""
    data: dict[str, Any] = Results.model_validate_json(results.to_bytes()).model_dump(mode="json")
    bands = [band["name"] for h in data["hypotheses"] for band in h["bands"]]
    factors = [factor for cells in plan.report.cells for factor in cells]
    names = [*_HABIT, *plan.arms, *plan.models, *bands, *factors]
    ordered: dict[str, Any] = _ordered(data, names)
    for cell in ordered["cells"]:
        asked = next((cells for cells in plan.report.cells if set(cells) == cell["keys"].keys()), names)
        cell["keys"] = _sorted(cell["keys"], asked)
    return ordered


def _ordered(value: Any, names: Sequence[str], *, is_free: bool = False, has_counts: bool = False) -> Any:
    if isinstance(value, list):
        return [_ordered(one, names, is_free=is_free) for one in value]
    if not isinstance(value, dict):
        return value
    inside = {
        key: _ordered(one, names, is_free=is_free or key in _FREE, has_counts=key in _COUNTS)
        for key, one in value.items()
    }
    if not is_free:
        return inside
    reals = () if has_counts else _REAL
    return _sorted({key: _real(one) if key in reals else one for key, one in inside.items()}, names)


def _real(value: Any) -> Any:
    if isinstance(value, list):
        return [_real(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _sorted(value: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Keys in the order of `names`, and those that it lacks by the alphabet after them."""
    place: dict[str, int] = {}
    for number, name in enumerate(names):
        place.setdefault(name, number)
    return dict(sorted(value.items(), key=lambda entry: (place.get(entry[0], len(place) + 10**6), entry[0])))
