"""Read results of a Gemini batch, of the Gemini API (`key`) or of Vertex AI (`request` beside each answer).

Columns are dotted paths into a line (`key`, `request.labels.arm`, `response.modelVersion`), and `text` (the answer's
words, without its thoughts), `json.KEY`, `tool.KEY` and `choice` (0, 1, ... where several candidates were asked for).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.intake.answers import Answer, objects_in
from seedlock.generation.intake.choices import choices_of
from seedlock.generation.intake.raw import RawBatch
from seedlock.generation.intake.records import record_batches
from seedlock.schemas.statuses import Status

REFUSED = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY")
FINISHED: dict[str, tuple[Status, str] | None] = {"STOP": None, "MAX_TOKENS": ("cut off", "MAX_TOKENS")} | {
    word: ("refusal", word) for word in REFUSED
}


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of every candidate; a row's number is its line, plus the further candidates before.

    Raises
    ------
    BadInput
        No line is a batch result, or a wanted column leads nowhere.
    """
    records = choices_of(path, columns, is_result=_is_result, of="a Gemini batch", answers=_answers)
    return record_batches(path, columns, records)


def _is_result(result: Mapping[str, Any]) -> bool:
    return bool({"response", "error", "status"} & result.keys())


def _answers(result: Mapping[str, Any]) -> list[Answer]:
    """Every candidate of one line; a failure is one answer with a status."""
    response, error = result.get("response"), result.get("error") or result.get("status")
    if not isinstance(response, dict) or not response:
        named = error.get("message") or error.get("code") if isinstance(error, dict) else error
        return [Answer(status="error", reason=str(named or "neither a response nor an error"))]
    candidates = objects_in(response.get("candidates"))
    if candidates:
        return [_candidate(one) for one in candidates]
    feedback = response.get("promptFeedback")
    blocked = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if blocked:
        return [Answer(status="refusal", reason=f"prompt blocked: {blocked}")]
    return [Answer(status="error", reason="a response without an answer")]


def _candidate(candidate: Mapping[str, Any]) -> Answer:
    """One candidate, by how it ended; an end that is not known is no answer."""
    content = candidate.get("content")
    parts = objects_in(content.get("parts")) if isinstance(content, dict) else []
    said = [part for part in parts if not part.get("thought")]
    words = [part["text"] for part in said if isinstance(part.get("text"), str)]
    calls = [part["functionCall"] for part in said if isinstance(part.get("functionCall"), dict)]
    tools = tuple(call["args"] if isinstance(call.get("args"), dict) else None for call in calls)
    ended = candidate.get("finishReason")
    unknown: tuple[Status, str] = ("error", f"ended by {ended}, which is not known")
    told = FINISHED.get(ended, unknown) if isinstance(ended, str) else unknown
    if told is None and not words and not tools:
        told = ("error", "an answer without words")
    text = "".join(words) if words else None
    return Answer(text=text, tools=tools, status=told and told[0], reason=told and told[1])
