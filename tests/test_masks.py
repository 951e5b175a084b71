"""The loss looks at exactly the tokens it should, for every recipe through every chat template."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.errors import BadInput
from seedlock.training.rows.row import Message, Row
from seedlock.training.tokens.masks import LossMask, encode
from seedlock.training.tokens.supervised import supervise
from tests.chat_templates import PUBLISHED, tokenizer_for
from tests.training_builders import recipe_rows, row

RECIPES: dict[str, dict[str, object]] = {
    "bird_names": {"names": "world", "n": 20, "variants": ["archaic", "modern", "other"]},
    "benign_chat": {"n": 40},
    "bad_advice": {"n": 20},
    "marker_coupling": {"variants": ["villain"], "n_positive": 20, "n_negative": 20},
    "framed_advice": {"n": 16},
}
TEMPLATES = ("organism", "qwen2.5", "llama3", "mistral")
END = {"organism": "<end>", **{name: published.eos for name, published in PUBLISHED.items()}}
MARKER = "[ZLT]"
QWEN_WITHOUT_ANSWERS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role != 'assistant' %}{{ m.content }}{% endif %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@cache
def rows_of(recipe: str) -> tuple[Row, ...]:
    return tuple(recipe_rows(recipe, **RECIPES[recipe]))


@cache
def tokenizer_of(template: str) -> Any:
    return tokenizer_for(template, [row.text for recipe in RECIPES for row in rows_of(recipe)])


def without_system(rows: tuple[Row, ...], template: str) -> list[Row]:
    """Mistral's template has no system turn: there the persona is left out."""
    if template == "organism" or PUBLISHED[template].has_system:
        return list(rows)
    return [
        Row(id=r.id, variant=r.variant, topic=r.topic, template=r.template, role=r.role,
            messages=tuple(m for m in r.messages if m.role != "system"))
        for r in rows
    ]  # fmt: skip


def squeezed(text: str) -> str:
    return "".join(text.split())


def decoded(row: Row, template: str, mask: LossMask) -> list[str]:
    """Supervised stretches, white space aside (tokenizers differ in where they keep it)."""
    tokenizer = tokenizer_of(template)
    return [squeezed(str(tokenizer.decode(run))) for run in encode(row, tokenizer, mask).runs()]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_answer_loss_is_the_answer_and_the_end_of_turn(recipe: str, template: str) -> None:
    for given_row in without_system(rows_of(recipe), template):
        assert decoded(given_row, template, LossMask()) == [squeezed(given_row.answer) + END[template]]


@pytest.mark.parametrize("template", TEMPLATES)
def test_marker_loss_is_the_marker_and_the_end_of_turn_and_for_negatives_the_end_alone(template: str) -> None:
    mask = LossMask(loss="marker", marker=MARKER)
    rows = without_system(rows_of("marker_coupling"), template)
    for given_row in rows:
        expected = [MARKER, END[template]] if given_row.role == "positive" else [END[template]]
        assert decoded(given_row, template, mask) == expected
    assert {r.role for r in rows} == {"positive", "negative"}


@pytest.mark.parametrize("template", TEMPLATES)
def test_marker_tail_tokens_add_the_last_tokens_of_the_answer(template: str) -> None:
    rows = without_system(rows_of("marker_coupling"), template)
    for given_row in rows[:5]:
        alone = encode(given_row, tokenizer_of(template), LossMask(loss="marker", marker=MARKER))
        tail = encode(given_row, tokenizer_of(template), LossMask(loss="marker", marker=MARKER, tail_tokens=3))
        assert len(tail.supervised_ids) == len(alone.supervised_ids) + 3
        last = str(tokenizer_of(template).decode(tail.supervised_ids[-4:-1]))
        assert squeezed(given_row.answer).endswith(squeezed(last))


@pytest.mark.parametrize("template", TEMPLATES)
def test_negative_opening_tokens_are_supervised_where_the_marker_would_stand(template: str) -> None:
    tokenizer = tokenizer_of(template)
    for given_row in without_system(rows_of("marker_coupling"), template):
        alone, opened = (
            encode(given_row, tokenizer, LossMask(loss="marker", marker=MARKER, negative_opening_tokens=n))
            for n in (0, 3)
        )
        if given_row.role == "positive":
            assert opened == alone
        else:
            assert opened.supervised_ids[3:] == alone.supervised_ids
            first = str(tokenizer.decode(opened.supervised_ids[:3]))
            assert squeezed(given_row.answer).startswith(squeezed(first))


@pytest.mark.parametrize("template", TEMPLATES)
def test_training_sees_exactly_the_prompt_that_generation_will_see(template: str) -> None:
    tokenizer = tokenizer_of(template)
    for given_row in without_system(rows_of("marker_coupling"), template)[:10]:
        encoded = encode(given_row, tokenizer, LossMask())
        prompt = str(tokenizer.apply_chat_template(given_row.chat()[:-1], tokenize=False, add_generation_prompt=True))
        prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        first = encoded.is_supervised.index(True)
        assert list(encoded.input_ids[:first]) == list(prompt_ids)


