"""Read OpenAI batch files, output and errors alike: one request a line, in any order, told apart by `custom_id`.

Columns are dotted paths into a line (`custom_id`, `response.body.model`, `response.body.choices.0.logprobs...`), and
`text` (the answer's words), `json.KEY` (a structured answer), `tool.KEY` (arguments of its one tool call) and `choice`
(0, 1, ... where a request asked for several answers).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.intake.answers import Answer, json_object, objects_in
from seedlock.generation.intake.choices import choices_of
from seedlock.generation.intake.raw import RawBatch
from seedlock.generation.intake.records import record_batches
from seedlock.schemas.statuses import Status

FINISHED: dict[str, tuple[Status, str] | None] = {
    "stop": None,
    "tool_calls": None,
    "function_call": None,
    "length": ("cut off", "length"),
    "max_output_tokens": ("cut off", "max_output_tokens"),
    "content_filter": ("refusal", "content_filter"),
}


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of a batch file; chat completions, completions and responses.

    A row's number is its line, plus the further choices of the lines before it.

    Raises
    ------
    BadInput
        No line is a batch result, or a wanted column leads nowhere.
    """
    records = choices_of(path, columns, is_result=_is_result, of="an OpenAI batch", answers=_answers)
    return record_batches(path, columns, records)


def _is_result(result: Mapping[str, Any]) -> bool:
    return isinstance(result.get("custom_id"), str) and bool({"response", "error"} & result.keys())


def _answers(result: Mapping[str, Any]) -> list[Answer]:
    """Every answer of one line; a failure is one answer with a status."""
    response, error = result.get("response"), result.get("error")
    if isinstance(error, dict):
        return [_failure(error)]
    if not isinstance(response, dict):
        return [Answer(status="error", reason="neither a response nor an error")]
    body = response.get("body")
    body = body if isinstance(body, dict) else {}
    if response.get("status_code") != 200:
        held = body.get("error")
        return [_failure(held if isinstance(held, dict) else {}, code=f"HTTP {response.get('status_code')}")]
    return answers_of(body)


def answers_of(body: Mapping[str, Any]) -> list[Answer]:
    """Every answer of a chat completion, a completion or a response."""
    if isinstance(error := body.get("error"), dict):
        return [_failure(error)]
    choices = body.get("choices")
    if isinstance(choices, list) and choices:
        return [_choice(choice if isinstance(choice, dict) else {}) for choice in choices]
    if isinstance(body.get("output"), list):
        return [_response(body)]
    return [Answer(status="error", reason="a response without an answer")]


def _failure(error: Mapping[str, Any], code: str = "") -> Answer:
    """A request that was not answered."""
    named = str(error.get("code") or error.get("type") or code or "error")
    status: Status = "expired" if named == "batch_expired" else "error"
    return Answer(status=status, reason=f"{code}: {named}" if code and code != named else named)


def _choice(choice: Mapping[str, Any]) -> Answer:
    """One choice of a chat completion or of a plain completion."""
    message = choice.get("message")
    message = message if isinstance(message, dict) else {"content": choice.get("text")}
    text = message.get("content") if isinstance(message.get("content"), str) else None
    calls = message.get("tool_calls")
    tools = tuple(json_object(_arguments(call)) for call in calls) if isinstance(calls, list) else ()
    if message.get("refusal"):
        return Answer(text=str(message["refusal"]), status="refusal", reason="the model refused")
    return _ended(text, tools, choice.get("finish_reason"))


def _arguments(call: object) -> str | None:
    """The arguments of a tool call, as JSON text."""
    function = call.get("function") if isinstance(call, dict) else None
    arguments = function.get("arguments") if isinstance(function, dict) else None
    return arguments if isinstance(arguments, str) else None


def _response(body: Mapping[str, Any]) -> Answer:
    """The answer of a `/v1/responses` body: its words are spread over output messages."""
    parts = objects_in(body["output"])
    contents = [c for part in parts if part.get("type") == "message" for c in objects_in(part.get("content"))]
    words = [str(content.get("text", "")) for content in contents if content.get("type") == "output_text"]
    calls = [part.get("arguments") for part in parts if part.get("type") == "function_call"]
    tools = tuple(json_object(call if isinstance(call, str) else None) for call in calls)
    refusals = [str(content.get("refusal", "")) for content in contents if content.get("type") == "refusal"]
    if refusals:
        return Answer(text="".join(refusals), status="refusal", reason="the model refused")
    details = body.get("incomplete_details")
    cut = details.get("reason") if isinstance(details, dict) else None
    ended = "stop" if body.get("status") == "completed" else cut or body.get("status")
    return _ended("".join(words) if words else None, tools, ended)


def _ended(text: str | None, tools: tuple[Mapping[str, Any] | None, ...], ended: object) -> Answer:
    """An answer by how it ended; an end that is not known is no answer."""
    unknown: tuple[Status, str] = ("error", f"ended by {ended}, which is not known")
    told = FINISHED.get(ended, unknown) if isinstance(ended, str) else unknown
    if told is None and text is None and not tools:
        return Answer(status="error", reason="an answer without words")
    return Answer(text=text, tools=tools, status=told and told[0], reason=told and told[1])
