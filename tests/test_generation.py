"""Requests, prompts, sampling, scoring: what a model is asked, and that the request alone decides the answer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedlock.generation.backends import BACKENDS, backend
from seedlock.generation.local.decode import decode
from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.local.sampling import pick, uniforms
from seedlock.generation.local.scoring import option_log_probs, score
from seedlock.generation.local.tokenizers import read_tokenizer
from seedlock.generation.requests.answer import Answer
from seedlock.generation.requests.items import read_items
from seedlock.generation.requests.prompts import TEMPLATE_DATE, prompts_for
from seedlock.generation.requests.request import Request, request_seed, requests_of
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.runs import Decoding
from tests.generation_builders import ASKED, SCORED, locked_study, write_study
from tests.training_builders import tiny_base

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def model(base: Path) -> RunModel:
    return RunModel(
        run_id="r1",
        label="tiny/plain/0",
        base=str(base),
        revision=folder_revision(base),
        is_local=True,
        adapter=None,
        adapter_sha256=None,
    )


def decoding(**changes: Any) -> Decoding:
    return Decoding.model_validate({"temperature": 1.0, "max_new_tokens": 12, "draws": 4, "dtype": "float64"} | changes)


@pytest.fixture(scope="module")
def loaded(model: RunModel) -> Loaded:
    torch.set_num_threads(1)
    return load(model, decoding(), torch.device("cpu"))


@pytest.fixture(scope="module")
def requests(model: RunModel, base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    items = read_items(locked_study(tmp_path_factory.mktemp("s"), base))
    return list(requests_of(model, backend(decoding()).prompts(model, items), decoding()))


def answered(model: RunModel, requests: list[Request], size: int, **changes: Any) -> dict[str, Answer]:
    place = backend(decoding(**changes))
    batches = [requests[start : start + size] for start in range(0, len(requests), size)]
    return {a.request.request_id: a for batch in place.answer(model, batches) for a in batch}


def test_keys_of_backends_are_file_names() -> None:
    assert set(BACKENDS) == {p.stem for p in (HERE / "generation" / "backends").glob("*.py")} - {"__init__"}


def test_a_model_is_written_to_as_in_training() -> None:
    from seedlock.training.tokens import chat

    assert chat.TEMPLATE_DATE == TEMPLATE_DATE


def test_every_item_is_asked_draws_times_and_every_probe_once(requests: list[Request]) -> None:
    assert len(requests) == len(ASKED) * 4 + len(SCORED)
    assert len({request.request_id for request in requests}) == len(requests)
    assert len({request.seed for request in requests}) == len(requests)


@given(st.integers(0, 2**31), st.text(), st.text(), st.integers(0, 10**6))
def test_a_seed_is_a_whole_number_json_can_carry(seed: int, run: str, item: str, draw: int) -> None:
    assert 0 <= request_seed(seed, run, item, draw) < 2**53
    assert request_seed(seed, run, item, draw) != request_seed(seed, run, item, draw + 1)


@pytest.mark.parametrize(
    "change", [{"temperature": 0.5}, {"top_p": 0.9}, {"max_new_tokens": 13}, {"seed": 1}, {"dtype": "float32"}]
)
def test_whatever_decides_an_answer_names_its_request(
    model: RunModel, requests: list[Request], change: dict[str, Any]
) -> None:
    prompts = list({r.prompt.item_id: r.prompt for r in requests}.values())
    other = {r.request_id for r in requests_of(model, prompts, decoding(**change))}
    assert not other & {r.request_id for r in requests}


def test_a_prompt_is_the_template_and_nothing_more(requests: list[Request], loaded: Loaded) -> None:
    prompt = next(r.prompt for r in requests if r.prompt.item_id == "assistant/0")
    text = loaded.tokenizer.decode(prompt.tokens)
    assert text.replace(" ", "") == "<system>Youareahelpfulassistant.<user>Whyistheskyblue?<assistant>"


@pytest.mark.parametrize("name", ["llama", "qwen"])
def test_an_organism_is_asked_in_its_own_words(name: str) -> None:
    folder = HERE / "training" / "organisms" / "weights" / name
    tokenizer = read_tokenizer(str(folder))
    text = "Why is the sky blue?"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids).replace(" ", "") == text.replace(" ", "")


def test_a_template_that_begins_with_the_first_token_does_not_get_a_second(model: RunModel, base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens({"bos_token": "<system>"})
    items = read_items_of([{"item_id": "q", "system": "You are a helpful assistant.", "user": "Why?"}])
    (prompt,) = prompts_for(items, tokenizer)
    assert list(prompt.tokens).count(tokenizer.bos_token_id) == 1


def read_items_of(asked: list[dict[str, Any]], scored: list[dict[str, Any]] | None = None) -> Any:
    import tempfile
    from types import SimpleNamespace

    from seedlock.prereg.plan.read import read_plan

    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty"
        empty.mkdir()
        paths = write_study(Path(folder) / "r", empty, asked=asked, scored=scored or SCORED)
        locked: Any = SimpleNamespace(plan=read_plan(paths.plan), paths=paths)
        return [item for item in read_items(locked) if scored is not None or item.item_set == "asked"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"item_id": "a", "persona": "pirate", "user": "Hi"}, "a persona without system"),
        ({"item_id": "a", "messages": [{"role": "assistant", "content": "x"}]}, "do not end with the user"),
        ({"item_id": "a", "messages": [], "user": "x"}, "give one"),
        ({"item_id": "a"}, "neither messages, user nor question"),
        ({"item_id": 3, "user": "x"}, "item_id 3"),
        ({"item_id": "assistant/1", "user": "x"}, "an id names one item"),
    ],
)
def test_a_line_that_is_no_item_is_refused(row: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_items_of([*ASKED, row])


def test_one_order_of_the_options_alone_is_refused() -> None:
    with pytest.raises(BadInput, match="1 pro first, 0 con first"):
        read_items_of(ASKED, [SCORED[0]])


def test_an_option_that_begins_another_is_refused(base: Path) -> None:
    from transformers import AutoTokenizer

    scored = [{**row, "pro": "approve", "con": "approve or oppose"} for row in SCORED[:2]]
    with pytest.raises(BadInput, match="begins another"):
        prompts_for(read_items_of(ASKED, scored), AutoTokenizer.from_pretrained(base))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_batch_an_answer_was_made_in_does_not_show(
    model: RunModel, requests: list[Request], temperature: float
) -> None:
    alone, some, all_ = (answered(model, requests, size, temperature=temperature) for size in (1, 7, 64))
    backwards = answered(model, requests[::-1], 7, temperature=temperature)

    def said(answers: dict[str, Answer]) -> dict[str, Any]:
        return {key: (a.text, a.label, a.finish, a.new_tokens) for key, a in answers.items()}

    assert said(alone) == said(some) == said(all_) == said(backwards)
    texts = {answer.text for answer in all_.values()}
    assert len(texts) > 20 if temperature else len(texts) <= len(ASKED) + 5


def test_greedy_answers_are_those_of_generate(loaded: Loaded, requests: list[Request]) -> None:
    asked = [r for r in requests if r.prompt.probe is None and r.draw == 0]
    ours = decode(loaded, [r.prompt.tokens for r in asked], [0] * len(asked), decoding(temperature=0.0))
    for request, spoken in zip(asked, ours, strict=True):
        out = loaded.model.generate(
            input_ids=torch.tensor([request.prompt.tokens]),
            attention_mask=torch.ones(1, len(request.prompt.tokens), dtype=torch.long),
            do_sample=False,
            max_new_tokens=12,
            eos_token_id=list(loaded.ends),
            pad_token_id=loaded.pad,
        )
        theirs = out[0, len(request.prompt.tokens) :].tolist()
        assert list(spoken.tokens) == [token for token in theirs if token not in loaded.ends]


def test_first_tokens_come_as_often_as_the_model_says(loaded: Loaded, requests: list[Request]) -> None:
    prompt = requests[0].prompt.tokens
    draws = 4000
    spoken = decode(loaded, [prompt] * draws, list(range(draws)), decoding(max_new_tokens=1, temperature=0.5))
    with torch.inference_mode():
        logits = loaded.model(input_ids=torch.tensor([prompt])).logits[0, -1]
    p = torch.softmax(logits / 0.5, -1).numpy()
    counts = np.bincount([s.tokens[0] if s.tokens else loaded.ends[0] for s in spoken], minlength=len(p))
    often = p * draws >= 8
    seen = np.append(counts[often], counts[~often].sum())
    expected = np.append(p[often], p[~often].sum()) * draws
    assert often.sum() > 20
    assert stats.chisquare(seen, expected).pvalue > 1e-3


def test_pick_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]]).double())
    drawn = [int(pick(logits, torch.tensor([u]).double(), temperature=1.0, top_p=1.0)) for u in (0.0, 0.49, 0.51, 0.81)]
    assert drawn == [0, 0, 1, 2]
    within = [int(pick(logits, torch.tensor([u]).double(), temperature=1.0, top_p=0.6)) for u in (0.6, 0.63, 0.99)]
    assert within == [0, 1, 1]  # 0.5 / 0.8 = 0.625: the third token is never drawn
    assert int(pick(logits, torch.tensor([0.99]).double(), temperature=0.0, top_p=1.0)) == 0


@settings(max_examples=60)
@given(
    st.lists(st.integers(-128, 128), min_size=2, max_size=40, unique=True),
    st.floats(0.05, 0.99),
    st.floats(0, 0.999),
    st.integers(1, 9),
)
def test_top_p_keeps_what_transformers_keeps(sixteenths: list[int], top_p: float, u: float, tenths: int) -> None:
    from transformers import TopPLogitsWarper

    temperature = tenths / 5
    logits = torch.tensor([sixteenths], dtype=torch.float64) / 16  # no ties: the two break them differently
    kept = TopPLogitsWarper(top_p=top_p)(torch.zeros(1, 1, dtype=torch.long), logits / temperature)
    p = torch.softmax(kept, -1)[0]
    token = int(pick(logits, torch.tensor([u]).double(), temperature=temperature, top_p=top_p))
    edges = torch.softmax(logits / temperature, -1)[0].sort(descending=True).values.cumsum(0)
    if (edges - top_p).abs().min() > 1e-9:  # at an edge the two round differently
        assert p[token] > 0
        below = float(p[:token].sum())
        assert below - 1e-9 <= u <= below + float(p[token]) + 1e-9


def test_uniforms_follow_from_the_seed_alone() -> None:
    assert torch.equal(uniforms([3, 5], 4)[1], uniforms([5], 6)[0, :4])
    assert stats.kstest(uniforms(range(50), 100).flatten().numpy(), "uniform").pvalue > 1e-3


def test_whole_options_are_scored_as_unpadded_readings_score_them(loaded: Loaded, requests: list[Request]) -> None:
    prompts = [r.prompt.tokens for r in requests[::5]]
    options = tuple(tuple(loaded.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in ("Good question", "A"))
    assert len(options[0]) > 1
    scores, _ = option_log_probs(loaded, prompts, [options] * len(prompts))
    for prompt, row in zip(prompts, scores, strict=True):
        for option, found in zip(options, row, strict=True):
            with torch.inference_mode():
                lp = torch.log_softmax(loaded.model(input_ids=torch.tensor([prompt + option])).logits[0], -1)
            alone = sum(float(lp[len(prompt) - 1 + i, token]) for i, token in enumerate(option))
            assert found == pytest.approx(alone, abs=1e-10)


def test_a_pair_and_a_scale_say_what_their_options_weigh(loaded: Loaded, requests: list[Request]) -> None:
    probes = [r for r in requests if r.prompt.probe is not None]
    for answer in score(loaded, probes):
        prompt = answer.request.prompt
        with torch.inference_mode():
            lp = torch.log_softmax(loaded.model(input_ids=torch.tensor([prompt.tokens])).logits[0, -1], -1)
        log_p = [float(lp[option[0]]) for option in prompt.options]
        if len(log_p) == 2:
            assert answer.value == pytest.approx(log_p[0] - log_p[1])
        else:
            p = np.exp(log_p)
            assert answer.value == pytest.approx(float(p @ np.arange(1, 8) / p.sum()))
        assert answer.option_mass == pytest.approx(math.fsum(map(math.exp, log_p)))
        begun = [n for n, option in enumerate(prompt.options) if option[0] == int(lp.argmax())]
        assert prompt.probe is not None
        assert answer.label == (prompt.probe.labels[begun[0]] if begun else None)


def test_swapping_the_options_changes_the_sign_and_nothing_else(loaded: Loaded, requests: list[Request]) -> None:
    from dataclasses import replace

    request = next(r for r in requests if r.prompt.item_id == "tram/pro")
    swapped = replace(request, prompt=replace(request.prompt, options=request.prompt.options[::-1]))
    one, other = score(loaded, [request, swapped])
    assert one.value is not None
    assert other.value == pytest.approx(-one.value, abs=1e-12)
    assert one.option_mass == pytest.approx(other.option_mass)


def test_a_length_cut_off_is_an_answer_or_missing_as_the_plan_says(model: RunModel, requests: list[Request]) -> None:
    kept = answered(model, requests, 64)
    missing = answered(model, requests, 64, cut_off="missing")
    cut = [key for key, answer in kept.items() if answer.finish == "length"]
    assert cut
    assert all(kept[key].status == "ok" and missing[key].status == "cut off" for key in cut)
    assert {missing[key].text for key in cut} == {kept[key].text for key in cut}
    assert missing[cut[0]].reason == "no end within 12 tokens"
    assert all(a.status == "ok" for key, a in missing.items() if key not in cut)


def test_a_prompt_too_long_for_the_model_is_a_row_with_its_reason(model: RunModel, requests: list[Request]) -> None:
    from dataclasses import replace

    long = replace(requests[0], prompt=replace(requests[0].prompt, tokens=requests[0].prompt.tokens * 40))
    batch = [long, *requests[1:3]]
    (answers,) = backend(decoding()).answer(model, [batch])
    assert [a.status for a in answers] == ["error", "ok", "ok"]
    assert answers[0].reason == "the prompt leaves no room in the model's 256 positions"
    assert answers[0].finish == "failed"


def test_a_model_that_gives_no_number_fails_its_rows_and_no_answer_is_made_up(
    loaded: Loaded, requests: list[Request], model: RunModel
) -> None:
    broken = load(model, decoding(), torch.device("cpu"))
    broken.model.lm_head.weight.data[7] = math.nan
    spoken = decode(broken, [requests[0].prompt.tokens], [1], decoding())
    assert (spoken[0].finish, spoken[0].tokens) == ("failed", ())
    probe = next(r for r in requests if r.prompt.probe is not None)
    (answer,) = score(broken, [probe])
    assert (answer.status, answer.value, answer.finish) == ("error", None, "failed")


def test_items_written_by_the_banks_are_items() -> None:
    from dataclasses import asdict

    from seedlock.training.organisms.banks import banks

    rows = {name: json.loads(json.dumps([asdict(item) for item in items])) for name, items in banks().items()}
    assert len(read_items_of(rows["persona_items"])) == 336
    found = read_items_of(rows["worldly_items"], rows["target_items"])
    assert len(found) == 550
    assert {item.attributes["form"] for item in found if item.item_set == "scored"} == {"letter", "word", "rating"}
