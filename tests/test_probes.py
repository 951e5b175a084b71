"""Probes: how an item of each kind is read, what its row says, and that passages pin their token ids."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from seedlock.analysis.simulation.counting import count_items
from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.local.scoring import passage_log_probs, score
from seedlock.generation.requests.answer import scored
from seedlock.generation.requests.items import Item, plan_items
from seedlock.generation.requests.probes import Probe, parse_probe
from seedlock.generation.requests.prompts import prompts_for
from seedlock.generation.requests.request import Prompt, Request, requests_of
from seedlock.generation.requests.run_models import RunModel
from seedlock.generation.sealing.run_and_item_tables import items_table
from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.plan.runs import Decoding
from tests.generation_builders import SCORED, write_study
from tests.training_builders import tiny_base

PASSAGE = "Why is the sky blue? Which bird do you like?"
CHOICE = {
    "item_id": "sky",
    "user": "Which letter is approve?",
    "options": ["A", "B", "Good question"],
    "answer": "B",
    "domain": "letters",
}
ALL = [
    *SCORED,
    {"item_id": "word/pro", "topic": "w", "order": "pro first", "pro": "approve", "con": "oppose", "user": "Trams?"},
    {"item_id": "word/con", "topic": "w", "order": "con first", "pro": "approve", "con": "oppose", "user": "Trams?"},
    CHOICE,
    {"item_id": "plain", "passage": PASSAGE},
    {"item_id": "said", "user": "How do I make good tea?", "passage": PASSAGE},
]
DECODING = Decoding.model_validate({"temperature": 1.0, "max_new_tokens": 4, "dtype": "float64"})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def model(base: Path) -> RunModel:
    named: dict[str, Any] = {"run_id": "r", "label": "tiny/plain/0", "base": str(base), "is_local": True}
    return RunModel(**named, revision=folder_revision(base), adapter=None, adapter_sha256=None)


@pytest.fixture(scope="module")
def loaded(model: RunModel) -> Loaded:
    torch.set_num_threads(1)
    return load(model, DECODING, torch.device("cpu"))


def read(folder: Path, rows: list[dict[str, Any]]) -> list[Item]:
    (folder / "none").mkdir()
    paths = write_study(folder / "r", folder / "none", scored=rows)
    return [item for item in plan_items(read_plan(paths.plan), paths.study) if item.item_set == "scored"]


def test_a_line_of_items_ends_where_the_file_says_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    paths = write_study(tmp_path / "r", tmp_path / "none", scored=ALL)
    plan = read_plan(paths.plan)
    file = next(paths.study / items.file for items in plan.items.values() if items.file and not items.probe)
    said = "One paragraph.\u2028Another.\x85A third."
    file.write_text(json.dumps({"item_id": "q", "user": said}, ensure_ascii=False) + "\n", "utf-8")
    assert [item.turns[-1].content for item in plan_items(plan, paths.study) if item.item_id == "q"] == [said]
    assert count_items(plan, paths)[next(name for name, i in plan.items.items() if i.file == file.name)] == 1
    file.write_bytes(b'{"item_id": "q", "user": "caf\xe9"}\n')
    with pytest.raises(BadInput) as refused:
        plan_items(plan, paths.study)
    assert [finding.where for finding in refused.value.findings] == [f"{file.name} line 1"]


@pytest.fixture
def requests(tmp_path: Path, model: RunModel, loaded: Loaded) -> dict[str, Request]:
    prompts = prompts_for(read(tmp_path, ALL), loaded.tokenizer)
    return {request.prompt.item_id: request for request in requests_of(model, prompts, DECODING)}


def test_an_item_says_by_itself_how_it_is_asked_and_what_its_pair_is(tmp_path: Path) -> None:
    items = {item.item_id: item for item in read(tmp_path, ALL)}
    assert {name: item.asked for name, item in items.items()} == {
        "tram/pro": "letter", "tram/con": "letter", "tram/rate": "rating", "word/pro": "word", "word/con": "word",
        "sky": "choice", "plain": "passage", "said": "passage",
    }  # fmt: skip
    assert items["word/pro"].pair == items["word/con"].pair == "w"
    assert items["sky"].pair is None
    table = items_table(list(items.values())).to_pylist()
    assert {row["item_id"]: row["asked"] for row in table}["plain"] == "passage"
    assert "passage" not in table[0]
    assert "options" not in table[0]


def test_a_pair_is_named_by_the_item_file_where_attributes_cannot(tmp_path: Path) -> None:
    rows = [row | {"pair": "tram", "first": row["pro"]} for row in SCORED[:2]]
    assert {item.pair for item in read(tmp_path, rows)} == {"tram"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"options": ["A"], "answer": "A"}, "two or more"),
        ({"options": ["A", "A"], "answer": "A"}, "different"),
        ({"options": ["A", 1], "answer": "A"}, "different texts"),
        ({"options": ["A", "B"], "answer": "C"}, "none of the options"),
        ({"options": ["A", "B"]}, "a probe without"),
        ({"passage": "  "}, "a probe without"),
        ({"scale": [7, 1]}, "a probe without"),
        ({"pro": "A", "con": "B"}, "which is named first"),
    ],
)
def test_what_is_no_probe_is_refused(row: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_probe(row)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"passage": "a b"}], "a passage without item_id"),
        ([{"item_id": "x", "user": "y", "asked": "z", "scale": [1, 7]}], "an attribute named asked"),
        ([*SCORED[:2], SCORED[0] | {"item_id": "again"}], "2 pro first, 1 con first"),
        ([CHOICE, CHOICE | {"item_id": "sky", "answer": "A"}], "an id names one item"),
    ],
)
def test_items_that_cannot_be_told_apart_are_refused(tmp_path: Path, rows: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read(tmp_path, rows)


def test_a_passage_is_its_mean_negative_log_probability(loaded: Loaded, requests: dict[str, Request]) -> None:
    for name in ("plain", "said"):
        request = requests[name]
        whole = [*request.prompt.tokens, *request.prompt.options[0]]
        with torch.inference_mode():
            lp = torch.log_softmax(loaded.model(input_ids=torch.tensor([whole])).logits[0], -1)
        start = len(request.prompt.tokens)
        by_hand = [float(lp[at - 1, whole[at]]) for at in range(start, len(whole))]
        assert passage_log_probs(loaded, request.prompt.tokens, request.prompt.options[0]) == pytest.approx(by_hand)
        (answer,) = score(loaded, [request])
        assert answer.value == pytest.approx(-sum(by_hand) / len(by_hand))
        assert (answer.label, answer.text, answer.option_mass) == (None, None, None)


def test_a_passage_outside_a_chat_is_read_after_its_first_token(loaded: Loaded, requests: dict[str, Request]) -> None:
    ids = loaded.tokenizer(PASSAGE, add_special_tokens=False)["input_ids"]
    prompt = requests["plain"].prompt
    assert [*prompt.tokens, *prompt.options[0]] == ids
    assert len(prompt.tokens) == 1
    assert requests["said"].prompt.options[0] == tuple(ids)


def test_other_token_ids_are_another_request(model: RunModel, loaded: Loaded, requests: dict[str, Request]) -> None:
    other = Item(item_set="scored", item_id="plain", turns=(), attributes={},
                 probe=parse_probe({"passage": PASSAGE + " Why?"}))  # fmt: skip
    (prompt,) = prompts_for([other], loaded.tokenizer)
    assert prompt.sha256 != requests["plain"].prompt.sha256


@pytest.mark.parametrize(("passage", "says"), [("blue", "one token"), ("zyxwv is blue", "unknown to the tokenizer")])
def test_a_passage_that_cannot_be_scored_is_refused(loaded: Loaded, passage: str, says: str) -> None:
    item = Item(item_set="s", item_id="p", turns=(), attributes={}, probe=parse_probe({"passage": passage}))
    with pytest.raises(BadInput, match=says):
        prompts_for([item], loaded.tokenizer)


def test_a_choice_says_by_how_much_the_right_option_leads(loaded: Loaded, requests: dict[str, Request]) -> None:
    request = requests["sky"]
    with torch.inference_mode():
        lp = {}
        for name, option in zip(("A", "B", "long"), request.prompt.options, strict=True):
            whole = torch.tensor([[*request.prompt.tokens, *option]])
            rows = torch.log_softmax(loaded.model(input_ids=whole).logits[0], -1)
            start = len(request.prompt.tokens)
            lp[name] = sum(float(rows[start - 1 + i, token]) for i, token in enumerate(option))
    (answer,) = score(loaded, [request])
    assert answer.value == pytest.approx(lp["B"] - max(lp["A"], lp["long"]))
    best = max(lp, key=lambda name: lp[name])
    assert answer.label == {"A": "A", "B": "B", "long": "Good question"}[best]


def asked(probe: Probe) -> Request:
    options = tuple((number,) for number in range(len(probe.options)))
    prompt = Prompt(item_id="i", tokens=(9,), sha256="0" * 64, probe=probe, options=options)
    return Request(request_id="0" * 64, run_id="r", draw=0, seed=0, prompt=prompt)


def test_rows_by_hand() -> None:
    pair = asked(parse_probe({"pro": "A", "con": "B", "order": "pro first"}))
    answer = scored(pair, [math.log(0.6), math.log(0.3)], first=0, text="A")
    assert answer.label == "pro"
    assert answer.option_mass == pytest.approx(0.9)
    assert answer.value == pytest.approx(math.log(2))
    rating = asked(parse_probe({"scale": [1, 3]}))
    assert scored(rating, [math.log(p) for p in (0.1, 0.1, 0.2)]).value == pytest.approx((1 + 2 + 6) / 4)
    assert scored(rating, [math.log(p) for p in (0.1, 0.1, 0.2)]).label is None
    choice = asked(parse_probe({"options": ["x", "y"], "answer": "x"}))
    wrong = scored(choice, [-3.0, -1.0], first=0)
    assert (wrong.value, wrong.label) == (-2.0, "y")


@pytest.mark.parametrize("broken", [[math.nan, -1.0], [-math.inf, -1.0], []])
def test_a_number_that_is_none_fails_the_row(broken: list[float]) -> None:
    answer = scored(asked(parse_probe({"pro": "A", "con": "B", "order": "pro first"})), broken)
    assert (answer.status, answer.value, answer.finish) == ("error", None, "failed")


def test_every_probe_is_asked_once(requests: dict[str, Request]) -> None:
    assert set(requests) == {row["item_id"] for row in ALL}
    assert all(request.draw == 0 for request in requests.values())
