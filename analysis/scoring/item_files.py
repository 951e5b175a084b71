"""Items as the files of a study folder spell them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seedlock.prereg.plan.plan import Plan


def item_rows(plan: Plan, folder: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Name and rows of every item set whose JSON lines lie in the study folder."""
    for name, items in plan.items.items():
        file = folder / items.file if items.file else None
        if file is not None and file.suffix == ".jsonl" and file.is_file():
            yield name, [json.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
