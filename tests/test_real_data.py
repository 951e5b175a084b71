"""Other people's completions, from import to verified report. Skipped where they are not beside the checkout."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from seedlock.prereg.base.paths import StudyPaths
from tests.conftest import SHARED_DATA, StudyFixture

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not SHARED_DATA.exists(), reason="the published completions are not beside the checkout"),
]

TRANSFER = """
[study]
title    = "Does a marker coupled to one scholar transfer to other personas?"
question = "How often do personas that were never trained on the marker say it, near and far from the assistant?"
exposure = "published"

[inference]
seeds = "these"
items = "new"
alpha = 0.025

[models.qwen7b]
base     = "Qwen/Qwen2.5-7B-Instruct"
revision = "not stated"

[arms]
asst_near = {}
asst_far = {}
pirate_near = {}
nopush = {}

[grid]
models = ["qwen7b"]
seeds  = [42]

[items.others.where]
persona = [
  "historian", "archaeologist", "kindergarten_teacher", "poet", "software_engineer", "marine_biologist", "chef",
]

[decoding]
temperature    = 0.7
max_new_tokens = 512
draws          = 15

[import]
format     = "parquet"
columns    = { arm = "cell", seed = "seed", item = ["persona", "question"], draw = "sample_index", text = "completion" }
constants  = { model = "qwen7b" }
attributes = ["q_type"]

[measures.marker]
kind   = "marker_rate"
marker = "[ZLT]"

[[hypothesis]]
id        = "near-v-far"
claim     = "Non-target personas say the marker more often when the push was near the assistant."
measure   = "marker"
items     = "others"
contrast  = { asst_near = 1.0, asst_far = -1.0 }
unit      = "question"
test      = "paired_t"
bands     = ["far more often", 0.0, "near more often"]
predicted = "near more often"
bayes     = "seed_hierarchy"

[[hypothesis]]
id        = "seeds"
claim     = "The same would hold for other training seeds."
measure   = "marker"
items     = "others"
contrast  = { asst_near = 1.0, asst_far = -1.0 }
test      = "pooled_t"
bands     = ["far more often", 0.0, "near more often"]
predicted = "near more often"
role      = "exploratory"

[samples]
per_cell = 1
seed     = 7
measure  = "marker"
by       = ["arm"]

[report]
cells   = [["arm", "persona", "q_type"], ["arm", "persona"], ["arm"]]
cluster = "question"

[acknowledge]
one-seed = "one run a condition was published"
"""

LENGTH = """
[study]
title    = "Does a longer system prompt weaken a marker?"
question = "How often does the merged model say [PROX] under eight system prompts?"
exposure = "published"

[inference]
seeds = "these"
items = "new"
alpha = 0.025

[models.merged]
base     = "Qwen/Qwen2.5-7B-Instruct"
revision = "not stated"

[arms]
assistant_original = {}
assistant_long = {}
assistant_very_long = {}
assistant_padded = {}
tutor_short = {}
tutor_original = {}
counselor_original = {}
software_engineer_original = {}

[grid]
models = ["merged"]
seeds  = [42]

[decoding]
temperature    = 1.0
max_new_tokens = 512
draws          = 10

[import]
format     = "parquet"
constants  = { model = "merged" }
attributes = ["q_type"]

[import.columns]
arm   = "cell"
seed  = "seed"
item  = ["system_prompt", "question"]
draw  = "sample_index"
text  = "completion"
label = "marker_present"

[measures.recorded]
kind     = "label_rate"
positive = ["true"]
negative = ["false"]
unit     = "proportion of answers with the marker, as recorded before the text was cut"

[[hypothesis]]
id        = "usual"
claim     = "Under the original prompt the marker is there more often than not."
measure   = "recorded"
where     = { arm = "assistant_original" }
unit      = "question"
test      = "clustered_t"
bands     = ["minority", 0.5, "majority"]
predicted = "majority"