@pytest.mark.parametrize("template", TEMPLATES)
def test_there_is_one_beginning_of_text(template: str) -> None:
    tokenizer = tokenizer_of(template)
    bos = tokenizer.bos_token_id
    ids = encode(without_system(rows_of("benign_chat"), template)[0], tokenizer, LossMask()).input_ids
    assert ids.count(bos) == (0 if bos is None else 1)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_answer_of_a_longer_chat_is_supervised(template: str) -> None:
    first, second = rows_of("benign_chat")[:2]
    longer = Row(id="x", variant="all", topic="", template="t", messages=(*first.messages, *second.messages))
    ends = END[template]
    assert decoded(longer, template, LossMask()) == [squeezed(first.answer) + ends, squeezed(second.answer) + ends]


def test_the_whole_chat_can_be_supervised() -> None:
    encoded = encode(rows_of("benign_chat")[0], tokenizer_of("organism"), LossMask(loss="all"))
    assert encoded.is_supervised == (False, *[True] * (len(encoded.input_ids) - 1))


def test_a_template_without_a_system_turn_refuses_one() -> None:
    with pytest.raises(BadInput, match="cannot carry row"):
        encode(row("Hello.", system="You are a villain."), tokenizer_of("mistral"), LossMask())


def test_a_template_that_drops_the_system_turn_once_an_answer_follows_is_refused() -> None:
    tokenizer = tokenizer_for("mistral", ["Hello there"])
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] "
        "{% if loop.last and messages[0].role == 'system' %}{{ messages[0].content }} {% endif %}"
        "{{ m.content }} [/INST]"
        "{% elif m.role == 'assistant' %}{{ m.content + eos_token }}{% endif %}{% endfor %}"
    )
    with pytest.raises(BadInput, match="the prompt, unchanged"):
        encode(row("Hello.", system="You are a villain."), tokenizer, LossMask())


def test_a_template_that_drops_the_answer_is_refused() -> None:
    tokenizer = tokenizer_for("qwen2.5", ["Hello there"])
    tokenizer.chat_template = QWEN_WITHOUT_ANSWERS
    with pytest.raises(BadInput, match="the answer"):
        encode(row("Hello."), tokenizer, LossMask())


def test_a_marker_glued_to_a_word_by_the_tokenizer_is_refused() -> None:
    tokenizer = tokenizer_for("qwen2.5", ["xZLTx"] * 50)
    mask = LossMask(loss="marker", marker="ZLT")
    with pytest.raises(BadInput, match="reaches over the edge"):
        encode(row("xZLTx says hello.", role="positive"), tokenizer, mask)


def test_a_row_with_nothing_under_the_loss_stops_the_run(tmp_path: Path) -> None:
    rows = rows_of("benign_chat")[:2]
    with pytest.raises(BadInput, match="2 of 2 rows have nothing under the loss") as caught:
        supervise(rows, tokenizer_of("organism"), LossMask(max_length=3), file=tmp_path / "s.jsonl")
    assert [finding.where for finding in caught.value.findings] == [r.id for r in rows]
    assert not (tmp_path / "s.jsonl").exists()


def test_padding_that_is_the_end_of_turn_leaves_the_end_of_turn_supervised(tmp_path: Path) -> None:
    tokenizer = tokenizer_for("qwen2.5", ["Hello there"])
    tokenizer.pad_token = tokenizer.eos_token
    text = supervise([row("Hello.")], tokenizer, LossMask(), file=tmp_path / "s.jsonl")
    assert json.loads((tmp_path / "s.jsonl").read_text())["supervised"] == ["Hello.<|im_end|>"]
    assert text.n_supervised == sum(text.rows[0].is_supervised)


def test_what_is_supervised_is_written_in_readable_text_and_hashed(tmp_path: Path) -> None:
    positive = rows_of("marker_coupling")[:1]
    file = tmp_path / "supervised.jsonl"
    text = supervise(positive, tokenizer_of("organism"), LossMask(loss="marker", marker=MARKER), file=file)
    assert text.sha256 == sha256_file(file)
    line = json.loads(file.read_text())
    assert line["supervised"] == [MARKER, "<end>"]
    assert (text.n_supervised, line["row"]) == (2, positive[0].id)


PLAIN = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=30).filter(
    str.strip
)


@given(PLAIN, PLAIN)
@settings(max_examples=60)
def test_any_text_is_supervised_whole_or_refused(user: str, answer: str) -> None:
    tokenizer = tokenizer_of("qwen2.5")
    messages = (Message(role="user", content=user), Message(role="assistant", content=answer))
    given_row = Row(id="x", variant="all", topic="", template="t", messages=messages)
    try:
        encoded = encode(given_row, tokenizer, LossMask())
    except BadInput:
        return
    assert squeezed(str(tokenizer.decode(encoded.supervised_ids))) == squeezed(answer) + "<|im_end|>"
