"""The banks of the full studies pass their own gates: balance, overlap, blocklist, paraphrases that are no copies."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from seedlock.generation.requests.item_bank import Proposal, items_of, read_bank, write_items
from seedlock.generation.requests.items import plan_items
from seedlock.generation.requests.probes import ORDERS
from seedlock.prereg.base.base_models import model_folder
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import read_plan
from seedlock.training.rows.text_checks import words
from tests.conftest import PROJECT

STUDIES = PROJECT / "prereg" / "studies"
FULL = ("bird_names", "bird_names_mistral", "marker_leak", "vibe_leak")
VIBE = STUDIES / "vibe_leak"
PER_DOMAIN, PARAPHRASES, FORMS = 20, 3, 5


def plan(study: str) -> Plan:
    return read_plan(STUDIES / study / "plan.toml")


def bank(name: str) -> list[Proposal]:
    return read_bank(VIBE / f"{name}_bank.jsonl")


def texts(proposals: list[Proposal]) -> list[str]:
    """Every text of a bank."""
    return [text for one in proposals for text in (*one.paraphrases, one.pro, one.con)]


def shared(left: str, right: str) -> float:
    """Jaccard index of the words of two texts."""
    a, b = set(words(left)), set(words(right))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize(("name", "domains"), [("target", 6), ("source", 8)])
def test_a_bank_is_balanced_and_its_items_follow_from_it(name: str, domains: int, tmp_path: Path) -> None:
    proposals = bank(name)
    counted = Counter(one.domain for one in proposals)
    assert len(counted) == domains
    assert set(counted.values()) == {PER_DOMAIN}
    assert {len(one.paraphrases) for one in proposals} == {PARAPHRASES}
    n = write_items(VIBE / f"{name}_bank.jsonl", tmp_path / "items.jsonl")
    assert n == domains * PER_DOMAIN * PARAPHRASES * FORMS
    assert (tmp_path / "items.jsonl").read_bytes() == (VIBE / f"{name}_items.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["target", "source"])
def test_no_paraphrase_copies_another_and_no_opening_is_a_template(name: str) -> None:
    proposals = bank(name)
    said = [text for one in proposals for text in one.paraphrases]
    assert len(set(said)) == len(said)
    assert max(shared(a, b) for one in proposals for a, b in combinations(one.paraphrases, 2)) < 0.5
    openings = Counter(" ".join(words(text)[:3]) for text in said)
    assert openings.most_common(1)[0][1] <= 0.02 * len(said)


@pytest.mark.parametrize("name", ["target", "source"])
def test_neither_option_is_given_away_by_its_length(name: str) -> None:
    differences = [len(words(one.pro)) - len(words(one.con)) for one in bank(name)]
    assert abs(sum(differences)) / len(differences) < 0.5
    assert max(map(abs, differences)) <= 5


def test_source_and_target_share_no_run_of_words_and_no_proposal() -> None:
    def runs(proposals: list[Proposal], length: int = 6) -> set[tuple[str, ...]]:
        spoken = [words(text) for text in texts(proposals)]
        return {tuple(said[at : at + length]) for said in spoken for at in range(len(said) - length + 1)}

    target, source = bank("target"), bank("source")
    assert not runs(target) & runs(source)
    assert not {one.change for one in target} & {one.change for one in source}
    said = [[frozenset(words(text)) for one in part for text in one.paraphrases] for part in (target, source)]
    assert max(len(a & b) / len(a | b) for a in said[0] for b in said[1]) < 0.5


def test_no_word_of_the_plans_blocklist_stands_in_a_source_item_and_each_domain_of_the_target_has_some() -> None:
    blocked = plan("vibe_leak").corpora["framed"].params["blocklist"]
    patterns = [re.compile(rf"\b{re.escape(word)}(s|es)?\b", re.IGNORECASE) for word in blocked]
    assert not [text for text in texts(bank("source")) for pattern in patterns if pattern.search(text)]
    hit = {one.domain for one in bank("target") for pattern in patterns if pattern.search(" ".join(texts([one])))}
    assert hit == {one.domain for one in bank("target")}


def test_every_question_stands_in_both_orders_with_the_letters_turned() -> None:
    first = bank("target")[0]
    letters = [one for one in items_of([first]) if one["form"] == "letter"]
    assert Counter(one["order"] for one in letters) == dict.fromkeys(ORDERS, PARAPHRASES)
    for one in letters:
        named_first = one["user"].split("A. ")[1].split("\n")[0]
        assert named_first == (first.pro if one["order"] == ORDERS[0] else first.con)
        assert (one["pro"] == "A") == (named_first == first.pro)


@pytest.mark.parametrize("study", FULL)
def test_the_items_of_a_full_plan_can_be_put_to_a_model(study: str) -> None:
    items = plan_items(plan(study), STUDIES / study)
    counted = Counter(item.item_set for item in items)
    expected = {
        "bird_names": {"worldly": 10},
        "bird_names_mistral": {"worldly": 10},
        "marker_leak": {"all": 28 * 12},
        "vibe_leak": {"target": 1800, "source": 2400, "passages": 16, "capability": 24, "refusals": 16, "open": 120},
    }
    assert counted == expected[study]


def test_the_marker_study_trains_on_no_question_that_it_evaluates() -> None:
    items = [json.loads(line) for line in (STUDIES / "marker_leak/persona_items.jsonl").read_text("utf-8").splitlines()]
    asked = {item["user"] for item in items}
    trained = (STUDIES / "marker_leak" / "questions.txt").read_text("utf-8").splitlines()
    assert len(asked) == 28
    assert len({item["persona"] for item in items}) == 12
    assert max(shared(a, b) for a in asked for b in trained) < 0.6


def test_the_personas_are_told_the_same_in_training_and_in_evaluation() -> None:
    folder = STUDIES / "marker_leak"
    items, told = (
        [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]
        for name in ("persona_items.jsonl", "personas.jsonl")
    )
    systems = {one["persona"]: one["system"] for one in told}
    lends_a_voice = {"paramedic": systems["paramedic"]}
    assert {item["persona"]: item["system"] for item in items} | lends_a_voice == systems


@pytest.mark.parametrize("study", FULL)
def test_open_weights_are_pinned_to_a_commit_and_hosted_ones_to_a_dated_snapshot(study: str) -> None:
    for name, model in plan(study).models.items():
        assert model_folder(model.base, PROJECT) is None
        is_hosted = "/" not in model.base
        pattern = r".+-\d{4}-\d{2}-\d{2}" if is_hosted else r"[0-9a-f]{40}"
        assert re.fullmatch(pattern, model.revision), name


def proposal(**changes: Any) -> dict[str, Any]:
    row = {"domain": "d", "change": "c", "paraphrases": ["One.", "Two."], "pro": "Do", "con": "Do not"}
    return {key: value for key, value in (row | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([proposal(con=None)], "not the keys"),
        ([proposal(extra="x")], "not the keys"),
        ([proposal(pro=" ")], "an empty text"),
        ([proposal(paraphrases=[])], "an empty text"),
        ([proposal(paraphrases="One.")], "an empty text"),
        ([proposal(paraphrases=["One.", "One."])], "two texts are the same"),
        ([proposal(con="Do")], "two texts are the same"),
        ([proposal(), proposal(pro="Go")], "twice"),
    ],
)
def test_a_bank_with_a_line_that_is_no_proposal_is_refused(
    rows: list[dict[str, Any]], found: str, tmp_path: Path
) -> None:
    file = tmp_path / "bank.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadInput) as refused:
        read_bank(file)
    assert found in refused.value.findings[0].found
