"""Items as the files of a study folder spell them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seedlock.prereg.base.reading import is_regular, read_regular
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.plan import Plan


def item_rows(plan: Plan, folder: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Name and rows of every item set whose JSON lines lie in the study folder.

    Raises
    ------
    BadInput
        A line is not a JSON object.
    """
    for name, items in plan.items.items():
        file = folder / items.file if items.file else None
        if file is not None and file.suffix == ".jsonl" and is_regular(file):
            yield name, list(_rows(file))


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(read_regular(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            row = str(error)
        if not isinstance(row, dict):
            found = Finding(where=f"{file.name} line {number}", found=str(row)[:80], promised="a JSON object")
            raise BadInput("an item file is not JSON lines", found, then=f"mend line {number} of {file.name}")
        yield row
