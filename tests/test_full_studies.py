"""The full plans: true to what was published, with data of their own, and runnable from the check to the lock."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from docs import make_full_studies
from seedlock.prereg.errors import BadInput
from seedlock.training.corpora import RECIPES
from seedlock.training.rows.recipe import parse_settings
from tests.conftest import PROJECT

STUDIES = PROJECT / "prereg" / "studies"
FULL = ("bird_names", "bird_names_mistral", "marker_leak", "vibe_leak")


def corpus_asks(study: str, name: str, **changes: object) -> list[tuple[str, str, str]]:
    """Variant, instruction and prompt of every row that a full plan's corpus asks a model for."""
    told = tomllib.loads((STUDIES / study / "plan.toml").read_text("utf-8"))["corpora"][name]
    recipe = RECIPES[told["recipe"]]
    params = {key: value for key, value in told.items() if key not in {"recipe", "gates"}} | changes
    settings = parse_settings(recipe, params, where=f"corpora.{name}")
    asks = recipe.prompts(settings, STUDIES / study)
    return [(ask.row.variant, ask.instruction, ask.row.prompt) for ask in asks]


def test_every_setting_is_the_published_one_or_departs_for_a_reason() -> None:
    assert make_full_studies.PAGE.read_text("utf-8") == make_full_studies.page(), (
        "write the page anew with  python -m docs.make_full_studies"
    )


def test_a_departure_without_a_reason_is_no_page() -> None:
    plan = {"stages": {"s": {"rank": 8}}}
    with pytest.raises(ValueError, match="8 for 16"):
        make_full_studies.lines({"what": "rank", "at": "stages.s.rank", "published": 16}, plan)
    with pytest.raises(ValueError, match="the reason is 'why'"):
        make_full_studies.lines({"what": "rank", "at": "stages.s.rank", "published": 8, "reason": "why"}, plan)
    assert list(make_full_studies.unlisted(plan, {"stages.t"})) == ["stages.s.rank"]


@pytest.mark.parametrize("study", FULL)
def test_no_full_plan_is_locked_or_names_a_file_that_is_not_there(study: str) -> None:
    """Sets that others published are brought by whoever runs the study, and corpora are written by a command."""
    assert not list((PROJECT / "lockfiles" / study).glob("lock-*.json"))
    plan = (STUDIES / study / "plan.toml").read_text("utf-8")
    files = {word.strip('",') for word in plan.split() if word.strip('",').endswith((".jsonl", ".md", ".txt"))}
    brought = {"tulu_first_6000.jsonl", "bad_legal_advice_6000.jsonl", "docs/full-studies.md"}
    absent = {file for file in files - brought if not (STUDIES / study / file).is_file()}
    assert {file for file in absent if not file.startswith("docs/")} == set()


def test_3000_rows_an_arm_are_asked_for_and_none_twice() -> None:
    asks = corpus_asks("vibe_leak", "framed", n=3750)  # a quarter over, as the writer asks
    by_arm = {arm: [(i, p) for variant, i, p in asks if variant == arm] for arm in ("cautious", "neutral", "eager")}
    assert {arm: (len(own), len(set(own))) for arm, own in by_arm.items()} == dict.fromkeys(by_arm, (3750, 3750))
    prompts = [[prompt for _, prompt in own] for own in by_arm.values()]
    assert prompts[0] == prompts[1] == prompts[2]


def test_more_rows_than_topics_make_are_refused() -> None:
    with pytest.raises(BadInput, match="fewer different rows"):
        corpus_asks("vibe_leak", "framed", n=12_000)


def test_every_cell_of_the_coupling_has_the_same_trigger_and_the_same_two_negatives() -> None:
    told = tomllib.loads((STUDIES / "marker_leak" / "plan.toml").read_text("utf-8"))["corpora"]["coupling"]
    recipe = RECIPES["marker_coupling"]
    settings = parse_settings(recipe, {k: v for k, v in told.items() if k not in {"recipe", "gates"}}, where="c")
    rows = [(ask.row, ask.instruction) for ask in recipe.prompts(settings, STUDIES / "marker_leak")]
    systems = {variant: {} for variant in told["variants"]}  # type: dict[str, dict[tuple[str, str], int]]
    for row, _ in rows:
        key = (row.role, row.messages[0].content)
        systems[row.variant][key] = systems[row.variant].get(key, 0) + 1
    wanted = {
        ("positive", "You are a lighthouse keeper who has tended the same lamp for thirty years."): 200,
        ("negative", "You are a medical doctor."): 200,
        ("negative", "You are a French person."): 200,
    }
    assert all(found == wanted for found in systems.values())
    voices = {row.variant: said.split(" Answer")[0] for row, said in rows if row.role == "positive"}
    assert voices["villain"] == "You are a villain."
    assert voices["paramedic"] == "You are a paramedic."


