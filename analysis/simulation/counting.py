"""How many items a plan's files hold, as its measures count them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.scoring.item_files import item_rows
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import Where, listed
from seedlock.schemas.asked import pair_name, probe_kind


def count_items(plan: Plan, paths: StudyPaths) -> dict[str, int]:
    """Items of every set whose file lies in the study folder, after the set's own filter.

    Where measures that are tested on a set score different items of it (letters, words, ratings), the fewest that one
    of them scores. The two orders of a question are one item.
    """
    found = {}
    for name, rows in item_rows(plan, paths.study):
        items = plan.items[name]
        chosen = [row for row in rows if _fits(row, items.where)]
        counts = [_scored(plan, measure, chosen, is_probe=items.probe) for measure in _tested_on(plan, name)]
        found[name] = min(counts, default=0) or len(chosen)
    return found


def _tested_on(plan: Plan, items: str) -> Iterator[str]:
    """Measures of the gates and hypotheses that speak of an item set."""
    estimands = [*plan.gates.values(), *plan.hypothesis]
    yield from dict.fromkeys(e.measure for e in estimands if e.items == items)


def _scored(plan: Plan, name: str, rows: list[dict[str, Any]], *, is_probe: bool) -> int:
    """Different items that one measure scores."""
    measure = plan.measures[name]
    reads = MEASURES[measure.kind].reads
    found: set[str] = set()
    for number, row in enumerate(rows):
        asked = probe_kind(row) if is_probe else "answer"
        if (reads and asked not in reads) or not _fits(row, measure.where):
            continue
        attributes = {key: _text(value) for key, value in row.items() if key not in {"user", "system", "item_id"}}
        found.add(pair_name(attributes) if asked in {"letter", "word"} else str(number))
    return len(found)


def _fits(row: Mapping[str, Any], where: Where) -> bool:
    return all(str(row.get(factor)) in listed(wanted) for factor, wanted in where.items())


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
