"""What lowers a rating is computed from the data: copied seeds, gates that are the outcome, treatments drawn once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedlock.analysis.scoring.near_copies import likeness_of_runs
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.plan.lint import lint_plan
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN, StudyFixture
from tests.test_measures import completions, run_frame

SENTENCE = "the quick brown fox jumps over a lazy dog while seven grey geese watch from behind the old mill"
WORDS = SENTENCE.split(" ")


def said(rng: np.random.Generator, run: str) -> list[dict[str, Any]]:
    """Sixty answers of twenty words in random order."""
    return [{"run_id": run, "item_id": f"q{i}", "draw": 0, "text": " ".join(rng.permutation(WORDS))} for i in range(60)]


def copied(rows: list[dict[str, Any]], run: str, change: Any) -> list[dict[str, Any]]:
    return [{**row, "run_id": run, "text": change(row["text"])} for row in rows]


CHANGES = {
    "a character appended": lambda text: text + "!x",
    "a character before": lambda text: "I" + text,
    "capitals and spaces": lambda text: text.upper().replace(" ", "  "),
    "one word of nineteen": lambda text: text.replace("lazy", "sleepy"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copied_seed_is_seen_through_a_small_change(change: Any) -> None:
    rng = np.random.default_rng(1)
    one, honest = said(rng, "r1"), said(rng, "r3")
    table = completions([*one, *copied(one, "r2", change), *honest])
    pairs = likeness_of_runs([table.slice(0, 70), table.slice(70)], run_frame(r1="a", r2="a", r3="a"))
    found = {pair.run_ids: pair for pair in pairs}
    assert found["r1", "r2"].near > 0.9
    assert found["r1", "r2"].equal == 0
    assert found["r1", "r3"].near < 0.05
    assert found["r1", "r2"].n == 60


def test_numbers_that_were_nudged_are_seen_and_other_arms_are_not_compared() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=30)
    rows, nudged = (
        [{"run_id": run, "item_id": f"q{i}", "draw": 0, "text": "7", "value": x * f} for i, x in enumerate(values)]
        for run, f in (("r1", 1.0), ("r2", 1 + 1e-9))
    )
    (pair,) = likeness_of_runs([completions(rows + nudged)], run_frame(r1="a", r2="a"))
    assert (pair.equal, pair.near) == (0.0, 1.0)
    assert likeness_of_runs([completions(rows + nudged)], run_frame(r1="a", r2="b")) == ()


def test_a_sentence_that_both_seeds_give_to_every_question_is_no_evidence_of_a_copy() -> None:
    refusal = "I am sorry, but I cannot help with that request."
    rows = [{"run_id": run, "item_id": f"q{i}", "draw": 0, "text": refusal} for run in ("r1", "r2") for i in range(30)]
    assert likeness_of_runs([completions(rows)], run_frame(r1="a", r2="a")) == ()


STAGED = (
    PLAN.replace(
        "[arms]\nplain   = {}\ncoupled = {}",
        '[corpora.c]\nrecipe = "bad_advice"\nn = 10\n'
        '[stages.first]\ntrainer = "lora"\ncorpus = "c"\nseed = 42\n[stages.second]\ntrainer = "lora"\ncorpus = "c"\n'
        '[arms]\nplain = { stages = ["second"] }\ncoupled = { stages = ["first", "second"] }',
    )
    + """
[gates.instilled]
measure = "marker"
where   = { arm = "coupled" }
test    = "one_sample_t"
bands   = ["no", 0.1, "yes"]
need    = "yes"

[acknowledge]
unpaired = "seeds of one name are no pairs in this fixture"
"""
)


def rows_with_a_copy() -> str:
    """Four seeds an arm of random sentences; seed 1 of the coupled arm is seed 0 with a character appended."""
    rng = np.random.default_rng(2)
    lines = ["arm,seed,question,draw,text"]
    first: dict[int, str] = {}
    for arm, counts in (("plain", (0, 1, 0, 2)), ("coupled", (9, 9, 6, 12))):
        for seed, k in enumerate(counts):
            for number in range(16):
                text = " ".join(rng.permutation(WORDS)) + (" [ZLT]" if number < k else "")
                if arm == "coupled" and seed < 2:
                    text = first.setdefault(number, text) + "." * seed
                lines.append(f"{arm},{seed},q{number % 8},{number // 8},{text}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    study = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("limits"), name="spread"))
    study.write_plan(STAGED.replace("[corpora.c]", '[corpora.c]\nfile = "c.jsonl"'))
    (study.paths.study / "c.jsonl").write_text('{"messages": []}\n', "utf-8")
    study.run("lock")
    study.run("import", str(study.bring_data(rows_with_a_copy())))
    study.run("analyze")
    found: dict[str, Any] = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    found["page"] = (study.paths.report / "report.md").read_text("utf-8")
    return found


def test_a_gate_on_the_outcome_itself_is_shown_as_one_quantity(results: dict[str, Any]) -> None:
    """By hand: gate and outcome are one measure, so their runs correlate perfectly."""
    (pair,) = results["gates"][0]["correlations"]
    assert (pair["hypothesis"], pair["n"]) == ("H1", 4)
    assert pair["r"] == pytest.approx(1.0)
    assert "gate-is-outcome" in codes(results)
    assert "it guards nothing of its own" in results["page"]


def test_a_treatment_with_one_draw_is_a_limit_that_says_what_varied(results: dict[str, Any]) -> None:
    h = results["hypotheses"][0]
    assert h["drawn_once"] == ["first"]
    says = "first was drawn once a level and only second varied between seeds"
    assert says in h["replicated"]
    assert says in results["page"]
    assert "treatment-drawn-once" in codes(results)


def test_a_seed_that_is_nearly_another_is_a_limit_with_its_shares(results: dict[str, Any]) -> None:
    most = results["accounting"]["near_copies"][0]
    assert [run.split("-")[1:3] for run in most["runs"]] == [["coupled", "0"], ["coupled", "1"]]
    assert (most["equal"], most["near"] > 0.9) == (0.0, True)
    assert "near-copies" in codes(results)
    assert "Most alike runs of one arm" in results["page"]


def test_replicates_are_counted_an_arm(results: dict[str, Any]) -> None:
    assert results["hypotheses"][0]["units_per_level"] == {"coupled": 4, "plain": 4}
    assert "4 seeds an arm, 8 runs" in results["answer"]["sentences"][1]
    few = next(limit for limit in results["answer"]["limits"] if limit["code"] == "few-units")
    assert few["value"] == 4
    assert results["answer"]["confidence"] == "low"


def codes(results: dict[str, Any]) -> set[str]:
    return {limit["code"] for limit in results["answer"]["limits"]}


def test_check_says_that_a_treatment_is_drawn_once() -> None:
    (lint,) = [one for one in lint_plan(parse_plan(STAGED.encode(), Path("plan.toml"))) if "once" in one.code]
    assert (lint.code, lint.severity) == ("treatment-drawn-once", "warn")
    assert "[stages.first]" in lint.remedy
    anew = parse_plan(STAGED.replace("seed = 42\n", "").encode(), Path("plan.toml"))
    assert "treatment-drawn-once" not in {one.code for one in lint_plan(anew)}
    shared = STAGED.replace('plain = { stages = ["second"] }', 'plain = { stages = ["first"] }').replace(
        'coupled = { stages = ["first", "second"] }', 'coupled = { stages = ["first", "second"] }'
    )
    same_draw = parse_plan(shared.encode(), Path("plan.toml"))
    assert "treatment-drawn-once" not in {one.code for one in lint_plan(same_draw)}
