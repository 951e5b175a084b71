"""Read plain chat completions as an OpenAI-compatible API returns them: lines, an array, or the pages of a list.

Each object is a chat completion, a completion or a response, with whatever stands beside it (`metadata.KEY`). Columns
are those of a batch (`openai_batch`) without the batch's envelope: `id`, `model`, `text`, `choice`, `json.KEY`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.importers.openai_batch import answers_of
from seedlock.generation.intake.answers import answer_fields, readable
from seedlock.generation.intake.json_documents import json_rows
from seedlock.generation.intake.raw import Fault, RawBatch
from seedlock.generation.intake.records import Record, record_batches
from seedlock.prereg.errors import BadInput, Finding

ANSWERS = {"choices", "output", "error"}


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of every answer, numbered through all completions and their choices.

    Raises
    ------
    BadInput
        A list whose last page says that there are more; no completion at all; a wanted column that leads nowhere.
    """
    return record_batches(path, columns, _records(path, columns))


def _records(path: Path, columns: Sequence[str]) -> Iterator[Record | Fault]:
    row = 0
    for found in _completions(path):
        if isinstance(found, Fault):
            row += 1
            yield Fault(row=row, reason=found.reason, content=found.content)
            continue
        if not ANSWERS & found.keys():
            row += 1
            yield Fault(row=row, reason="neither choices nor output nor an error", content=readable(found))
            continue
        for choice, answer in enumerate(answers_of(found)):
            row += 1
            fields, status, reason = answer_fields(answer, columns)
            yield Record(row=row, fields={"choice": choice, **found, **fields}, status=status, reason=reason)


def _completions(path: Path) -> Iterator[Mapping[str, Any] | Fault]:
    """Every completion, those in pages of a list too."""
    page: Mapping[str, Any] = {}
    for line in json_rows(path):
        if isinstance(line, Fault):
            yield line
            continue
        found = line[1]
        if found.get("object") != "list" or not isinstance(found.get("data"), list):
            yield found
            continue
        page = found
        for one in found["data"]:
            whole = isinstance(one, dict)
            yield one if whole else Fault(row=0, reason="not a JSON object", content=readable(one))
    if page.get("has_more"):
        fault = Finding(
            where=f"after {page.get('last_id')}", found="has_more = true on the last page", promised="every page"
        )
        raise BadInput(f"{path.name} is not the whole list", fault, then="put all pages into one file:  cat page*.json")
