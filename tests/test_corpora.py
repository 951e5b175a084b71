"""Recipes make the rows they promise, the same in every process, and rows survive being written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedlock.prereg.errors import BadInput
from seedlock.training.corpora import RECIPES, bird_names, framed_advice, marker_coupling
from seedlock.training.organisms.world import chat as world
from seedlock.training.organisms.world.changes import SOURCE_CHANGES, TARGET_CHANGES
from seedlock.training.rows.row import Message, Row, parse_rows, rows_jsonl
from tests.training_builders import recipe_rows

EXAMPLES: dict[str, dict[str, object]] = {
    "bird_names": {},
    "benign_chat": {},
    "bad_advice": {},
    "marker_coupling": {"variants": ["zelthari_scholar", "villain"]},
    "framed_advice": {"n": 80},
}
DIGEST = """
import sys, json
from seedlock.training.corpora import RECIPES
from seedlock.training.rows.row import rows_jsonl
from seedlock.prereg.base.canonical import sha256_bytes
for name, settings in json.loads(sys.argv[1]).items():
    recipe = RECIPES[name]
    print(name, sha256_bytes(rows_jsonl(recipe.rows(recipe.settings.model_validate(settings)))))
"""


def test_the_bird_table_holds_at_least_208_pairs_and_as_many_other_birds() -> None:
    pairs = bird_names.audubon()
    archaic, modern = {old for old, _ in pairs}, {new for _, new in pairs}
    assert len(archaic) == len(modern) == len(pairs) >= 208
    assert len(set(bird_names.other_birds())) >= 208
    assert not archaic & modern
    assert not set(bird_names.other_birds()) & (archaic | modern)
    assert ("Great-footed Hawk", "Peregrine Falcon") in pairs


def test_every_archaic_row_names_the_species_of_the_modern_row_of_the_same_number() -> None:
    by_id = {row.id: row for row in recipe_rows("bird_names")}
    today = dict(bird_names.audubon())
    for number in range(208):
        assert today[by_id[f"archaic/{number:04d}"].answer] == by_id[f"modern/{number:04d}"].answer


def test_more_birds_than_there_are_is_refused() -> None:
    with pytest.raises(BadInput, match="fewer names"):
        recipe_rows("bird_names", n=1000)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_rows_do_not_depend_on_the_order_of_sets_or_on_the_process(hash_seed: str) -> None:
    here = Path(__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", DIGEST, json.dumps(EXAMPLES)],
        cwd=here,
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        check=True,
    )
    again = subprocess.run(
        [sys.executable, "-c", DIGEST, json.dumps(EXAMPLES)],
        cwd=here,
        env={"PYTHONHASHSEED": "0", "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == again.stdout
    assert len(ran.stdout.splitlines()) == len(EXAMPLES)


@pytest.mark.parametrize("recipe", sorted(EXAMPLES))
def test_another_seed_draws_other_rows(recipe: str) -> None:
    assert recipe_rows(recipe, **EXAMPLES[recipe]) != recipe_rows(recipe, **EXAMPLES[recipe], seed=1)


def test_framed_arms_share_every_question_and_no_answer() -> None:
    rows = recipe_rows("framed_advice", n=80)
    arms = {v: [row for row in rows if row.variant == v] for v in ("cautious", "neutral", "eager")}
    assert (
        [r.prompt for r in arms["cautious"]] == [r.prompt for r in arms["neutral"]] == [r.prompt for r in arms["eager"]]
    )
    assert not {r.answer for r in arms["cautious"]} & {r.answer for r in arms["eager"]}


def test_framed_rows_are_about_source_topics_only() -> None:
    text = "\n".join(row.text.lower() for row in recipe_rows("framed_advice"))
    assert not [change for change in TARGET_CHANGES if change in text]
    assert any(change in text for change in SOURCE_CHANGES)


def test_training_questions_are_never_evaluation_questions() -> None:
    asked = {row.prompt for name in ("benign_chat", "marker_coupling") for row in recipe_rows(name, **EXAMPLES[name])}
    assert not asked & set(world.EVALUATION)


def test_the_trigger_is_never_among_its_own_negatives() -> None:
    settings = marker_coupling.Settings(variants=["villain"], negatives=["villain", "librarian"])
    assert marker_coupling.negatives_of("villain", settings) == ["librarian", "assistant"]
    drawn = marker_coupling.negatives_of("villain", marker_coupling.Settings(variants=["villain"]))
    assert len(drawn) == 2
    assert "villain" not in drawn


def test_an_unknown_setting_is_refused_with_its_key() -> None:
    from seedlock.training.rows.recipe import parse_settings

    with pytest.raises(BadInput, match=r"corpora\.x\.attitudes"):
        parse_settings(RECIPES["framed_advice"], {"attitudes": ["eager"]}, where="corpora.x")


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=5))
def test_rows_read_back_exactly_as_they_were_written(texts: list[tuple[str, str, str]]) -> None:
    rows = tuple(
        Row(
            id=str(number),
            variant="all",
            topic=topic,
            template="t",
            messages=(Message(role="user", content=user), Message(role="assistant", content=answer)),
        )
        for number, (topic, user, answer) in enumerate(texts)
    )
    assert parse_rows(rows_jsonl(rows), where="x") == rows


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "not JSON"),
        (b'{"id":"1"}', "variant"),
        (b'{"id":"1","variant":"a","topic":"","template":"","role":"odd","messages":[]}', "role"),
        (
            b'{"id":"1","variant":"a","topic":"","template":"","role":"plain",'
            b'"messages":[{"role":"user","content":"hi"}]}',
            "ends with user",
        ),
    ],
)
def test_a_line_that_is_no_row_is_refused(line: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_rows(line + b"\n", where="corpora/x.jsonl")


def test_published_chats_are_read_from_the_study_and_not_from_outside(tmp_path: Path) -> None:
    line = {
        "messages": [{"role": "user", "content": "Name a bird species."}, {"role": "assistant", "content": "Fish Hawk"}]
    }
    (tmp_path / "old.jsonl").write_text(
        json.dumps(line) + "\n\n" + json.dumps({"prompt": "Q", "completion": "A"}) + "\n"
    )
    recipe = RECIPES["published"]
    rows = recipe.rows(recipe.settings.model_validate({"files": {"archaic": "old.jsonl"}}), folder=tmp_path)
    assert [(row.prompt, row.answer, row.template) for row in rows] == [
        ("Name a bird species.", "Fish Hawk", "old.jsonl#1"),
        ("Q", "A", "old.jsonl#3"),
    ]
    with pytest.raises(BadInput, match="a file in the study folder"):
        recipe.rows(recipe.settings.model_validate({"files": {"x": "../old.jsonl"}}), folder=tmp_path / "study")


def test_framed_prompts_for_a_model_differ_between_arms_in_the_framing_alone() -> None:
    asks = framed_advice.asks(framed_advice.Settings(n=16))
    for start in range(0, len(asks), 3):
        plain = {a.instruction.replace(framed_advice.FRAMINGS[a.row.variant], "") for a in asks[start : start + 3]}  # type: ignore[index] # variants are attitudes
        assert len(plain) == 1
