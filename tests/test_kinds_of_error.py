"""Kinds of error, each on a small case other than the first one; the page names a test for every kind."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest

from tests.conftest import PROJECT, StudyFixture
from tests.test_missing_rows import SCORED, analysed, arm, results_of, scores

PAGE = PROJECT / "docs" / "kinds-of-error.md"
NAMED = re.compile(r"`(test_\w+)`")


def hypothesis(results: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = results["hypotheses"][0]
    return found


def test_every_kind_of_the_page_is_held_by_a_test_that_is_there() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    there = {
        node.name
        for file in (PROJECT / "tests").glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert len(rows) > 20
    for row in rows:
        named = NAMED.findall(row)
        assert named, row
        assert set(named) <= there, set(named) - there


@pytest.mark.parametrize("word", ["nan", "N/A", "-", "inf", " "])
def test_whatever_stands_where_a_number_should_is_a_missing_answer_and_bounded(word: str, study: StudyFixture) -> None:
    results = analysed(study, scores(word))
    assert arm(results, "tuned")["missing"] == 20
    assert hypothesis(results)["verdict"] != ["higher"]
    assert len(hypothesis(results)["bounds"]) == 2


def test_a_rehearsed_import_says_which_answers_lack_the_number_that_is_measured(study: StudyFixture) -> None:
    study.write_plan(SCORED.replace('value = "score" }', 'value = "score", text = "text" }'))
    header, *lines = scores("REFUSAL").splitlines()
    rows = "\n".join([f"{header},text", *(f"{line},some words" for line in lines)]) + "\n"
    assert "20 answers without a part: not a number: REFUSAL" in study.run("check", str(study.bring_data(rows)))


def test_a_null_in_json_lines_is_missing_and_an_empty_answer_is_one(study: StudyFixture) -> None:
    plan = (
        SCORED.replace('format    = "csv"', 'format    = "jsonl"')
        .replace('value = "score"', 'text = "text"')
        .replace('kind = "numeric"\nlow  = 0\nhigh = 10\nunit = "points"', 'kind = "marker_rate"\nmarker = "x"')
        .replace('-1.0, "alike", 1.0', '-0.1, "alike", 0.1')
    )
    rows = [
        {"arm": name, "seed": seed, "q": f"q{q}", "text": None if q == 8 else "" if q == 9 else said}
        for name, said in (("plain", "nothing much"), ("tuned", "an x"))
        for seed in range(4)
        for q in range(10)
    ]
    results = analysed(study, "\n".join(map(json.dumps, rows)), plan)
    assert [arm(results, name)["missing"] for name in ("plain", "tuned")] == [4, 4]


def test_a_level_of_a_contrast_that_no_item_has_seals_nothing(study: StudyFixture) -> None:
    by_domain = SCORED.replace('value = "score" }', 'value = "score" }\nattributes = ["domain"]').replace(
        "contrast  = { tuned = 1.0, plain = -1.0 }", 'over = "domain"\ncontrast = { law = 1.0, medecine = -1.0 }'
    )
    header, *lines = scores().splitlines()
    rows = [f"{header},domain", *(f"{line},{'law' if 'q1' in line else 'medicine'}" for line in lines)]
    study.write_plan(by_domain)
    refusal = study.run("check", str(study.bring_data("\n".join(rows) + "\n")), ok=2)
    assert "medecine" in refusal
    assert "medicine" in refusal


@pytest.mark.parametrize("test", ["sign_flip", "paired_t"])
def test_one_item_that_lost_its_partner_costs_one_pair(test: str, study: StudyFixture) -> None:
    plan = (
        SCORED.replace('test      = "pooled_t"', f'test      = "{test}"\nunit      = "item"')
        .replace('seeds = "new"\nitems = "these"', 'seeds = "these"\nitems = "new"')
        .replace("seeds  = [0, 1, 2, 3]", "seeds  = [0]")
    )
    rows = [line for line in scores().splitlines() if line.startswith(("arm", "plain,0", "tuned,0"))]
    moved = [f"{line}{place % 7}" for place, line in enumerate(rows[1:])]
    lost = [line for line in moved if not line.startswith("tuned,0,q4,")]
    found = hypothesis(analysed(study, "\n".join([rows[0], *lost]) + "\n", plan))
    assert found["units_per_level"] == {"tuned": 9, "plain": 9}
    assert found["pairs_lost"] == ["q4"]
    assert found["verdict"]


def test_a_numeric_cell_over_seeds_has_the_seeds_as_its_units(study: StudyFixture) -> None:
    """By hand: seed means 2.0, 2.1, 2.2, 2.3; 40 answers say no more than four seeds do."""
    cell = next(c for c in analysed(study, scores())["cells"] if c["keys"] == {"arm": "plain"})
    half = 3.182446 * (0.05 / 3) ** 0.5 / 2
    assert cell["ci"] == pytest.approx([2.15 - half, 2.15 + half], abs=1e-6)


def test_a_gate_that_is_read_where_nothing_is_seals_nothing(study: StudyFixture) -> None:
    gate = (
        '[gates.works]\nmeasure = "points"\ncontrast = { tuned = 1.0, plain = -1.0 }\ntest = "pooled_t"\n'
        'where = { q = "q10" }\nbands = ["no", 0.0, "yes"]\nneed = "yes"\n\n[[hypothesis]]'
    )
    study.write_plan(SCORED.replace("[[hypothesis]]", gate))
    study.run("lock")
    assert "q10" in study.run("import", str(study.bring_data(scores())), ok=2)
    assert not (study.paths.runs / "sealed").exists()


def test_zero_of_many_seeds_and_one_side_without_spread_is_no_finding_by_any_default(study: StudyFixture) -> None:
    """All of plain's seeds say it never: Welch refuses, and the report has no verdict and no p of 0."""
    flat = re.sub(r"(plain,\d,q\d+),[\d.]+", r"\1,0", scores())
    study.write_plan(SCORED.replace('test      = "pooled_t"\n', ""))
    study.run("lock")
    study.run("import", str(study.bring_data(flat)))
    study.run("analyze")
    found = hypothesis(results_of(study))
    assert found["test"] == "welch_t"
    assert not found["verdict"]
    assert found["estimate"] is None
    assert "no-spread" in found["reason_codes"]
