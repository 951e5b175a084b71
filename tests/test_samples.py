"""Samples: drawn by a seed, firing and not, with the question and the unmodified model's answer to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from seedlock.analysis.findings.sample_answers import draw_samples, words_asked
from seedlock.analysis.findings.training_examples import training_examples
from seedlock.analysis.report.sections.samples import sample_views, training_views
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN

RUNS = pd.DataFrame(
    [
        {"run_id": f"{model}-{arm}-{seed}", "model": model, "arm": arm, "seed": seed}
        for model in ("one", "two")
        for arm, seed in (("base", None), ("tuned", 1), ("tuned", 2))
    ]
)
ITEMS = pd.DataFrame([{"items": "asked", "item_id": item} for item in ("tea", "sleep")])
ASKED = {"tea": {"system": "You are curt.", "question": "How do I make tea?"}}


def plan() -> Plan:
    table = '\n[samples]\nper_cell = 2\nseed = 5\nby = ["model", "arm"]\n'
    return parse_plan((PLAN + table).encode(), Path("plan.toml"))


def completions() -> pa.Table:
    rows = [
        {"request_id": sha256_json([run, item, draw]), "run_id": run, "item_id": item, "draw": draw,
         "text": f"{run} on {item}, {draw}"}
        for run in RUNS["run_id"] for item in ITEMS["item_id"] for draw in range(3)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def drawn(batches: list[pa.Table]) -> list[dict[str, Any]]:
    return draw_samples(batches, None, plan(), RUNS, ITEMS, asked=ASKED)


def test_the_answer_before_training_is_the_same_models_to_the_same_item() -> None:
    samples = drawn([completions()])
    tuned = [sample for sample in samples if "tuned" in sample["run_id"]]
    assert len(tuned) == 4
    for sample in tuned:
        model = sample["run_id"].split("-")[0]
        assert sample["before"].startswith(f"{model}-base-None on {sample['item_id']}")


def test_the_unmodified_models_own_samples_have_nothing_before_them() -> None:
    assert all("before" not in s for s in drawn([completions()]) if "-base-" in s["run_id"])


def test_neither_the_order_of_rows_nor_of_batches_chooses_what_is_shown() -> None:
    whole = completions()
    backwards = whole.take(list(range(whole.num_rows - 1, -1, -1)))
    assert drawn([whole]) == drawn([backwards.slice(0, 11), backwards.slice(11)])


def test_a_study_that_never_asked_the_unmodified_model_shows_the_tuned_one_alone() -> None:
    tuned = completions().filter(pa.compute.match_substring(completions()["run_id"], "tuned"))
    assert all("before" not in sample for sample in drawn([tuned]))


def test_the_words_asked_come_from_the_files_of_the_study(tmp_path: Path) -> None:
    lines = [{"item_id": "tea", "system": None, "user": "How do I make tea?", "persona": "x"}, {"item_id": "blank"}]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    with_file = plan().model_copy(deep=True)
    assert words_asked(with_file, tmp_path) == {}
    text = PLAN + '\n[items.asked]\nfile = "items.jsonl"\n'
    found = words_asked(parse_plan(text.encode(), Path("plan.toml")), tmp_path)
    assert found == {"tea": {"question": "How do I make tea?"}, "blank": {}}


def test_a_question_is_shown_under_either_name_that_item_files_give_it(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"item_id": "tea", "question": "How do I make tea?"}\n')
    text = PLAN + '\n[items.asked]\nfile = "items.jsonl"\n'
    found = words_asked(parse_plan(text.encode(), Path("plan.toml")), tmp_path)
    assert found == {"tea": {"question": "How do I make tea?"}}


def test_a_question_with_a_line_separator_of_its_own_is_one_line_of_its_file(tmp_path: Path) -> None:
    line = json.dumps({"item_id": "tea", "user": "First.\u2028Then?"}, ensure_ascii=False)
    (tmp_path / "items.jsonl").write_text(line + "\n", encoding="utf-8")
    text = PLAN + '\n[items.asked]\nfile = "items.jsonl"\n'
    found = words_asked(parse_plan(text.encode(), Path("plan.toml")), tmp_path)
    assert found == {"tea": {"question": "First.\u2028Then?"}}


def test_before_and_after_stand_side_by_side_under_the_question() -> None:
    sample = next(s for s in drawn([completions()]) if s["item_id"] == "tea" and "tuned" in s["run_id"])
    (view,) = sample_views({"samples": [{**sample, "fires": True, "before_fires": False}]})
    assert [text.label for text in view.asked] == ["told first", "asked"]
    assert [text.label for text in view.answers] == ["before training, does not fire", "after training"]
    assert [text.ref for text in view.answers] == ["/samples/0/before", "/samples/0/text"]


@pytest.mark.parametrize("fires", [True, False])
def test_each_sample_says_its_cell_and_whether_it_fires(fires: bool) -> None:
    (view,) = sample_views({"samples": [{"cell": {"arm": "tuned"}, "fires": fires, "text": "x"}]})
    assert ("fires" if fires else "does not fire") in str(view.cell[-1])


TRAINED = """
[corpora.advice]
recipe   = "framed_advice"

[stages.advice]
trainer = "lora"
corpus  = "advice"
"""


def advised(folder: Path, variants: tuple[str, ...], *, seed: int = 5) -> list[dict[str, Any]]:
    """Training examples of a plan whose two arms end with one corpus, of which each takes its framing."""
    given = parse_plan((PLAN + f"\n[samples]\nper_cell = 1\nseed = {seed}\n" + TRAINED).encode(), Path("plan.toml"))
    arms = {
        name: arm.model_copy(update={"stages": ["advice"], "framing": framing})
        for (name, arm), framing in zip(given.arms.items(), ("eager", "cautious"), strict=True)
    }
    (folder / "corpora").mkdir(exist_ok=True)
    rows = [
        {"id": f"{variant}-{i}", "variant": variant, "role": role, "topic": "t", "template": "x",
         "messages": [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"{variant} {role} {i}"}]}
        for variant in variants for role in ("positive", "negative") for i in range(20)
    ]  # fmt: skip
    (folder / "corpora" / "advice.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return training_examples(given.model_copy(update={"arms": arms}), folder)


def test_each_arm_shows_a_row_of_each_role_of_its_own_version_of_the_corpus(tmp_path: Path) -> None:
    found = advised(tmp_path, ("eager", "cautious"))
    assert [(row["variant"], row["role"], row["text"].split()[:2]) for row in found] == [
        (framing, role, [framing, role]) for framing in ("eager", "cautious") for role in ("positive", "negative")
    ]


def test_arms_that_share_a_corpus_of_one_variant_draw_from_all_of_it(tmp_path: Path) -> None:
    assert {row["text"].split()[0] for row in advised(tmp_path, ("all",))} == {"all"}


def test_the_seed_and_not_the_order_of_the_file_chooses_the_training_example(tmp_path: Path) -> None:
    drawn = [advised(tmp_path, ("eager", "cautious"), seed=seed) for seed in range(4)]
    assert len({json.dumps(rows) for rows in drawn}) > 1
    assert advised(tmp_path, ("cautious", "eager"), seed=3) == drawn[3]


def test_what_an_arm_was_trained_on_is_quoted_with_its_role(tmp_path: Path) -> None:
    view = training_views({"training_examples": advised(tmp_path, ("eager", "cautious"))})[0]
    assert view.about == ("corpus advice · eager · positive example",)
    assert [text.label for text in view.asked + view.answers] == ["asked", "answer trained on"]
    assert view.answers[0].ref == "/training_examples/0/text"
