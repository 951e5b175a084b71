"""Rows that hold no answer are missing answers with their reason; a file that hides rows is refused."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import StudyFixture, completions

SCORED = """
[study]
title    = "Do the arms differ?"
question = "How do the arms score?"

[inference]
seeds = "new"
items = "these"
alpha = 0.025

[models.tiny]
base     = "none"
revision = "none"

[arms]
plain = {}
tuned = {}

[grid]
models = ["tiny"]
seeds  = [0, 1, 2, 3]

[import]
format    = "csv"
columns   = { arm = "arm", seed = "seed", item = "q", value = "score" }
constants = { model = "tiny", draw = "0" }

[measures.points]
kind = "numeric"
low  = 0
high = 10
unit = "points"

[[hypothesis]]
id        = "H1"
claim     = "Tuned scores higher."
measure   = "points"
contrast  = { tuned = 1.0, plain = -1.0 }
test      = "pooled_t"
bands     = ["lower", -1.0, "alike", 1.0, "higher"]
predicted = "higher"

[report]
cells = [["arm"]]
"""


def results_of(study: StudyFixture) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study.paths.report / "results.json").read_bytes())
    return found


def scores(word: str | None = None) -> str:
    """CSV: 4 seeds x 10 items; tuned 6 + seed/10, plain 2 + seed/10; every second score of tuned is the word."""
    lines = ["arm,seed,q,score"]
    for arm, base in (("plain", 2.0), ("tuned", 6.0)):
        for seed in range(4):
            for item in range(10):
                said = word if word is not None and arm == "tuned" and item % 2 else str(base + seed / 10)
                lines.append(f"{arm},{seed},q{item},{said}")
    return "\n".join(lines) + "\n"


def test_a_quote_left_open_seals_nothing(study: StudyFixture) -> None:
    study.run("lock")
    lines = completions().splitlines()
    lines[18] = lines[18].replace(",answer", ',"answer')
    refusal = study.run("import", str(study.bring_data("\n".join(lines) + "\n")), ok=2)
    assert "row 18" in refusal
    assert not list((study.paths.runs / "sealed").glob("*"))


def test_most_rows_in_contradiction_seal_nothing_and_the_column_that_parts_them_is_named(study: StudyFixture) -> None:
    plan = SCORED.replace('format    = "csv"', 'format    = "parquet"')
    study.write_plan(plan)
    study.run("lock")
    rows = [
        {"arm": arm, "seed": seed, "q": f"q{q}", "judge": judge, "note": f"{judge}-{q % 2}", "score": float(score)}
        for arm in ("plain", "tuned")
        for seed in range(4)
        for q in range(5)
        for score, judge in enumerate(("ada", "bob", "cyd"))
    ]
    file = study.paths.root / "long.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file)
    refusal = study.run("import", str(file), ok=2)
    assert "120 of 120 rows" in refusal
    assert 'only = { "judge" = ["ada"] }' in refusal
    rows[:60] = [row for row in rows[:60] if row["judge"] == "ada"]
    pq.write_table(pa.Table.from_pylist(rows), file)
    refusal = study.run("import", str(file), ok=2)
    assert "60 of 80 rows" in refusal
    assert 'only = { "judge" = ["ada"] }' in refusal
    assert "--judge" in refusal
    assert not list((study.paths.runs / "sealed").glob("*"))
    study.write_plan(plan.replace("constants = {", 'only      = { judge = ["bob"] }\nconstants = {'))
    study.run("amend", "--reason", "design-change", "--note", "one judge")
    assert "sealed" in study.run("import", str(file))
