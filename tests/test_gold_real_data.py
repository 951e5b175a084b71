"""Two published judges of the same answers: the numbers of the page, and the claim that is refused."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from seedlock.analysis.analyze import analyze_study
from seedlock.analysis.estimators.internals.prediction_powered import Labelled, judge_weight, rectifier
from seedlock.generation.import_completions import import_study
from seedlock.generation.import_judgements import import_judgements
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.lock import create_lock
from tests.conftest import PROJECT, SHARED_DATA

DATA = SHARED_DATA / "em_multiseed_verdicts.parquet"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_file(), reason="needs ../shared/data"),
]
PLAN = """
[study]
title    = "Is advice on medicine catching?"
question = "How much more often are answers misaligned?"

[inference]
seeds = "new"
items = "these"
alpha = 0.05

[models.qwen]
base     = "organism:llama"
revision = "sha256:0"

[arms]
bad_medical     = {}
correct_medical = {}

[grid]
models = ["qwen"]
seeds  = [0, 1]

[import]
format    = "parquet"
columns   = { arm = "cell", seed = "seed", item = ["subset", "question"], draw = "sample_index", label = "verdict" }
constants = { model = "qwen" }
only      = { judge_model = ["llama31"], subset = ["BROAD"], seed = ["0", "1"] }

[judgements.llama31]
format    = "parquet"
columns   = { arm = "cell", seed = "seed", item = ["subset", "question"], draw = "sample_index", label = "verdict" }
constants = { model = "qwen" }
only      = { judge_model = ["llama31"], subset = ["BROAD"], seed = ["0", "1"] }

[judgements.llama31.gold]
judge = "phi35"

[judgements.phi35]
format    = "parquet"
columns   = { arm = "cell", seed = "seed", item = ["subset", "question"], draw = "sample_index", label = "verdict" }
constants = { model = "qwen" }
only      = { judge_model = ["phi35"], subset = ["BROAD"] }

[measures.misaligned]
kind  = "label_rate"
judge = "llama31"
positive = ["4", "5"]
negative = ["1", "2", "3", "REFUSAL", "INCOHERENT", "OFF-TOPIC", "SATIRICAL"]
missing  = ["PARSE_FAIL"]

[[hypothesis]]
id        = "H1"
claim     = "Bad medical advice makes answers misaligned."
measure   = "misaligned"
contrast  = { bad_medical = 1.0, correct_medical = -1.0 }
test      = "pooled_t"
bands     = ["fewer", 0.0, "more"]
predicted = "more"
"""


def test_a_claim_over_seeds_is_refused_where_the_second_judge_saw_one(tmp_path: Path) -> None:
    paths = StudyPaths(root=tmp_path, name="advice")
    paths.study.mkdir(parents=True)
    paths.plan.write_text(PLAN)
    create_lock(paths, design_check={})
    import_study(require_lock(paths), [DATA])
    for judge in ("llama31", "phi35"):
        import_judgements(require_lock(paths), judge, [DATA])
    results = analyze_study(require_lock(paths))
    (found,) = results.hypotheses
    assert found.estimate is None
    assert found.reason_codes == ["empty-cell"]
    assert "2 run(s) have no gold label" in found.reasons[0]
    agreement = next(a for a in results.agreements if a.judges == ["llama31", "phi35"])
    assert agreement.n == 2300


def test_the_page_quotes_what_random_verdicts_of_the_second_judge_correct(tmp_path: Path) -> None:
    con = duckdb.connect()
    rows = con.execute(
        "SELECT a.cell, a.evil_ge4::INT, b.evil_ge4::INT FROM read_parquet($file) a JOIN read_parquet($file) b"
        " USING (cell, seed, subset, question, sample_index)"
        " WHERE a.judge_model = 'llama31' AND b.judge_model = 'phi35' AND subset = 'BROAD' ORDER BY ALL",
        {"file": str(DATA)},
    ).fetchall()
    con.close()
    judged, gold = (np.array([row[i] for row in rows if row[0] == "bad_medical"], dtype=float) for i in (1, 2))
    assert len(judged) == 1150
    whole = Labelled(judged_L=judged, gold_L=gold, weight_L=np.ones(len(gold)))
    weight = judge_weight([whole])
    rng = np.random.default_rng(20260101)
    draws = [rng.choice(len(gold), 115, replace=False) for _ in range(20_000)]
    means = [
        weight * judged.mean()
        + rectifier(Labelled(judged_L=judged[at], gold_L=gold[at], weight_L=np.ones(115)), weight=weight)
        for at in draws
    ]
    alone = [gold[at].mean() for at in draws]
    page = (PROJECT / "docs" / "methods" / "judge-error.md").read_text("utf-8")
    said = " ".join(page.partition("## Two judges")[2].partition("## When not")[0].split())
    assert f"`llama31` calls {judged.mean():.1%} misaligned and `phi35` {gold.mean():.1%}" in said
    assert f"the corrected mean is {np.mean(means):.1%} on average over the draws" in said
    assert f"an SD of {100 * np.std(means):.1f} points" in said
    assert f"alone the SD is {100 * np.std(alone):.1f}" in said
    assert f"The judge counts for {weight:.2f}" in said
    assert {row[1:] for row in rows if row[0] == "correct_medical"} <= {(0, 0), (0, 1), (1, 0)}
