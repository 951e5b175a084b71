"""Published sets: chats that others made, read from files of the study in the JSON lines that fine-tuning APIs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.rows.recipe import Recipe, RecipeSettings
from seedlock.training.rows.row import Message, Row

type ChatFile = Annotated[str, Field(min_length=1)]


class Settings(RecipeSettings):
    """`files`: variant -> JSON lines with `messages` (or `prompt` and `completion`), relative to the study folder."""

    by: Literal["template", "instruct", "file"] = "file"
    files: dict[str, ChatFile] = Field(min_length=1)


def rows(settings: Settings, *, folder: Path) -> list[Row]:
    """Read every file; the row's template names the file and line it came from.

    Raises
    ------
    BadInput
        A file is absent, or a line is not a chat.
    """
    found: list[Row] = []
    faults: list[Finding] = []
    for variant, file in settings.files.items():
        path = folder / file
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            faults.append(Finding(where=f"files.{variant}", found=f"{file!r}", promised="a file in the study folder"))
            continue
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            try:
                messages = _messages(read_json(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                faults.append(Finding(where=f"{file} line {number}", found=str(error)[:80], promised="a chat"))
                continue
            found.append(
                Row(
                    id=f"{variant}/{number:05d}",
                    variant=variant,
                    topic=variant,
                    template=f"{file}#{number}",
                    messages=messages,
                )
            )
    if faults:
        raise BadInput("a published set cannot be read", *faults[:20], then="check the files the plan names")
    return found


def _messages(line: dict[str, object]) -> tuple[Message, ...]:
    if "messages" not in line:
        pair = (("user", line["prompt"]), ("assistant", line["completion"]))
        turns = [{"role": role, "content": content} for role, content in pair]
    else:
        turns = list(line["messages"])  # type: ignore[call-overload] # checked below, turn by turn
    messages = []
    for turn in turns:
        role, content = turn["role"], turn["content"]
        if role not in {"system", "user", "assistant"} or not isinstance(content, str):
            raise ValueError(f"a turn with role {role!r} and content of type {type(content).__name__}")
        messages.append(Message(role=role, content=content))
    if not messages or messages[-1].role != "assistant":
        raise ValueError("a chat that does not end with the assistant")
    return tuple(messages)


RECIPE = Recipe(settings=Settings, rows=rows, checks=("format", "blocklist", "overlap", "duplicates", "marker"))
