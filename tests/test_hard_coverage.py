"""docs/coverage.md, the hard cases: each table with fewer studies; no default below nominal unless check says so."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import pytest

from docs.coverage_table import Section
from docs.hard_coverage import SECTIONS
from docs.make_coverage import PAGE

FEWER = {
    "unequal": 400,
    "near_ends": 60,
    "two_rates": 100,
    "paired_rates": 60,
    "one_run": 150,
    "families": 400,
    "new_items": 3,
    "missing_answers": 100,
    "shared_gates": 400,
}
CELL = re.compile(r"\*{0,2}(\d\.\d{3})\*{0,2}( [↓↑])?(?: \((\d+)% refused\))?")


def written(section: Section) -> Iterator[tuple[str, str, float, bool]]:
    """Design, method, share and whether it is marked, as the page has them."""
    text = PAGE.read_text(encoding="utf-8").split(f"## {section.title}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    for design, *cells in rows[1:]:
        for method, cell in zip(rows[0][1:], cells, strict=True):
            found = CELL.fullmatch(cell)
            assert found is not None, cell
            yield design, method.strip("`"), float(found[1]), found[2] is not None


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rows.__name__)
def test_fewer_studies_give_the_shares_of_the_page(section: Section) -> None:
    studies = FEWER[section.rows.__name__]
    again = {(row.design, name): share for row in section.rows(studies) for name, share in row.share.items()}
    on_page = list(written(section))
    assert {(design, method) for design, method, _, _ in on_page} == set(again)
    for design, method, share, _ in on_page:
        off = abs(again[design, method] - share)
        # The worst of three SDs is lower still with fewer studies.
        slack = 0.04 if section.rows.__name__ == "near_ends" else 0.0
        assert off <= 5 * math.sqrt(max(share * (1 - share), 0.005) / studies) + slack, (design, method)


def test_no_default_falls_short_of_nominal_but_where_check_says_so() -> None:
    marked = {
        (section.rows.__name__, method, design)
        for section in SECTIONS
        for design, method, _, is_marked in written(section)
        if is_marked
    }
    kept = {"logit_t", "paired_logit_t", "clustered_t", "crossed", '"exclude and bound"', "every study"}
    assert not {entry for entry in marked if entry[1] in kept or entry[0] == "families"}
    welch = {design for name, method, design in marked if name == "unequal" and method == "welch_t"}
    # `few-units` warns of two or three seeds beside more; two an arm are warned of by `two-seeds`.
    assert {design.split(" seeds")[0] for design in welch} <= {"2 v 2", "2 v 8", "3 v 8"}
    pooled = {design for name, method, design in marked if name == "unequal" and method == "pooled_t"}
    assert not any(design.endswith("SDs 1 : 1") for design in pooled)
