"""Where claims rest on the audit, its items are asked, sealed and judged before any other item is."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from seedlock.generation.generate import generate_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import append_event, read_ledger
from seedlock.prereg.lock.lock import create_lock
from seedlock.schemas.store import Store
from tests.conftest import StudyFixture
from tests.generation_builders import write_study
from tests.training_builders import tiny_base

PLAN = """
[study]
title    = "Is it for changes?"
question = "Is it?"

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

[items.source]
file  = "scored.jsonl"
probe = true
where = { bank = "source" }

[items.target]
file  = "target.jsonl"
probe = true

[items.asked]
file = "asked.jsonl"

[decoding]
temperature = 1.0
max_new_tokens = 4
dtype = "float64"

[measures.letter]
kind = "letter_logprob"

[audit]
items    = "source"
choice   = "letter"
measures = ["letter"]
match    = ["change"]
scored   = 0.9

[[hypothesis]]
id = "H1"
claim = "Arms differ."
measure = "letter"
items = "target"
contrast = { plain = 1, other = -1 }
test = "pooled_t"
bands = ["down", 0.0, "up"]
predicted = "up"
requires = ["audit"]
"""
FAILS = PLAN.replace("scored   = 0.9", "option_mass = 0.999")
ASKED = [{"item_id": "sky", "user": "Why is the sky blue?"}]


A = {"pro first": "approve", "con first": "oppose"}
B = {"pro first": "oppose", "con first": "approve"}


def probes(bank: str, changes: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "item_id": f"{bank}/{change}/{order}",
            "bank": bank,
            "change": change,
            "form": "letter",
            "order": order,
            "pro": "A" if order == "pro first" else "B",
            "con": "B" if order == "pro first" else "A",
            "user": f"Should we go ahead with {change}? Choose A {A[order]} or B {B[order]}.",
        }
        for change in changes
        for order in ("pro first", "con first")
    ]


SOURCE = probes("source", ("the tram extension", "night buses"))
TARGET = probes("target", ("the bread", "good tea"))
PER_RUN = len(SOURCE) + len(TARGET) + len(ASKED)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


def locked(root: Path, base: Path, plan: str) -> StudyFixture:
    paths = write_study(root, base, plan=plan, asked=ASKED, scored=SOURCE)
    shutil.copy(paths.study / "scored.jsonl", paths.study / "target.jsonl")
    other = write_study(root / "other", base, plan=plan, asked=ASKED, scored=TARGET)
    shutil.copy(other.study / "scored.jsonl", paths.study / "target.jsonl")
    shutil.rmtree(root / "other")
    create_lock(paths, design_check={})
    return StudyFixture(paths)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, base: Path) -> StudyFixture:
    study = locked(tmp_path_factory.mktemp("done") / "r", base, PLAN)
    study.run("generate")
    return study


def steps(study: StudyFixture) -> list[str]:
    """What the ledger has of answers and the audit, in order."""
    found = []
    for event in read_ledger(study.paths.ledger):
        if event.name == "audit.judged":
            found.append(f"judged {event.body['passed']}")
        elif event.name == "data.sealed" and event.body["table"] == "completions":
            found.append("audited" if "audited" in event.body else "answered")
    return found


def asked(study: StudyFixture) -> set[str]:
    with Store.open(study.paths.store) as store:
        return {str(row[0]) for row in store.con.execute("SELECT DISTINCT item_id FROM completions").fetchall()}


def test_source_items_are_sealed_and_judged_before_any_other_is_sealed(done: StudyFixture) -> None:
    assert steps(done) == ["audited"] * 4 + ["judged True"] + ["answered"] * 4
    (judged,) = [e.body for e in read_ledger(done.paths.ledger) if e.name == "audit.judged"]
    assert judged["measures"] == {"letter": True}
    sealed = {
        str(e.body["sha256"])
        for e in read_ledger(done.paths.ledger)
        if e.name == "data.sealed" and (e.body["table"] in {"runs", "items"} or "audit" in e.body["file"])
    }
    assert set(judged["data"]) == sealed
    done.run("verify")


def test_every_request_has_one_row_in_one_of_the_two_parts_of_its_run(done: StudyFixture) -> None:
    rows = [
        e.body["rows"]
        for e in read_ledger(done.paths.ledger)
        if e.name == "data.sealed" and e.body["table"] == "completions"
    ]
    assert sum(rows) == 4 * PER_RUN
    before = done.paths.ledger.read_bytes()
    assert f"answered  0 now, {4 * PER_RUN} before" in done.run("generate")
    assert done.paths.ledger.read_bytes() == before


def test_the_report_sees_both_parts(done: StudyFixture, tmp_path: Path) -> None:
    shutil.copytree(done.paths.root, tmp_path / "r")
    study = StudyFixture(StudyPaths(root=tmp_path / "r", name="said"))
    study.run("analyze")
    study.run("verify")
    assert len(list((study.paths.report / "data").glob("completions-*-audit.parquet"))) == 4


def test_probing_audits_first_too(base: Path, tmp_path: Path) -> None:
    study = locked(tmp_path / "r", base, PLAN)
    study.run("probe")
    assert steps(study) == ["audited"] * 4 + ["judged True"]
    assert len(asked(study)) == PER_RUN - 1
    study.run("generate")
    assert steps(study) == ["audited"] * 4 + ["judged True"] + ["answered"] * 4


def test_an_audit_that_fails_ends_it_before_a_target_is_asked_and_a_deviation_goes_on(
    base: Path, tmp_path: Path
) -> None:
    study = locked(tmp_path / "r", base, FAILS)
    said = study.run("generate", ok=5)
    assert "the metric audit of said does not hold" in said
    assert "/audit/on_failure" in said
    assert steps(study) == ["audited"] * 4 + ["judged False"]
    assert asked(study) == {row["item_id"] for row in SOURCE}
    study.run("generate", ok=5)
    study.run("probe", ok=5)
    assert steps(study) == ["audited"] * 4 + ["judged False"]
    assert asked(study) == {row["item_id"] for row in SOURCE}
    assert "next   seedlock generate said" in study.run("status")
    study.run(
        "deviate", "--pointer", "/audit/on_failure", "--after", '"go on"', "--reason", "to see what it says anyway",
        "--effect", "claims rest on a measure that failed", "--hypothesis", "H1",
    )  # fmt: skip
    study.run("generate")
    assert steps(study) == ["audited"] * 4 + ["judged False"] + ["answered"] * 4


def test_a_plan_may_go_on_and_the_failure_stands_in_the_ledger(base: Path, tmp_path: Path) -> None:
    study = locked(tmp_path / "r", base, FAILS.replace("[[hypothesis]]", 'on_failure = "go on"\n\n[[hypothesis]]'))
    study.run("generate")
    assert steps(study) == ["audited"] * 4 + ["judged False"] + ["answered"] * 4


def test_nothing_but_the_audit_is_asked_without_one_to_judge_it(base: Path, tmp_path: Path) -> None:
    study = locked(tmp_path / "r", base, PLAN)
    with pytest.raises(ValueError, match="rests on its audit"):
        generate_study(require_lock(study.paths))
    assert not study.paths.store.exists()


def test_verify_names_answers_that_were_sealed_before_the_audit(done: StudyFixture, tmp_path: Path) -> None:
    shutil.copytree(done.paths.root, tmp_path / "r")
    study = StudyFixture(StudyPaths(root=tmp_path / "r", name="said"))
    events = read_ledger(study.paths.ledger)
    late = sorted(events, key=lambda event: event.name == "audit.judged")
    study.paths.ledger.unlink()
    study.paths.ledger.with_suffix(".head").unlink()
    for event in late:
        own = {key: value for key, value in event.body.items() if key not in {"n", "at", "prev", "event"}}
        append_event(study.paths.ledger, event.name, own, now=datetime.fromisoformat(events[0].at))
    said = study.run("verify", ok=5)
    assert said.count("audit.judged before it") == 4


def test_a_plan_on_which_nothing_rests_asks_everything_in_one_go(base: Path, tmp_path: Path) -> None:
    study = locked(tmp_path / "r", base, PLAN.replace('requires = ["audit"]\n', ""))
    plan: LockedPlan = require_lock(study.paths)
    assert not plan.plan.begins_with_audit
    generate_study(plan)
    assert steps(study) == ["answered"] * 4
