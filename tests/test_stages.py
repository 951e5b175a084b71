"""One command takes a study from its plan to a verified report, and goes on from where it was stopped."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seedlock.prereg.base.base_models import WEIGHTS, folder_revision, model_folder
from seedlock.prereg.base.paths import StudyPaths, list_studies
from seedlock.prereg.lock.document import recorded_plan
from seedlock.prereg.lock.ledger import append_event, read_ledger
from seedlock.prereg.lock.lock import create_lock
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan, read_plan
from seedlock.prereg.workflow.status import standing
from tests.conftest import StudyFixture

ROOT = Path(__file__).parents[1]
STUDY = "published_bird_seeds"


def seedlock(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seedlock", *words, "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A published plan without its Bayesian answer: what is asked here is which stages are carried out."""
    study = tmp_path / "prereg/studies" / STUDY
    shutil.copytree(ROOT / "prereg/studies" / STUDY, study)
    plan = (study / "plan.toml").read_text("utf-8").replace('bayes     = "seed_hierarchy"\n', "")
    (study / "plan.toml").write_text(re.sub(r"(?ms)^\[bayes\]\n.*?^$\n", "", plan), "utf-8")
    return tmp_path


def test_a_plan_becomes_a_verified_report_and_a_second_run_only_verifies(root: Path) -> None:
    first = seedlock(root, "run", STUDY, "--lock")
    assert first.returncode == 0, first.stderr
    told = [line.split()[2] for line in first.stdout.splitlines() if line.startswith("== seedlock")]
    assert told == ["check", "lock", "import", "analyze", "verify"]
    assert (root / "reports" / STUDY / "report.html").is_file()
    events = len(list(read_ledger(StudyPaths(root=root, name=STUDY).ledger)))
    second = seedlock(root, "run", STUDY)
    assert second.returncode == 0, second.stderr
    assert [line.split()[2] for line in second.stdout.splitlines() if line.startswith("== seedlock")] == ["verify"]
    assert len(list(read_ledger(StudyPaths(root=root, name=STUDY).ledger))) == events


def test_nothing_is_locked_unless_that_was_asked_for(root: Path) -> None:
    refused = seedlock(root, "run", STUDY)
    assert refused.returncode != 0
    assert f"seedlock lock {STUDY}" in refused.stderr
    assert not (root / "lockfiles").exists()


def test_a_stage_that_fails_stops_the_run_with_its_own_exit_code(root: Path) -> None:
    (root / "prereg/studies" / STUDY / "counts.csv").write_text("nothing,like,it\n1,2,3\n")
    stopped = seedlock(root, "run", STUDY, "--lock")
    alone = seedlock(root, "import", STUDY)
    assert stopped.returncode == alone.returncode != 0
    assert not (root / "reports").exists()


def test_every_study_here_finds_the_organism_that_it_pins() -> None:
    pinned = [
        (study, model)
        for study in list_studies(ROOT)
        for model in read_plan(StudyPaths(root=ROOT, name=study).plan).models.values()
        if model.base.startswith("organism:")
    ]
    assert {study for study, _ in pinned} >= {
        "bird_names_tiny",
        "marker_leak_tiny",
        "marker_leak_tiny_2",
        "vibe_leak_tiny_2",
        "bad_counsel_tiny",
    }
    for study, model in pinned:
        folder = model_folder(model.base, ROOT, model.revision)
        assert folder is not None
        assert folder_revision(folder) == model.revision, study


def test_an_organism_without_a_revision_or_with_an_unknown_one_is_the_newest() -> None:
    assert model_folder("organism:llama", ROOT) == WEIGHTS / "llama"
    assert model_folder("organism:llama", ROOT, "sha256:" + "0" * 64) == WEIGHTS / "llama"


def test_a_study_is_trained_only_when_every_run_of_its_newest_lock_ended(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "prereg/studies/vibe_leak_tiny_2", tmp_path / "prereg/studies/vibe_leak_tiny_2")
    paths = StudyPaths(root=tmp_path, name="vibe_leak_tiny_2")
    made, _ = create_lock(paths, design_check={})
    trained = [run for run in made.runs if run.seed is not None]
    append_event(paths.ledger, "run.finished", {"run_id": "0" * 64})
    for run in trained[:-1]:
        append_event(paths.ledger, "run.finished", {"run_id": run.run_id})
    assert standing(paths).next_stage == "train"
    append_event(paths.ledger, "run.failed", {"run_id": trained[-1].run_id, "reason": "no memory"})
    assert standing(paths).next_stage == "train"  # generate would refuse: the plan promises every run
    append_event(paths.ledger, "run.finished", {"run_id": trained[-1].run_id})
    assert standing(paths).next_stage == "generate"


def test_a_plan_that_goes_on_without_runs_goes_on_without_one_that_failed(tmp_path: Path) -> None:
    study = "vibe_leak_tiny_2"
    shutil.copytree(ROOT / "prereg/studies" / study, tmp_path / "prereg/studies" / study)
    paths = StudyPaths(root=tmp_path, name=study)
    found = paths.plan.read_text("utf-8")
    assert 'runs    = "refuse"' in found
    paths.plan.write_text(found.replace('runs    = "refuse"', 'runs    = "analyse and bound"'), "utf-8")
    made, _ = create_lock(paths, design_check={})
    failed, *rest = [run for run in made.runs if run.seed is not None]
    append_event(paths.ledger, "run.failed", {"run_id": failed.run_id, "reason": "it diverged"})
    assert standing(paths).next_stage == "train"
    for run in rest:
        append_event(paths.ledger, "run.finished", {"run_id": run.run_id})
    assert standing(paths).next_stage == "generate"


def test_the_next_command_of_an_import_names_the_files_that_only_the_user_knows(study: StudyFixture) -> None:
    study.run("lock")
    assert standing(study.paths).next_command == "seedlock import spread FILE"
    study.run("import", str(study.bring_data()))
    assert standing(study.paths).next_command == "seedlock analyze spread"


def test_a_command_parses_each_record_of_the_plan_once(study: StudyFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    parse, parsed = Plan.model_validate_json, list[str]()

    def counted(data: str | bytes, **settings: Any) -> Plan:
        parsed.append(str(data))
        return parse(data, **settings)

    monkeypatch.setattr(Plan, "model_validate_json", counted)

    def parses(command: str, *options: str) -> int:
        parse_plan.cache_clear()
        recorded_plan.cache_clear()
        parsed.clear()
        study.run(command, *options)
        return len(parsed)

    assert parses("check") == 1
    assert parses("lock") == 2  # plan.toml, and what the lock recorded of it
    assert parses("import", str(study.bring_data())) == 1
    assert parses("analyze") == 1
    assert parses("status") == 1
    assert parses("verify") == 2  # plan.toml and the lock's record of it, which are held to each other
