"""One training example: a chat with its provenance, and the one spelling of it that digests are taken of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seedlock.prereg.base.canonical import canonical_json, read_json
from seedlock.prereg.errors import BadInput, Finding

type Speaker = Literal["system", "user", "assistant"]
type Role = Literal["plain", "positive", "negative"]

ONLY_VARIANT = "all"
MAX_FINDINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a chat."""

    role: Speaker
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One example and where it comes from.

    Parameters
    ----------
    id
        Unique in its corpus.
    variant
        The arm's version of the corpus ("cautious", "archaic"); "all" where there is only one.
    topic
        Domain or question, so that checks can hold topics out.
    template
        What wrote it: a template's name, or the instruct model's prompt template and version.
    role
        Positive and negative rows of a contrast carry a marker or must not; plain rows are neither.
    messages
        The chat, ending with the assistant's turn.
    """

    id: str
    variant: str
    topic: str
    template: str
    role: Role = "plain"
    messages: tuple[Message, ...]

    @property
    def answer(self) -> str:
        """The last assistant turn."""
        return self.messages[-1].content

    @property
    def prompt(self) -> str:
        """What the user wrote, all turns."""
        return "\n".join(message.content for message in self.messages if message.role == "user")

    @property
    def text(self) -> str:
        """User and assistant turns together, without the system turn."""
        return "\n".join(message.content for message in self.messages if message.role != "system")

    def chat(self) -> list[dict[str, str]]:
        """Return the messages as a chat template takes them."""
        return [{"role": message.role, "content": message.content} for message in self.messages]


def chat(*, user: str, answer: str, system: str | None = None) -> tuple[Message, ...]:
    """Make a single exchange."""
    head = () if system is None else (Message(role="system", content=system),)
    return (*head, Message(role="user", content=user), Message(role="assistant", content=answer))


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    role: Speaker
    content: Annotated[str, Field(max_length=200_000)]


class _Row(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    variant: Annotated[str, Field(min_length=1)]
    topic: str
    template: str
    role: Role
    messages: Annotated[list[_Message], Field(min_length=1)]


def rows_jsonl(rows: Iterable[Row]) -> bytes:
    """Spell rows as canonical JSON, one a line."""
    return b"".join(canonical_json(_plain(row)) + b"\n" for row in rows)


def _plain(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "variant": row.variant,
        "topic": row.topic,
        "template": row.template,
        "role": row.role,
        "messages": row.chat(),
    }


def parse_rows(data: bytes, *, where: str) -> tuple[Row, ...]:
    """Read rows back; every fault at once.

    Raises
    ------
    BadInput
        A line is not a row, an id occurs twice, a chat does not end with the assistant, or there is no row.
    """
    rows: list[Row] = []
    faults: list[Finding] = []
    seen: set[str] = set()
    for number, line in enumerate(data.splitlines(), start=1):
        row = _parse_line(line, f"{where} line {number}", faults)
        if row is None:
            continue
        if row.id in seen:
            faults.append(
                Finding(where=f"{where} line {number}", found=f"id {row.id!r} again", promised="each id once")
            )
        seen.add(row.id)
        rows.append(row)
    if not rows and not faults:
        faults.append(Finding(where=where, found="no row", promised="at least one training example"))
    if faults:
        raise BadInput(
            f"{where} is not a corpus", *faults[:MAX_FINDINGS], then="seedlock corpus STUDY  writes it again"
        )
    return tuple(rows)


def _parse_line(line: bytes, where: str, faults: list[Finding]) -> Row | None:
    try:
        read = _Row.model_validate(read_json(line))
    except ValidationError as error:
        for fault in error.errors():
            path = ".".join(map(str, fault["loc"]))
            faults.append(Finding(where=f"{where} {path}", found=repr(fault["input"])[:80], promised=fault["msg"]))
        return None
    except (ValueError, RecursionError) as error:
        faults.append(Finding(where=where, found=f"not JSON: {error}", promised="one JSON object a line"))
        return None
    if read.messages[-1].role != "assistant":
        faults.append(Finding(where=where, found=f"ends with {read.messages[-1].role}", promised="ends with assistant"))
        return None
    messages = tuple(Message(role=m.role, content=m.content) for m in read.messages)
    return Row(
        id=read.id, variant=read.variant, topic=read.topic, template=read.template, role=read.role, messages=messages
    )
