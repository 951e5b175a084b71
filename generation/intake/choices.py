"""Batch results of one request a line, each with one or several answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.intake.answers import Answer, answer_fields, readable
from seedlock.generation.intake.json_lines import json_objects
from seedlock.generation.intake.raw import Fault
from seedlock.generation.intake.records import Record

type Line = Mapping[str, Any]


def choices_of(
    path: Path,
    columns: Sequence[str],
    *,
    of: str,
    is_result: Callable[[Line], bool],
    answers: Callable[[Line], list[Answer]],
) -> Iterator[Record | Fault]:
    """One record an answer; its number is its line, plus the further answers of the lines before.

    Parameters
    ----------
    of
        What a line should be a result of, for the reason of one that is not.
    """
    further = 0
    for line in json_objects(path):
        if isinstance(line, Fault):
            yield Fault(row=line.row + further, reason=line.reason, content=line.content)
            continue
        number, result = line
        if not is_result(result):
            yield Fault(row=number + further, reason=f"not a result of {of}", content=readable(result))
            continue
        found = answers(result)
        for choice, answer in enumerate(found):
            fields, status, reason = answer_fields(answer, columns)
            row = {"choice": choice, **result, **fields}
            yield Record(row=number + further + choice, fields=row, status=status, reason=reason)
        further += len(found) - 1
