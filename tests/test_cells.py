"""Cells of the report: their unit is the plan's, their intervals stay inside the scale, gaps are said."""

from __future__ import annotations

import json
import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from seedlock.analysis.estimators.internals.design_effect import Group, worth_of
from seedlock.prereg.base.paths import StudyPaths
from tests.conftest import StudyFixture

PLAN = """
[study]
title    = "Seeds that disagree"
question = "Does a cell over several seeds know that they are several?"

[inference]
seeds = "{population}"
items = "new"
alpha = 0.025

[models.m]
base     = "none"
revision = "none"

[arms]
plain = {{}}
tuned = {{}}

[grid]
models = ["m"]
seeds  = {grid}

[import]
format     = "csv"
columns    = {{ arm = "arm", seed = "seed", item = ["persona", "question"], draw = "draw", text = "text", {score} }}
attributes = ["persona", "question"]
constants  = {{ model = "m" }}

[measures.marker]
kind   = "marker_rate"
marker = "[ZLT]"

[measures.score]
kind = "numeric"
low  = 0
high = 100
unit = "points"

[[hypothesis]]
id        = "H1"
claim     = "Tuned models say the marker."
measure   = "marker"
where     = {{ arm = "tuned" }}
unit      = "{unit}"
test      = "{test}"
bands     = ["rare", 0.2, "often"]
predicted = "often"

[report]
cells   = [["arm"], ["arm", "seed"], ["arm", "persona"]]
cluster = "question"
"""
HITS = {("tuned", 0): 4, ("tuned", 1): 19, ("tuned", 2): 37, ("plain", 0): 0, ("plain", 1): 0, ("plain", 2): 1}
"""Of 40 answers a run: 2 personas x 10 questions x 2 draws."""


def rows_of(seeds: list[int]) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = []
    for arm, seed in product(("plain", "tuned"), seeds):
        order = rng.permutation(40)
        for place, (persona, question, draw) in enumerate(product("xy", range(10), range(2))):
            says = "[ZLT]" if order[place] < HITS[arm, seed] else "nothing"
            score = min(100.0, round(96 + 3 * seed + rng.normal(0, 2), 1))
            text = f"{says} {arm} {seed} {persona} {question} {draw}"
            rows.append((arm, seed, persona, f"q{question}", draw, text, score))
    return pd.DataFrame(rows, columns=["arm", "seed", "persona", "question", "draw", "text", "score"])


def analysed(root: Any, seeds: list[int], **words: str) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    study, rows = StudyFixture(StudyPaths(root=root, name="cells")), rows_of(seeds)
    study.write_plan(PLAN.format(grid=seeds, score='value = "score"', **words))
    study.run("lock")
    study.run("import", str(study.bring_data(rows.to_csv(index=False))))
    study.run("analyze")
    results = json.loads((study.paths.report / "results.json").read_text())
    return results["cells"], rows.assign(hit=rows["text"].str.startswith("[ZLT]").astype(float))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    return analysed(tmp_path_factory.mktemp("three"), [0, 1, 2], population="new", unit="seed", test="one_sample_t")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    return analysed(tmp_path_factory.mktemp("one"), [0], population="these", unit="question", test="clustered_t")


def cell(cells: list[dict[str, Any]], measure: str, **keys: str) -> dict[str, Any]:
    (found,) = [c for c in cells if c["measure"] == measure and c["keys"] == keys]
    return found


def test_a_cell_over_seeds_is_as_uncertain_as_its_seeds_differ(three: Any) -> None:
    """Three seeds at 10, 48 and 93% leave a mean of 50% nearly open; answers as independent gave it 18 points."""
    found = cell(three[0], "marker", arm="tuned")
    assert (found["unit"], found["n_units"], found["n"], found["k"]) == ("seed", 3, 120, 60)
    assert found["mean"] == pytest.approx(0.5)
    assert found["unit_sd"] == pytest.approx(np.std([4 / 40, 19 / 40, 37 / 40], ddof=1))
    low, high = stats.t.interval(0.95, 2, loc=0.5, scale=found["unit_sd"] / math.sqrt(3))
    assert found["ci"][0] <= max(0.0, low) + 1e-9
    assert found["ci"][1] >= min(1.0, high) - 1e-9
    assert found["naive_ci"][1] - found["naive_ci"][0] < 0.2
    assert found["weighs"] == "each seed the same, and each item of a seed"


