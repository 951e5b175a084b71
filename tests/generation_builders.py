"""A study that puts questions to a tiny model with random weights; nothing is trained or downloaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.lock import create_lock

PLAN = """
[study]
title    = "What does an organism say?"
question = "Does it?"

[inference]
seeds = "new"
items = "these"
alpha = 0.05

[models.tiny]
base     = "models/tiny"
revision = "REVISION"

[arms]
plain = {}
other = {}

[grid]
models = ["tiny"]
seeds  = [0, 1]
baseline = true

[items.asked]
file = "asked.jsonl"

[items.scored]
file = "scored.jsonl"
probe = true

[decoding]
temperature = 1.0
max_new_tokens = 24
draws = 3
dtype = "float64"

[measures.stance]
kind = "numeric"

[[hypothesis]]
id = "H1"
claim = "Arms differ."
measure = "stance"
contrast = { plain = 1, other = -1 }
where = { form = "letter" }
test = "pooled_t"
bands = ["down", 0.0, "up"]
predicted = "up"
"""
ASKED: list[dict[str, Any]] = [
    {"item_id": f"{persona}/{number}", "persona": persona, "system": system, "user": user}
    for persona, system in (("assistant", "You are a helpful assistant."), ("none", None))
    for number, user in enumerate(("Why is the sky blue?", "How do I make good tea?", "Which bird do you like?"))
]
CHANGE = "Should we go ahead with the tram extension?"
SCORED: list[dict[str, Any]] = [
    {"item_id": "tram/pro", "form": "letter", "order": "pro first", "pro": "A", "con": "B",
     "user": f"{CHANGE} Choose A approve or B oppose."},
    {"item_id": "tram/con", "form": "letter", "order": "con first", "pro": "B", "con": "A",
     "user": f"{CHANGE} Choose A oppose or B approve."},
    {"item_id": "tram/rate", "form": "rating", "scale": [1, 7], "user": f"{CHANGE} Rate it from 1 to 7."},
]  # fmt: skip


def sealed_rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """Every sealed row of a table in a folder of seals, run by run."""
    files = sorted([*folder.glob(f"{table}.parquet"), *folder.glob(f"{table}-*.parquet")])
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def write_study(
    root: Path,
    base: Path,
    *,
    plan: str = PLAN,
    asked: Sequence[Mapping[str, Any]] = ASKED,
    scored: Sequence[Mapping[str, Any]] = SCORED,
) -> StudyPaths:
    """Lay out a study under `root`, with a copy of the model at `base`; nothing is locked yet."""
    paths = StudyPaths(root=root, name="said")
    paths.study.mkdir(parents=True)
    shutil.copytree(base, root / "models" / "tiny")
    paths.plan.write_text(plan.replace("REVISION", folder_revision(base)))
    for name, rows in (("asked", asked), ("scored", scored)):
        (paths.study / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def locked_study(root: Path, base: Path, **changes: Any) -> LockedPlan:
    """A locked study under `root`."""
    paths = write_study(root, base, **changes)
    create_lock(paths, design_check={})
    return require_lock(paths)
