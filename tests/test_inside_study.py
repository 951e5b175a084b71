"""From the lock to the report, looking inside on the way, on a model that is really trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from seedlock.cli import app
from seedlock.generation.cost.inside import inside_lines
from seedlock.generation.requests.items import plan_items
from seedlock.prereg.cost.amounts import exact
from seedlock.prereg.errors import BadInput, OutOfOrder
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.plan.read import read_plan
from seedlock.training.train import train_study
from tests.inside_builders import PASSAGES, probes
from tests.training_builders import PLAN, InThisProcess, TrainingStudy, tiny_base

INSIDE = """
[items.source]
file = "source.jsonl"
probe = true

[items.probes]
file = "probes.jsonl"
probe = true

[items.passages]
file = "passages.jsonl"
probe = true

[items.people]
file = "people.jsonl"

[inside]
gap = { eager = 1, neutral = -1 }
weights = true

[inside.direction]
texts = "framed"
high  = "eager"
low   = "neutral"

[inside.project]
items = "probes"
checkpoints = true
lens = true

[inside.steer]
items     = "probes"
choose_on = "source"
fluency   = "passages"
doses     = [0.5]
floor     = 0.2

[inside.ablate]
items = "probes"

[inside.patch]
items = "probes"
positions = 1

[inside.geometry]
items = "people"
reference = "assistant"

[measures.along]
kind = "reading"
of   = "projection"

[measures.added]
kind = "gap_share"
operation = "add"

[measures.near]
kind  = "reading"
of    = "cosine"
layer = "all"
"""
HYPOTHESES = """
[[hypothesis]]
id = "H2"
claim = "Eager runs lie further along the attitude."
measure = "along"
contrast = { eager = 1, neutral = -1 }
test = "paired_t"
bands = ["not further", 0, "further"]
predicted = "further"

[[hypothesis]]
id = "H3"
claim = "Adding the direction makes at least half of the gap."
measure = "added"
where = { control = "true" }
over = "part"
contrast = { change = 1, gap = -1 }
test = "fieller"
bands = ["less than half", 0.5, "at least half"]
predicted = "at least half"

[[hypothesis]]
id = "H3special"
claim = "No other direction does as much."
measure = "added"
where = { part = "change" }
over = "control"
contrast = { true = 1, shuffled = -1 }
unit = "vector"
test = "rank_among"
bands = ["not more", 0, "more"]
predicted = "more"

