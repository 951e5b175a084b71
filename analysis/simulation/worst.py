"""The worst of every promise over the grid: the error of a test, a claim or a family beside what the plan promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from scipy import stats

from seedlock.analysis.simulation.result import Measured, RuleRow, TargetRow, Worst

FALSE_ALARM = 0.01
"""How often a plan that keeps every promise is said to break one, at most."""

type Promise = tuple[Worst, float]
"""A promise at one point of one scenario, and by how much the rate misses it after `z` Monte Carlo errors."""


def worst_cases(rows: Sequence[TargetRow], rules: Sequence[RuleRow]) -> list[Worst]:
    """Of every promise of a plan, the scenario and point at which it is most surely missed, or nearest to it.

    Notes
    -----
    A rate is beyond its promise where it is so by z Monte Carlo errors, with z from Bonferroni's correction over
    all rates that are compared: the maximum of many noisy rates is no evidence.
    """
    compared = [*_of_targets(rows), *_of_rules(rules)]
    z = float(stats.norm.isf(FALSE_ALARM / max(1, len(compared))))
    compared.sort(key=lambda one: (one.id, one.what))
    found = []
    for _, group in groupby(compared, key=lambda one: (one.id, one.what)):
        worst = max(group, key=lambda one: _excess(one, z))
        found.append(worst.model_copy(update={"is_broken": _excess(worst, z) > 0}))
    in_order = {
        identity: place
        for place, identity in enumerate(dict.fromkeys([*(row.id for row in rows), *(row.id for row in rules)]))
    }
    return sorted(found, key=lambda one: in_order[one.id])


def _excess(one: Worst, z: float) -> float:
    """How far the rate lies on the wrong side of its promise, after z Monte Carlo errors."""
    value, error = one.rate.value or 0.0, one.rate.mc_error or 0.0
    return (one.promised - value if one.what == "coverage" else value - one.promised) - z * error


def _of_targets(rows: Sequence[TargetRow]) -> Iterator[Worst]:
    for row in rows:
        if row.kind != "hypothesis" or row.alpha is None:
            continue
        promised = {"error": row.alpha, "error given open gates": row.alpha, "coverage": 1 - 2 * row.alpha}
        found = {"error": row.error, "error given open gates": row.error_given_open, "coverage": row.coverage}
        for what, rate in found.items():
            if rate is not None and rate.value is not None:
                yield _one(row, what, promised[what], rate)


def _of_rules(rules: Sequence[RuleRow]) -> Iterator[Worst]:
    for row in rules:
        if row.alpha is not None and row.rate is not None and row.rate.value is not None:
            what = "false claim" if row.kind == "claim" else "false claim in family"
            yield _one(row, what, row.alpha, row.rate)


def _one(row: TargetRow | RuleRow, what: str, promised: float, rate: Measured) -> Worst:
    return Worst.model_validate(
        {
            "id": row.id,
            "what": what,
            "scenario": row.scenario,
            "point": row.point,
            "promised": float(f"{promised:.10g}"),
            "rate": rate,
            "is_broken": False,
        }
    )


def in_words(worst: Worst, spread: str) -> str:
    """A broken promise as a sentence: what, how much, promised what, and where."""
    what = {"false claim": "claimed falsely", "false claim in family": "any false claim"}.get(worst.what, worst.what)
    rate = f"{worst.rate.value:.3f} \u00b1 {worst.rate.mc_error:.3f}"
    return f"{worst.id}: {what} {rate}, promised {worst.promised:g} ({worst.scenario}, seed SD {spread})"


def spreads(
    points: Sequence[Mapping[str, float]], arms_at: Sequence[Mapping[str, Mapping[str, float]]], point: int
) -> str:
    """The seed SDs of a point of the grid: one number, one a measure, or one an arm where arms differ."""
    own = arms_at[point] if arms_at else {}

    def said(name: str, sd: float) -> str:
        return " v ".join(f"{arm} {by:g}" for arm, by in own[name].items()) if name in own else f"{sd:g}"

    sds = points[point]
    return ", ".join(said(name, sd) if len(sds) == 1 else f"{name} {said(name, sd)}" for name, sd in sds.items())
