"""Shapes in which others keep chats: `messages`, `prompt` and `completion`, ShareGPT, Alpaca; lines or an array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import read_json
from seedlock.training.rows.row import Message, Speaker, chat

SPEAKERS: Mapping[str, Speaker] = {
    "system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant",
    "chatgpt": "assistant", "model": "assistant", "bot": "assistant",
}  # fmt: skip
"""How a turn's speaker is spelled, in `role` or in ShareGPT's `from`."""
SHAPES = "messages; prompt and completion; conversations (ShareGPT); instruction, input and output (Alpaca)"


def chats_in(file: Path) -> Iterator[tuple[int, Any]]:
    """Number and content of every example of a file: its lines, or the elements of the array that it is.

    Raises
    ------
    ValueError
        The file is an array that is no JSON.
    """
    data = file.read_bytes()
    if data.lstrip()[:1] == b"[":
        yield from enumerate(read_json(data), start=1)
        return
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            yield number, line


def messages_of(example: Any) -> tuple[Message, ...]:
    """Read one example, whatever its shape.

    Raises
    ------
    ValueError
        None of the shapes, a speaker or content that is none, or a chat that does not end with the assistant.
    """
    held = read_json(example) if isinstance(example, bytes) else example
    if not isinstance(held, dict):
        raise ValueError("not a JSON object")
    messages = tuple(_message(turn) for turn in _turns(held))
    if not messages or messages[-1].role != "assistant":
        raise ValueError("a chat that does not end with the assistant")
    return messages


def _turns(held: Mapping[str, Any]) -> Sequence[Any]:
    for key in ("messages", "conversations", "conversation"):
        if key in held:
            turns = held[key]
            if not isinstance(turns, list):
                raise ValueError(f"{key} that are no list")
            own = held.get("system")
            return [{"role": "system", "content": own}, *turns] if isinstance(own, str) and own else turns
    if "prompt" in held and "completion" in held:
        return [*_side(held["prompt"], "user"), *_side(held["completion"], "assistant")]
    if "instruction" in held and "output" in held:
        asked = "\n\n".join(str(part) for part in (held["instruction"], held.get("input")) if part)
        system = held.get("system") or None
        return [
            {"role": turn.role, "content": turn.content}
            for turn in chat(user=asked, answer=held["output"], system=system)
        ]
    raise ValueError(f"none of: {SHAPES}")


def _side(said: Any, role: str) -> list[Any]:
    """A prompt or completion: a text, or turns of its own as TRL has them."""
    return list(said) if isinstance(said, list) else [{"role": role, "content": said}]


def _message(turn: Any) -> Message:
    if not isinstance(turn, dict):
        raise ValueError("a turn that is no JSON object")
    spoken, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
    role = SPEAKERS.get(spoken) if isinstance(spoken, str) else None
    if role is None or not isinstance(content, str):
        raise ValueError(f"a turn with role {spoken!r} and content of type {type(content).__name__}")
    return Message(role=role, content=content)