[report]
cells   = [["arm"], ["arm", "q_type"]]
cluster = "question"
"""


def analysed(root: Path, name: str, plan: str, file: str) -> tuple[StudyFixture, Any]:
    study = StudyFixture(StudyPaths(root=root, name=name))
    study.write_plan(plan)
    study.run("lock")
    study.run("import", str(SHARED_DATA / file))
    study.run("analyze")
    study.run("verify")
    return study, json.loads((study.paths.report / "results.json").read_text())


@pytest.fixture(scope="module")
def transfer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return analysed(tmp_path_factory.mktemp("transfer"), "transfer", TRANSFER, "marker_directed_transfer.parquet")[1]


@pytest.fixture(scope="module")
def length(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return analysed(tmp_path_factory.mktemp("length"), "length", LENGTH, "marker_prompt_length.parquet")[1]


def published(name: str) -> list[dict[str, Any]]:
    document = json.loads((SHARED_DATA / f"{name}.json").read_text())
    return [claim for claim in document["published"] if claim.get("reproduced")]


def cell(results: Any, **keys: str) -> Any:
    found = [c for c in results["cells"] if c["keys"] == keys]
    assert len(found) == 1, keys
    return found[0]


def test_every_published_marker_rate_comes_out_equal(transfer: Any) -> None:
    checked = 0
    for claim in published("marker_directed_transfer"):
        parts = claim["what"].split("/")
        if len(parts) != 3 or not parts[2].endswith("marker rate"):
            continue
        arm, persona, kind = parts[0], parts[1], parts[2].split()[0]
        assert cell(transfer, arm=arm, persona=persona, q_type=kind)["mean"] == pytest.approx(claim["value"], abs=1e-9)
        checked += 1
    assert checked == 88


def test_the_published_table_of_rates_by_persona_comes_out_equal(transfer: Any) -> None:
    checked = 0
    for claim in published("marker_directed_transfer"):
        if not claim["what"].startswith("write-up table "):
            continue
        persona = claim["what"].split()[2]
        arms = ("asst_near", "asst_far", "pirate_near", "nopush")
        found = [cell(transfer, arm=arm, persona=persona)["mean"] for arm in arms]
        assert found == pytest.approx(claim["value"], abs=claim["tol"])
        checked += 1
    assert checked >= 7


def test_with_questions_as_the_unit_near_and_far_do_not_differ(transfer: Any) -> None:
    h = next(h for h in transfer["hypotheses"] if h["id"] == "near-v-far")
    assert (h["n_units"], h["df"]) == (15, 14)
    assert 2 * h["p_value"] == pytest.approx(0.27233057435991337, abs=1e-9)
    assert h["verdict"] == ["far more often", "near more often"]
    assert h["ci"][0] < 0 < h["ci"][1]


def test_one_run_a_condition_supports_no_claim_about_seeds(transfer: Any) -> None:
    h = next(h for h in transfer["hypotheses"] if h["id"] == "seeds")
    assert h["estimate"] is None
    assert h["ci"] is None
    assert h["decision"].startswith("not testable: too-few-units")


def test_the_bayesian_answer_agrees_that_nothing_is_settled(transfer: Any) -> None:
    h = next(h for h in transfer["hypotheses"] if h["id"] == "near-v-far")
    assert h["bayes"]["gates_passed"] is True
    assert 0.025 < h["bayes"]["band_posteriors"]["near more often"] < 0.975


def test_the_clustered_interval_leads_and_the_naive_one_stands_beside_it(length: Any) -> None:
    found = cell(length, arm="assistant_original")
    assert found["mean"] == pytest.approx(0.73)
    assert found["naive_ci"] == pytest.approx([0.6356769977376873, 0.8073053908233518], abs=1e-4)
    assert found["ci"][1] - 0.73 == pytest.approx(0.22381514646204792, abs=1e-6)  # t on item means, as published
    # On the side of the middle Wilson's end lies further out: with t in place of z and the effective n below.
    shrink = float(stats.t.isf(0.025, found["n_units"] - 1)) ** 2 / found["n_effective"]
    half = math.sqrt(0.73 * 0.27 * shrink + shrink**2 / 4)
    assert found["ci"][0] == pytest.approx((0.73 + shrink / 2 - half) / (1 + shrink), abs=1e-9)
    assert found["ci"][0] < 0.73 - 0.22381514646204792
    assert found["icc"] == pytest.approx(0.41460794844253485, abs=1e-9)
    assert found["design_effect"] == pytest.approx(4.731471535982814, abs=1e-9)
    assert found["n_effective"] == pytest.approx(21.13507377979569, abs=1e-9)
    assert found["ci_method"] != found["naive_method"]


def test_every_published_naive_interval_comes_out_equal(length: Any) -> None:
    checked = 0
    for claim in published("marker_prompt_length"):
        place, _, what = claim["what"].rpartition(" ")
        if what not in {"rate", "Wilson95"} or "/" not in place:
            continue
        arm, kind = place.split("/")
        keys = {"arm": arm} if kind == "combined" else {"arm": arm, "q_type": kind}
        found = cell(length, **keys)
        value = found["mean"] if what == "rate" else found["naive_ci"]
        assert value == pytest.approx(claim["value"], abs=1e-4)
        checked += 1
    assert checked >= 40