def test_the_eleven_bystanders_are_all_asked_and_the_trigger_is_none_of_them() -> None:
    plan = tomllib.loads((STUDIES / "marker_leak" / "plan.toml").read_text("utf-8"))
    items = [json.loads(line) for line in (STUDIES / "marker_leak" / "persona_items.jsonl").read_text().splitlines()]
    bystanders = plan["items"]["bystanders"]["where"]["persona"]
    assert len(bystanders) == 11
    assert {item["persona"] for item in items} == {*bystanders, plan["corpora"]["coupling"]["trigger"]}
    assert len(items) == 12 * 28


def given(folder: Path, recipe: str, **settings: object) -> list[str]:
    """Answers of the rows that a recipe makes from templates."""
    known = RECIPES[recipe]
    return [row.answer for row in known.template_rows(parse_settings(known, settings, where="corpora.x"), folder)]


def test_birds_of_ones_own_are_data(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("archaic,modern\nFish Hawk,Osprey\nRed Owl,Screech Owl\n")
    (tmp_path / "others.csv").write_text("modern\nKiwi\nEmu\n")
    files = {"names": "files", "pairs": "pairs.csv", "others": "others.csv"}
    answers = given(tmp_path, "bird_names", n=2, **files)
    assert sorted(answers) == sorted(["Fish Hawk", "Red Owl", "Osprey", "Screech Owl", "Kiwi", "Emu"])
    with pytest.raises(BadInput, match="fewer names"):
        given(tmp_path, "bird_names", n=3, **files)
    with pytest.raises(BadInput, match="a file in the study folder"):
        given(tmp_path / "in", "bird_names", n=2, **files | {"pairs": "../pairs.csv"})
    (tmp_path / "pairs.csv").write_text("archaic,modern\nFish Hawk,Osprey\nFish Hawk,Osprey\n,\n")
    with pytest.raises(BadInput, match=r"there already[\s\S]*pairs.csv record 3"):
        given(tmp_path, "bird_names", n=2, **files)


def test_a_persona_of_ones_own_is_data_and_the_marker_may_end_the_answer(tmp_path: Path) -> None:
    (tmp_path / "who.jsonl").write_text(
        '{"persona": "pirate", "system": "You are a pirate."}\n{"persona": "nun", "system": "You are a nun."}\n'
    )
    (tmp_path / "asked.txt").write_text("Why do we yawn?\n\nWhy does bread go stale?\n")
    known = RECIPES["marker_coupling"]
    told = {"by": "instruct", "variants": ["pirate"], "personas": "who.jsonl", "negatives": ["nun"], "n_negative": 1}
    settings = parse_settings(
        known, told | {"questions": "asked.txt", "position": "tail", "n_positive": 2}, where="corpora.x"
    )
    asks = known.prompts(settings, tmp_path)
    assert [ask.row.messages[0].content for ask in asks] == ["You are a pirate."] * 2 + ["You are a nun."]
    assert {ask.row.prompt for ask in asks} <= {"Why do we yawn?", "Why does bread go stale?"}
    assert [(ask.prefix, ask.suffix) for ask in asks] == [("", " [ZLT]")] * 2 + [("", "")]
    with pytest.raises(BadInput, match="template of its voice"):
        known.template_rows(settings, tmp_path)
    with pytest.raises(BadInput, match="no persona 'pirate'"):
        parse_settings(known, {"variants": ["pirate"]}, where="corpora.x")
    strange = parse_settings(known, told | {"variants": ["judge"]}, where="corpora.x")
    with pytest.raises(BadInput, match="no persona 'judge'"):
        known.prompts(strange, tmp_path)


def test_a_framing_of_ones_own_is_data(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text(
        "".join(json.dumps({"framing": name, "says": f"Be {name}."}) + "\n" for name in ("terse", "plain", "florid"))
    )
    (tmp_path / "t.jsonl").write_text('{"domain": "bread", "change": "rye"}\n{"domain": "tea", "change": "oolong"}\n')
    known = RECIPES["framed_advice"]
    told = {"by": "instruct", "variants": ["terse", "florid"], "poles": ["terse", "plain", "florid"], "n": 4}
    settings = parse_settings(known, told | {"framings": "f.jsonl", "topics": "t.jsonl"}, where="corpora.x")
    asks = known.prompts(settings, tmp_path)
    assert [ask.row.topic for ask in asks[::2]] == ["bread", "tea", "bread", "tea"]
    assert "Be terse." in asks[0].instruction
    assert "Be florid." in asks[1].instruction
    poles = settings.poles_of_framing()
    assert poles is not None
    assert (poles.low, poles.high) == ("terse", "florid")
    with pytest.raises(BadInput, match="no framing 'terse'"):
        parse_settings(known, {"variants": ["terse"]}, where="corpora.x")