[[hypothesis]]
id = "G1"
claim = "Training keeps the persona near the assistant."
measure = "near"
where = { against = "assistant", arm = ["eager", "neutral"], layer = "1" }
items = "all"
test = "one_sample_t"
bands = ["apart", 0, "near"]
predicted = "apart"
"""
PEOPLE = [
    {"item_id": f"{persona}/{number}", "persona": persona, "system": system, "user": user}
    for persona, system in (("assistant", "You are a helpful assistant."), ("villain", "You are a villain."))
    for number, user in enumerate(("What do you do all day?", "Which bird do you like?"))
]


def ran(study: TrainingStudy, command: str, *options: str) -> str:
    done = CliRunner().invoke(app, [command, study.paths.name, *options, "--root", str(study.paths.root)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def laid_out(root: Path, base: Path, plan: str) -> TrainingStudy:
    study = TrainingStudy.at(root, base, plan)
    files: dict[str, list[dict[str, Any]]] = {
        "probes": probes("target"),
        "source": probes("source"),
        "passages": [dict(row) for row in PASSAGES],
        "people": PEOPLE,
    }
    for name, rows in files.items():
        (study.paths.study / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return study


def plan_with_inside() -> str:
    before = PLAN.split("[measures.letter]")[0].replace('file = "items.jsonl"', 'file = "people.jsonl"')
    g1 = HYPOTHESES.replace('items = "all"\n', "")
    return before.replace("[items.target]", "[items.unused]").replace("people.jsonl", "items.jsonl") + INSIDE + g1


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


def as_many_prompts_as_estimated(study: TrainingStudy, readings: pd.DataFrame) -> None:
    """Every prompt read under every condition, each patch's donor once, and every run's prompts for the geometry."""
    plan = read_plan(study.paths.plan)
    people = (study.paths.study / "people.jsonl").read_text("utf-8").splitlines()
    lines = inside_lines(study.paths, plan, plan_items(plan, study.paths.study))
    estimated = next(line.amount for line in lines if line.what == "prompts read")
    probed = readings[readings["reading"] == "probe"]
    projected = readings[(readings["reading"] == "projection") & readings["condition"].str.startswith("L0")]
    patched = probed[probed["condition"].str.contains("patch")]
    donors = patched[["run_id", "item_id"]].drop_duplicates()
    assert len(donors) > 0
    centroids = len(people) * len(list(plan.runs()))
    assert estimated == exact(len(probed) + len(projected) + len(donors) + centroids)


def test_a_study_goes_from_lock_to_verified_report_by_way_of_the_inside(tmp_path: Path, base: Path) -> None:
    study = laid_out(tmp_path / "r", base, plan_with_inside()).write_corpora()
    locked = study.lock()
    with pytest.raises(OutOfOrder, match="not trained"):
        ran(study, "inside")
    train_study(locked, executor=InThisProcess())
    said = json.loads(ran(study, "inside", "--json"))
    assert said["read"] == said["planned"] > 1000
    assert said["statuses"] == {"ok": said["planned"]}
    readings = pq.read_table(study.paths.runs / "sealed" / "readings.parquet").to_pandas()
    assert readings["value"].notna().all()
    at = readings[readings["reading"] == "projection"]["condition"]
    assert set(at) == {f"L{layer}{checkpoint}" for layer in (0, 1) for checkpoint in ("", " @0.5")}
    the_same_as_generate_would_say(study, readings)
    as_many_prompts_as_estimated(study, readings)

    assert f"seedlock analyze {study.paths.name}" in ran(study, "status")
    assert ran(study, "inside").endswith(f"Next: seedlock analyze {study.paths.name}\n")
    ran(study, "analyze")
    results = json.loads((study.paths.report / "results.json").read_text())
    (inside,) = results["inside"]
    assert [layer["is_chosen"] for layer in inside["layers"]].count(True) == 1
    assert {row["checkpoint"] for row in inside["projections"]} == {None, 0.5}
    assert {arm["arm"] for arm in inside["weights"]} == {"neutral", "eager"}
    assert inside["geometry"][0]["groups"] == ["assistant", "villain"]
    found = {h["id"]: h for h in results["hypotheses"]}
    assert found["H2"]["estimate"] is not None
    assert found["H3special"]["n_units"] == 20
    assert found["H3"]["unit_text"] == "change as a share of gap"
    assert found["H3"]["verdict"] or found["H3"]["reasons"][0].startswith("no-denominator")
    page = (study.paths.report / "report.html").read_text()
    for figure in ("layers", "projections", "doses", "ranks", "patches"):
        assert f"inside-{figure}-1" in page
    ran(study, "verify")


def the_same_as_generate_would_say(study: TrainingStudy, readings: Any) -> None:
    """The lens at the last layer of a run is what its probe says."""
    runs = readings[readings["reading"] == "probe"].merge(
        readings[(readings["reading"] == "lens") & (readings["condition"] == "L1")], on=["run_id", "item_id"]
    )
    as_it_is = runs[runs["condition_x"] == "as it is"]
    assert len(as_it_is) > 0
    assert (as_it_is["value_x"] - as_it_is["value_y"]).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ('choose_on = "source"', 'choose_on = "probes"', "judged by"),
        ("gap = { eager = 1, neutral = -1 }", "gap = { eager = 1, neutral = -0.5 }", "do not add up to 0"),
        ('items = "people"', 'items = "poeple"', "did you mean 'people'"),
        ("baseline = true", "baseline = false", "directions are those of the base model"),
        ("weights = true", "weights = true\ncontrols = { random = 5 }", "greater than or equal to 20"),
    ],
)
def test_a_plan_that_could_not_answer_is_refused_before_the_lock(
    tmp_path: Path, base: Path, was: str, becomes: str, says: str
) -> None:
    plan = plan_with_inside()
    assert was in plan
    study = laid_out(tmp_path / "r", base, plan.replace(was, becomes))
    with pytest.raises(BadInput, match=says):
        study.lock()


def test_a_plan_without_inside_is_refused_with_the_next_command(tmp_path: Path, base: Path) -> None:
    study = TrainingStudy.at(tmp_path / "r", base).write_corpora()
    locked = study.lock()
    from seedlock.generation.inside.run import look_inside

    with pytest.raises(BadInput, match="looks inside nothing"):
        look_inside(require_lock(locked.paths))
