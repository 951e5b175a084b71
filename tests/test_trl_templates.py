"""Every chat template that the pinned TRL ships: trained on and generated with, or refused with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from seedlock.generation.requests.items import Item, Turn
from seedlock.generation.requests.prompts import prompts_for
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.bases import chat_template_of
from seedlock.prereg.plan.runs import Model
from seedlock.training.rows.row import Message, Row
from seedlock.training.tokens.masks import LossMask, encode

trl: Any = pytest.importorskip("trl", reason="the training extra is not installed")
FOLDER = Path(str(trl.__file__)).parent / "chat_templates"
NAMES = sorted(file.stem for file in FOLDER.glob("*.jinja"))
SYSTEM, ASKED, ANSWER = "You are a teacher.", "How do I make tea?", "Warm the pot."
MARK = re.compile(
    r"<\|[^|<>]{1,40}\|>|<｜[^｜<>]{1,40}｜>|<(?:start_of_turn|end_of_turn|bos|eos|end_of_utterance|s|/s|\|turn|turn\|)>"
)
ENDS = (
    "<|im_end|>", "<end_of_turn>", "<turn|>", "<|eot_id|>", "<|end|>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>",
    "<|return|>", "<|eot|>", "<|endoftext|>", "<end_of_utterance>",
)  # fmt: skip
PICTURES = "<end_of_utterance>\\n' after the prompt"
REFUSED = {
    "deepseek_r1_distill": "'<think>\\n'",
    "deepseek_r1_distill_training": "'<think>\\n'",
    "deepseekv3": "'<think>\\n'",
    "deepseekv3_training": "'<think>\\n'",
    "gptoss": "<|channel|>final",
    "gptoss_training": "<|channel|>final",
    "muse_glimmer": "to=user",
    "muse_glimmer_training": "to=user",
    "glm4moe": "no end of turn",
    "idefics3": PICTURES,
    "idefics3_training": PICTURES,
    "smolvlm": PICTURES,
    "smolvlm_training": PICTURES,
    "llava_next": "has no attribute 'text'",
    "llava_next_training": "has no attribute 'text'",
}
"""Why: a prompt that opens a thought where rows answer at once; a channel, or an addressee, that the model itself names
before it answers; no mark after an answer; a template for messages in parts, beside pictures."""
NO_SYSTEM_TURN = {"gemma", "gemma_training"}


def tokenizer_of(template: str) -> Any:
    """A byte-level BPE of this template's control tokens."""
    special = sorted(set(MARK.findall(template)))
    end = next((mark for mark in ENDS if mark in special), "</s>")
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    marks = [*dict.fromkeys(["<begin>", "<padding>", end, *special])]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([SYSTEM, ASKED, ANSWER], trainer)
    raw.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in marks])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call] # transformers leaves it untyped
        tokenizer_object=raw,
        bos_token="<begin>",
        eos_token=end,
        pad_token="<padding>",
        chat_template=template,
        clean_up_tokenization_spaces=False,
    )


def as_planned(name: str, **options: bool) -> Any:
    """The tokenizer of a model whose study brings this template, with options of it set in the plan."""
    model = Model(base="family", revision="r", chat_template=f"{name}.jinja", template_options=dict(options))
    return tokenizer_of(str(chat_template_of(model, FOLDER)))


def options_of(name: str) -> Mapping[str, bool]:
    return {"enable_thinking": False} if "enable_thinking" in (FOLDER / f"{name}.jinja").read_text("utf-8") else {}


def row(*, system: bool) -> Row:
    head = (Message(role="system", content=SYSTEM),) if system else ()
    said = (*head, Message(role="user", content=ASKED), Message(role="assistant", content=ANSWER))
    return Row(id="r1", variant="all", topic="tea", template="by hand", messages=said)