def test_numeric_cells_have_a_spread_an_interval_and_a_design_effect(three: Any) -> None:
    cells, rows = three
    found, own = cell(cells, "score", arm="tuned"), rows[rows["arm"] == "tuned"]
    seeds = own.groupby("seed")["score"].mean()
    low, high = stats.t.interval(0.95, 2, loc=seeds.mean(), scale=seeds.std() / math.sqrt(3))
    assert high > 100
    assert found["ci"] == pytest.approx([low, 100.0])
    assert found["ci_method"] == "t on seed means, 2 df, cut at the end of the scale"
    assert found["sd"] == pytest.approx(own["score"].std())
    between, within = anova_lm(smf.ols("score ~ C(seed)", own).fit())["mean_sq"]
    assert found["icc"] == pytest.approx((between - within) / (between + 39 * within))
    assert found["design_effect"] == pytest.approx(1 + 39 * found["icc"])
    assert found["n_effective"] == pytest.approx(120 / found["design_effect"])
    assert found["k"] is None
    assert found["reasons"] == []


def test_a_cell_of_one_run_has_its_clusters_as_the_sample_and_says_whose_run_it_is(one: Any) -> None:
    cells, rows = one
    found, own = (
        cell(cells, "score", arm="tuned", persona="x"),
        rows[(rows["arm"] == "tuned") & (rows["persona"] == "x")],
    )
    questions = own.groupby("question")["score"].mean()
    low, high = stats.t.interval(0.95, 9, loc=questions.mean(), scale=questions.std() / math.sqrt(10))
    assert (found["unit"], found["n_units"]) == ("question", 10)
    assert found["ci"] == pytest.approx([low, high])
    assert found["ci_method"] == "t on question means, 9 df, conditional on this run"
    assert found["sd"] == pytest.approx(own["score"].std())
    rate = cell(cells, "marker", arm="tuned", persona="x")
    assert rate["ci_method"].endswith("conditional on this run")
    assert rate["unit"] == "question"


def test_a_seed_of_its_own_is_a_run_and_no_sample_of_seeds(three: Any) -> None:
    found = cell(three[0], "marker", arm="plain", seed="2")
    assert found["unit"] == "question"
    none = cell(three[0], "marker", arm="plain", seed="0")
    assert none["ci"] == pytest.approx([0.0, 1 - 0.025 ** (1 / 10)])
    assert none["ci"][1] <= found["ci"][1]


def test_no_interval_of_any_cell_leaves_its_scale_or_its_mean(three: Any, one: Any) -> None:
    for found in (*three[0], *one[0]):
        end = 1.0 if found["measure"] == "marker" else 100.0
        if found["ci"] is None:
            assert found["reasons"]
        else:
            assert 0 <= found["ci"][0] <= found["mean"] + 1e-12
            assert found["mean"] - 1e-12 <= found["ci"][1] <= end


def test_what_grouped_answers_are_worth_by_hand() -> None:
    # Two groups of 2: 1, 1 and 3, 5. Between MS 9, within MS 1: ICC 8/10, design effect 1.8.
    groups = [Group(n=2, total=2, squares=2), Group(n=2, total=8, squares=34)]
    found = worth_of(groups, named="item")
    assert (found.icc, found.design_effect, found.n_effective) == pytest.approx((0.8, 1.8, 4 / 1.8))
    assert found.sd == pytest.approx(np.std([1, 1, 3, 5], ddof=1))
    alike = worth_of([Group(n=2, total=0.6, squares=0.18), Group(n=1, total=0.3, squares=0.09)], named="item")
    assert (alike.icc, alike.n_effective) == (None, None)
    assert "every answer is the same" in alike.reason
