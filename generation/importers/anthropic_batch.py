"""Read results of an Anthropic message batch: one request a line, in any order, told apart by `custom_id`.

Columns are dotted paths into a line (`custom_id`, `result.type`, `result.message.model`), and `text` (the answer's
words), `json.KEY` (a structured answer) and `tool.KEY` (input of its one tool use).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.intake.answers import Answer, answer_fields, objects_in, readable
from seedlock.generation.intake.json_lines import json_objects
from seedlock.generation.intake.raw import Fault, RawBatch
from seedlock.generation.intake.records import Record, record_batches
from seedlock.schemas.statuses import Status

STOPPED: dict[str, tuple[Status, str] | None] = {
    "end_turn": None,
    "stop_sequence": None,
    "tool_use": None,
    "max_tokens": ("cut off", "max_tokens"),
    "model_context_window_exceeded": ("cut off", "model_context_window_exceeded"),
    "pause_turn": ("cut off", "pause_turn"),
    "refusal": ("refusal", "the model refused"),
}


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of a results file; a row's number is its line.

    Raises
    ------
    BadInput
        No line is a batch result, or a wanted column leads nowhere.
    """
    return record_batches(path, columns, _records(path, columns))


def _records(path: Path, columns: Sequence[str]) -> Iterator[Record | Fault]:
    for line in json_objects(path):
        if isinstance(line, Fault):
            yield line
            continue
        number, found = line
        result = found.get("result")
        if not isinstance(found.get("custom_id"), str) or not isinstance(result, dict):
            yield Fault(row=number, reason="not a result of an Anthropic batch", content=readable(found))
            continue
        fields, status, reason = answer_fields(_answer(result), columns)
        yield Record(row=number, fields={**found, **fields}, status=status, reason=reason)


def _answer(result: Mapping[str, Any]) -> Answer:
    """What became of one request."""
    match result.get("type"):
        case "succeeded" if isinstance(result.get("message"), dict):
            return _message(result["message"])
        case "errored":
            return Answer(status="error", reason=_error_type(result.get("error")))
        case "canceled":
            return Answer(status="canceled", reason="canceled")
        case "expired":
            return Answer(status="expired", reason="expired")
        case unknown:
            return Answer(status="error", reason=f"a result of type {unknown}, which is not known")


def _error_type(error: object) -> str:
    """The innermost type of an error, which the API wraps in an error."""
    named = "error"
    while isinstance(error, dict):
        named, error = str(error.get("type", named)), error.get("error")
    return named


def _message(message: Mapping[str, Any]) -> Answer:
    """A message by its blocks and by why it stopped; a stop that is not known is no answer."""
    blocks = objects_in(message.get("content"))
    words = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    inputs = [block.get("input") for block in blocks if block.get("type") == "tool_use"]
    tools = tuple(held if isinstance(held, dict) else None for held in inputs)
    stop = message.get("stop_reason")
    unknown: tuple[Status, str] = ("error", f"stopped by {stop}, which is not known")
    told = STOPPED.get(stop, unknown) if isinstance(stop, str) else unknown
    text = "".join(words) if words else None
    if told is None and text is None and not tools:
        return Answer(status="error", reason="an answer without words")
    return Answer(text=text, tools=tools, status=told and told[0], reason=told and told[1])
