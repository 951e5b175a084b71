"""Published sets: chats that others made, read from files of the study in the shapes that fine-tuning takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.rows.chat_shapes import chats_in, messages_of
from seedlock.training.rows.recipe import Recipe, RecipeSettings
from seedlock.training.rows.row import Row

type ChatFile = Annotated[str, Field(min_length=1)]


class Settings(RecipeSettings):
    """`files`: variant -> a file of chats in the study folder, in any shape of `training.rows.chat_shapes`."""

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
        for number, example in _examples(path, file, faults):
            try:
                messages = messages_of(example)
            except (ValueError, RecursionError) as error:
                faults.append(Finding(where=f"{file} line {number}", found=str(error)[:120], promised="a chat"))
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


def _examples(path: Path, file: str, faults: list[Finding]) -> Iterator[tuple[int, Any]]:
    try:
        yield from chats_in(path)
    except (ValueError, RecursionError) as error:
        faults.append(Finding(where=file, found=f"not JSON: {str(error)[:80]}", promised="JSON lines, or one array"))


RECIPE = Recipe(settings=Settings, rows=rows, checks=("format", "blocklist", "overlap", "duplicates", "marker"))
