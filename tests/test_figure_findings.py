"""The line over a caption: what a figure found, each number from results.json, and nothing where it found nothing."""

from __future__ import annotations

from typing import Any

import pytest

from seedlock.analysis.report.figures.findings import finding_of
from seedlock.analysis.report.figures.style import Caption, Figure
from seedlock.analysis.report.text.pieces import Line, Number, Quote

DOSE: dict[str, Any] = {
    "dose": 0.5, "effect": 0.08, "controls_low": -0.03, "controls_high": 0.03, "rise": 0.01,
    "is_fluent": True, "is_chosen": True,
}  # fmt: skip
BASE: dict[str, Any] = {
    "model": "llama", "layer": 2,
    "layers": [{"layer": 1, "accuracy": 0.7}, {"layer": 2, "accuracy": 0.9}],
    "projections": [
        {"arm": "eager", "layer": 2, "shift": 0.1}, {"arm": "eager", "layer": 2, "shift": 0.4},
        {"arm": "cautious", "layer": 2, "shift": -0.6}, {"arm": "cautious", "layer": 1, "shift": 9.0},
    ],
    "doses": [{**DOSE, "dose": 0.25, "is_chosen": False}, DOSE],
    "ranks": [{"operation": "add", "true": 0.08, "gap": 1.6}, {"operation": "ablate", "true": None, "gap": 1.6}],
    "patches": [
        {"layer": 1, "position": "last", "share": 0.4}, {"layer": 2, "position": "last", "share": 0.7},
        {"layer": 2, "position": "all", "share": 1.0},
    ],
}  # fmt: skip


def drawn(slug: str, **data: Any) -> Figure:
    return Figure(
        slug=slug, title="?", caption=Caption(look="", read="", otherwise=""), alt="", svg="", png=b"", data=data
    )


def said(results: dict[str, Any], line: Line) -> str:
    """The line with its numbers and quotations looked up by a walk of its own."""
    words = []
    for piece in line:
        found: Any = piece
        if isinstance(piece, Number | Quote):
            found = results
            for part in piece.ref.split("/")[1:]:
                found = found[int(part)] if isinstance(found, list) else found[part]
        words.append(str(found))
    return "".join(words)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("layers", "0.9 of held-out texts told apart at layer 2."),
        ("projections", "eager 0.4, cautious -0.6."),
        ("doses", "dose 0.5 makes 0.08, controls -0.03 to 0.03."),
        ("ranks", "add makes 0.08 of a gap of 1.6."),
        ("patches", "0.7 of the gap at layer 2, position last."),
    ],
)
def test_a_figure_of_a_models_inside_says_what_it_found(kind: str, found: str) -> None:
    results = {"inside": [BASE]}
    assert said(results, finding_of(results, [drawn(f"inside-{kind}-1", model="llama")])) == found


@pytest.mark.parametrize(
    "without",
    [
        ("layers", {"layer": 7}),
        ("doses", {"doses": [{**DOSE, "is_chosen": False}]}),
        ("doses", {"doses": [{**DOSE, "effect": None}]}),
        ("ranks", {"ranks": [{"operation": "add", "true": None, "gap": 1.6}]}),
        ("patches", {"patches": [{"layer": 1, "position": "last", "share": None}]}),
    ],
)
def test_what_was_not_found_is_not_said(without: tuple[str, dict[str, Any]]) -> None:
    kind, changes = without
    results = {"inside": [{**BASE, **changes}]}
    assert finding_of(results, [drawn(f"inside-{kind}-1", model="llama")]) == ()


def test_two_models_are_named_each_before_its_own_finding() -> None:
    results = {"inside": [BASE, {**BASE, "model": "qwen", "layer": 1}]}
    plots = [drawn("inside-layers-1", model="llama"), drawn("inside-layers-2", model="qwen")]
    assert said(results, finding_of(results, plots)) == (
        "llama: 0.9 of held-out texts told apart at layer 2; qwen: 0.7 of held-out texts told apart at layer 1."
    )


@pytest.mark.parametrize(
    ("branches", "found"),
    [
        ([(1.0, ["more"]), (0.4, ["more"])], "H1: every one ends alike."),
        ([(1.0, ["more"]), (None, [])], "H1: every one that can be made ends alike."),
        ([(1.0, ["more"]), (0.4, ["more", "alike"])], "H1: the verdict hangs on the analysis."),
    ],
)
def test_a_specification_curve_says_whether_the_verdict_hangs_on_the_choice(
    branches: list[tuple[float | None, list[str]]], found: str
) -> None:
    curve = {"id": "H1", "branches": [{"estimate": estimate, "verdict": verdict} for estimate, verdict in branches]}
    results = {"multiverse": [curve]}
    assert said(results, finding_of(results, [drawn("multiverse-1", id="H1")])) == found


def test_cells_go_from_the_lowest_to_the_highest_and_one_cell_is_no_finding() -> None:
    cells = [
        {"measure": "marker", "keys": {"arm": arm}, "mean": mean, "ci": None, "is_proportion": True}
        for arm, mean in (("base", 0.0), ("whole", 0.05), ("alone", 1.0), ("lost", None))
    ]
    rows = [{"keys": cell["keys"]} for cell in cells]
    results = {"cells": cells}
    line = finding_of(results, [drawn("cells-1", measure="marker", rows=rows)])
    assert said(results, line) == "From 0.0 (base) to 1.0 (alone)."
    assert finding_of(results, [drawn("cells-1", measure="marker", rows=rows[:1])]) == ()
