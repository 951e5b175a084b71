"""Opposing arms: which of them carries their difference."""

from __future__ import annotations

from typing import Any

from seedlock.analysis.report.sections.asymmetry import asymmetry_table, opposed
from seedlock.analysis.report.writers import TextWriter
from tests.report_fixture import hypothesis


def difference(name: str, contrast: dict[str, float], estimate: float | None, **changes: Any) -> dict[str, Any]:
    ci = None if estimate is None else [estimate - 0.1, estimate + 0.1]
    return hypothesis(name, contrast=contrast, estimate=estimate, ci=ci, where={}, **changes)


WHOLE = difference("H1", {"eager": 0.5, "cautious": -0.5}, 0.2)
UP = difference("H1-eager", {"eager": 1.0, "neutral": -1.0}, 0.05)
DOWN = difference("H1-cautious", {"neutral": 1.0, "cautious": -1.0}, 0.35)


def test_each_arms_own_distance_from_the_arm_between_stands_beside_the_difference() -> None:
    results = {"hypotheses": [WHOLE, UP, DOWN]}
    table = asymmetry_table(results)
    assert table is not None
    text = [[TextWriter(results).line(cell) for cell in row] for row in table.rows]
    assert text == [
        [
            "H1: eager and cautious",
            "neutral",
            "5.0 pp [\u22125.0 pp, 15.0 pp], H1-eager: eager against neutral",
            "35.0 pp [25.0 pp, 45.0 pp], H1-cautious: cautious against neutral",
        ]
    ]


def test_arms_are_only_set_beside_each_other_on_the_same_measure_and_items() -> None:
    assert list(opposed([WHOLE, UP, {**DOWN, "items": "source"}])) == []
    assert list(opposed([WHOLE, UP, {**DOWN, "measure": "word"}])) == []


def test_a_plan_without_an_arm_between_has_no_such_table() -> None:
    assert asymmetry_table({"hypotheses": [WHOLE, UP]}) is None
    assert asymmetry_table({"hypotheses": [WHOLE, UP, difference("H1-cautious", DOWN["contrast"], None)]}) is None
