"""One answer of a chat API: its text, what a tool or a JSON answer holds, and whether it is an answer at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seedlock.generation.intake.json_lines import DECODER
from seedlock.schemas.statuses import Status

type Part = Literal["json", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an API returned for one request.

    Parameters
    ----------
    text
        The words, or None.
    tools
        Arguments of every tool call, in order; None for arguments that are no JSON object.
    status, reason
        Why it is no answer (refusal, cut off, error, expired, unparsed); None otherwise.
    """

    text: str | None = None
    tools: tuple[Mapping[str, Any] | None, ...] = ()
    status: Status | None = None
    reason: str | None = None


def answer_fields(answer: Answer, columns: Sequence[str]) -> tuple[dict[str, Any], Status | None, str | None]:
    """Return the fields `text`, `json` and `tool` of an answer, and its status.

    `json.KEY` and `tool.KEY` are read only where a column asks for them; an answer that has no such object, or
    not the key, is unparsed.
    """
    parts: dict[str, Any] = {"json": None, "tool": None}
    status, reason = answer.status, answer.reason
    for part, held, fault in (
        ("json", json_object(answer.text), "the answer is no JSON object"),
        ("tool", answer.tools[0] if len(answer.tools) == 1 else None, _tool_fault(answer)),
    ):
        asked = [name.partition(".")[2] for name in columns if name.startswith(f"{part}.")]
        if not asked:
            continue
        if status is None and held is None:
            status, reason = "unparsed", fault
        elif status is None and held is not None and (absent := [key for key in asked if key not in held]):
            status, reason = "unparsed", f"the answer has no {', '.join(absent)}"
        parts[part] = None if status else held
    return {"text": answer.text, **parts}, status, reason


def _tool_fault(answer: Answer) -> str:
    """Why there is not one tool call to read."""
    if len(answer.tools) == 1:
        return "the tool's arguments are no JSON object"
    return f"{len(answer.tools)} tool calls where one is needed" if answer.tools else "no tool call"


def json_object(text: str | None) -> Mapping[str, Any] | None:
    """Parse text that should be one JSON object; None where it is not."""
    if text is None or not text.lstrip().startswith("{"):
        return None
    try:
        found = DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def readable(value: object) -> str:
    """Content for the quarantine, whatever it holds."""
    try:
        return json.dumps(value, ensure_ascii=True, default=str)
    except RecursionError:
        return "nested too deeply to be written"


def objects_in(value: object) -> list[dict[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