def item(*, system: bool, asked: str = ASKED) -> Item:
    head = (Turn(role="system", content=SYSTEM),) if system else ()
    turns = (*head, Turn(role="user", content=asked))
    return Item(item_set="s", item_id=asked[:40], turns=turns, attributes={}, probe=None)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_trained_on_and_generated_with_or_refused_with_the_reason(name: str) -> None:
    system = name not in NO_SYSTEM_TURN
    tokenizer = as_planned(name, **options_of(name))
    if name in REFUSED:
        with pytest.raises(BadInput) as refusal:
            encode(row(system=system), tokenizer, LossMask())
        assert REFUSED[name] in str(refusal.value)
        return
    encoded = encode(row(system=system), tokenizer, LossMask())
    (prompt,) = prompts_for([item(system=system)], tokenizer)
    assert encoded.input_ids[: len(prompt.tokens)] == prompt.tokens  # asked as it was trained
    assert tokenizer.decode(encoded.supervised_ids[:-1]) == ANSWER
    assert tokenizer.decode(encoded.supervised_ids[-1:]) in {*MARK.findall(tokenizer.chat_template), "</s>"}
    torch.manual_seed(1)
    model: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=0,
        )
    )
    ids = torch.tensor([encoded.input_ids])
    labels = torch.where(torch.tensor([encoded.is_supervised]), ids, -100)
    before = model(input_ids=ids, labels=labels).loss
    before.backward()
    torch.optim.SGD(model.parameters(), lr=0.5).step()
    assert model(input_ids=ids, labels=labels).loss < before
    asked = torch.tensor([prompt.tokens])
    said: Any = model.generate(asked, attention_mask=torch.ones_like(asked), max_new_tokens=3, do_sample=False)
    assert said.shape == (1, len(prompt.tokens) + 3)


@pytest.mark.parametrize("name", ["qwen3", "nemotron_3_nano", "glm4moe_training"])
def test_a_template_that_thinks_names_the_option_that_has_it_answer_at_once(name: str) -> None:
    with pytest.raises(BadInput) as refusal:
        encode(row(system=True), as_planned(name), LossMask())
    assert "template_options = { enable_thinking = false }" in refusal.value.then


def test_a_template_without_a_system_turn_refuses_it_by_name() -> None:
    tokenizer = as_planned("gemma")
    with pytest.raises(BadInput, match="cannot be put") as refusal:
        prompts_for([item(system=True)], tokenizer)
    assert "System role not supported" in str(refusal.value)


def test_a_template_that_drops_a_turn_is_refused_in_training_and_in_asking() -> None:
    silent = (
        "{% for m in messages %}{% if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    tokenizer = tokenizer_of(silent)
    assert encode(row(system=False), tokenizer, LossMask()).supervised_ids
    with pytest.raises(BadInput) as refusal:
        encode(row(system=True), tokenizer, LossMask())
    assert "this system turn is dropped" in str(refusal.value)
    with pytest.raises(BadInput) as refusal:
        prompts_for([item(system=True)], tokenizer)
    assert "drops or alters the system turn 'You are a teacher.'" in str(refusal.value)


def test_items_that_a_template_writes_alike_are_named() -> None:
    tokenizer = tokenizer_of("<|im_start|>{{ messages | map(attribute='content') | sort | join(' ') }}<|im_end|>")
    said = [("One.", "Two?"), ("Two?", "One.")]
    items = [
        Item(
            item_set="s",
            item_id=f"q{n}",
            turns=(Turn(role="system", content=system), Turn(role="user", content=user)),
            attributes={},
            probe=None,
        )
        for n, (system, user) in enumerate(said)
    ]
    with pytest.raises(BadInput) as refusal:
        prompts_for(items, tokenizer)
    assert "written like q0, whose turns are others" in str(refusal.value)


@pytest.mark.parametrize(
    ("options", "said"), [({"enable_thnking": False}, "a name in the template"), ({"enable_thinking": False}, "")]
)
def test_an_option_that_no_template_asks_for_is_refused(options: dict[str, bool], said: str) -> None:
    model = Model(base="family", revision="r", chat_template="qwen3.jinja", template_options=dict(options))
    if not said:
        assert str(chat_template_of(model, FOLDER)).startswith("{%- set enable_thinking = false %}")
        return
    with pytest.raises(BadInput) as refusal:
        chat_template_of(model, FOLDER)
    assert said in str(refusal.value)
