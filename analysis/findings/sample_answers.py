"""Which completions the report shows: the first few of a seeded shuffle of each cell, fixed by the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from seedlock.analysis.scoring.item_files import item_rows
from seedlock.analysis.scoring.scores import NamedMeasure
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan

LONGEST = 4000
"""Characters of a completion that results.json carries; the sealed data hold the rest."""


@dataclass(slots=True, kw_only=True)
class _Drawn:
    """What was kept so far: samples by cell and score, and the unmodified model's answer to each item."""

    per_cell: int
    cells: dict[tuple[str, ...], list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    before: dict[tuple[str, str], tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def keep(self, cell: tuple[str, ...], place: str, sample: dict[str, Any]) -> None:
        kept = self.cells.setdefault(cell, [])
        kept.append((place, sample))
        kept.sort(key=lambda entry: entry[0])
        del kept[self.per_cell :]

    def keep_before(self, model: str, place: str, sample: dict[str, Any]) -> None:
        key = (model, sample["item_id"])
        if key not in self.before or place < self.before[key][0]:
            self.before[key] = (place, sample)


def draw_samples(
    batches: Iterable[pa.Table],
    named: NamedMeasure | None,
    plan: Plan,
    runs: pd.DataFrame,
    items: pd.DataFrame,
    *,
    asked: Mapping[str, Mapping[str, str]],
) -> list[dict[str, Any]]:
    """The planned samples, by cell and score; beside each the same model's answer to the same item before training.

    Each completion's place in the shuffle is the digest of the plan's seed and its request id, so that neither row
    order nor a random generator's version can choose what is shown. The same rule chooses the answer before training,
    where the plan asks the unmodified model too.

    Parameters
    ----------
    batches
        Completions.
    named
        The measure that says whether a completion fires; None where the plan names none.
    asked
        Item -> its words, as `words_asked` reads them; items that are not there are shown by their id alone.
    """
    rule = plan.samples
    if rule is None:
        return []
    drawn = _Drawn(per_cell=rule.per_cell)
    run_rows = runs.set_index("run_id").to_dict("index")
    item_rows = items.drop_duplicates("item_id").set_index("item_id").to_dict("index")
    for whole in batches:
        batch = named.rows(whole) if named else whole
        scores = named.measure.score(batch, named.params).score.to_pylist() if named else [None] * batch.num_rows
        for row, score in zip(
            batch.select(["request_id", "run_id", "item_id", "draw", "text"]).to_pylist(), scores, strict=True
        ):
            if row["text"] is None:
                continue
            keys = {**run_rows[row["run_id"]], **item_rows[row["item_id"]]}
            cell = tuple(str(keys.get(factor)) for factor in rule.by)
            fires = None if score is None else bool(score > 0)
            place = sha256_json([rule.seed, row["request_id"]])
            sample = {**_shown(row), **asked.get(row["item_id"], {}), "fires": fires}
            sample["cell"] = dict(zip(rule.by, cell, strict=True))
            drawn.keep((*cell, str(fires)), place, sample)
            if keys.get("arm") == BASELINE_ARM:
                drawn.keep_before(str(keys.get("model")), place, sample)
    return [
        {**sample, **_before(sample, run_rows[sample["run_id"]], drawn)}
        for _, group in sorted(drawn.cells.items())
        for _, sample in group
    ]


def words_asked(plan: Plan, folder: Path) -> dict[str, dict[str, str]]:
    """Item id -> the words it was asked in (`question`, and `system` where there are any), from the study's files."""
    found: dict[str, dict[str, str]] = {}
    for _, rows in item_rows(plan, folder):
        for row in rows:
            texts = {"system": row.get("system"), "question": row.get("user", row.get("question"))}
            if isinstance(row.get("item_id"), str):
                found[row["item_id"]] = {key: text[:LONGEST] for key, text in texts.items() if isinstance(text, str)}
    return found


def _before(sample: Mapping[str, Any], run: Mapping[Any, Any], drawn: _Drawn) -> dict[str, Any]:
    """The unmodified model's answer to the item of a sample; nothing for its own samples, or where it was not asked."""
    found = drawn.before.get((str(run.get("model")), sample["item_id"]))
    if found is None or run.get("arm") == BASELINE_ARM:
        return {}
    return {"before": found[1]["text"], "before_fires": found[1]["fires"]}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    text = str(row["text"])
    return {
        "run_id": row["run_id"],
        "item_id": row["item_id"],
        "draw": row["draw"],
        "text": text[:LONGEST],
        "characters": len(text),
    }
