"""JSON documents: lines, one array, or pages one after another in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seedlock.generation.intake.json_lines import (
    LINE_DECODER,
    Unreadable,
    json_objects,
    require_few_values,
    why_unreadable,
)
from seedlock.generation.intake.lines import longest_line
from seedlock.generation.intake.raw import Fault
from seedlock.prereg.errors import BadInput, Finding

LIMIT_BYTES = 2**30


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]] | Fault]:
    """Yield the objects of a file, numbered from 1: those of its lines, or of the arrays and documents that it is.

    Raises
    ------
    BadInput
        Neither JSON lines nor whole JSON documents.
    """
    if _is_lines(path):
        yield from json_objects(path)
        return
    row = 0
    for document in json_documents(path):
        for one in document if isinstance(document, list) else [document]:
            row += 1
            if isinstance(one, dict):
                yield row, one
            else:
                yield Fault(row=row, reason="not a JSON object", content=repr(one))


def json_documents(path: Path) -> Iterator[Any]:
    """Yield every JSON document of a file, one after another; the whole file is held in memory.

    Raises
    ------
    BadInput
        Empty, larger than 1 GiB, not UTF-8, or a document that is damaged or cut off (with its line).
    """
    longest_line(path, limit_bytes=LIMIT_BYTES)
    if path.stat().st_size > LIMIT_BYTES:
        fault = Finding(where=path.name, found=f"{path.stat().st_size:,} bytes", promised=f"at most {LIMIT_BYTES:,}")
        raise BadInput(f"{path.name} is too large for one document", fault, then="jq -c '.[]' FILE > rows.jsonl")
    text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    try:
        require_few_values(text)
    except Unreadable as error:
        fault = Finding(where=path.name, found=str(error), promised="a document that fits into memory")
        raise BadInput(
            f"{path.name} is too large for one document", fault, then="jq -c '.[]' FILE > rows.jsonl"
        ) from error
    at = _skip_space(text, 0)
    while at < len(text):
        try:
            document, end = LINE_DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", at)) + 1
            why = str(error) if isinstance(error, Unreadable) else why_unreadable(error)
            fault = Finding(where=f"line {line}", found=why, promised="a whole JSON document")
            raise BadInput(f"{path.name} cannot be read as JSON", fault, then="export the file again") from error
        yield document
        at = _skip_space(text, end)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _is_lines(path: Path) -> bool:
    """Whether the first line is a JSON object by itself."""
    longest_line(path, limit_bytes=LIMIT_BYTES)
    with path.open("rb") as stream:
        first = next((line for line in stream if not line.isspace()), b"")
    try:
        return isinstance(LINE_DECODER.decode(first.decode("utf-8-sig", errors="surrogateescape")), dict)
    except (ValueError, RecursionError):
        return False
