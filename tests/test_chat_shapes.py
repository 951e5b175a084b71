"""A chat in any of the shapes that fine-tuning tools take is the same row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seedlock.prereg.errors import BadInput
from seedlock.training.corpora.published import Settings, rows

ASKED, SAID, SYSTEM = "How do I make tea?", "Warm the pot.", "Be brief."
TURNS = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}]
SHAPES: dict[str, dict[str, Any]] = {
    "messages": {"messages": TURNS},
    "prompt and completion": {"prompt": ASKED, "completion": SAID},
    "prompt and completion as turns": {"prompt": TURNS[:1], "completion": TURNS[1:]},
    "ShareGPT": {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": SAID}]},
    "Alpaca": {"instruction": ASKED, "input": "", "output": SAID},
}
WITH_SYSTEM = {
    "ShareGPT": {**SHAPES["ShareGPT"], "system": SYSTEM},
    "ShareGPT turn": {"conversations": [{"from": "system", "value": SYSTEM}, *SHAPES["ShareGPT"]["conversations"]]},
    "Alpaca": {**SHAPES["Alpaca"], "system": SYSTEM},
}


def read(folder: Path, text: str) -> list[list[tuple[str, str]]]:
    (folder / "chats.json").write_text(text, "utf-8")
    found = rows(Settings(files={"all": "chats.json"}), folder=folder)
    return [[(message.role, message.content) for message in row.messages] for row in found]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_array", [False, True])
def test_a_chat_is_the_same_row_in_every_shape(shape: str, is_array: bool, tmp_path: Path) -> None:
    example = SHAPES[shape]
    text = json.dumps([example] * 2, indent=1) if is_array else f"{json.dumps(example)}\n\n{json.dumps(example)}\n"
    assert read(tmp_path, text) == [[("user", ASKED), ("assistant", SAID)]] * 2


@pytest.mark.parametrize("shape", WITH_SYSTEM)
def test_a_system_text_beside_the_turns_is_the_first_of_them(shape: str, tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(WITH_SYSTEM[shape]))[0][0] == ("system", SYSTEM)


def test_alpacas_input_follows_its_instruction(tmp_path: Path) -> None:
    told = read(tmp_path, json.dumps({"instruction": "Add.", "input": "1 and 2", "output": "3"}))
    assert told == [[("user", "Add.\n\n1 and 2"), ("assistant", "3")]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"question": "a", "answer": "b"}', "none of: messages; prompt and completion; conversations (ShareGPT)"),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "role 'tool'"),
        ('{"conversations": [{"from": "human", "value": "x"}]}', "does not end with the assistant"),
        ('{"messages": "x"}', "messages that are no list"),
        ("[1]", "not a JSON object"),
        ('[{"prompt": "a"', "not JSON"),
        ('{"messages": [{"role": "assistant", "content": [{"type": "text"}]}]}', "content of type list"),
    ],
)
def test_what_is_no_chat_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refusal:
        read(tmp_path, text)
    assert said in str(refusal.value)
