"""A lock pins the plan and the code; what came before it and what changes after it are both seen."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seedlock.prereg.base.canonical import canonical_json, sha256_file
from seedlock.prereg.errors import BadInput, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.lock.lock import create_lock, run_id
from seedlock.prereg.lock.rooms import deciding_files
from seedlock.prereg.plan.read import read_plan
from tests.conftest import PLAN, PROJECT, StudyFixture, git


def test_a_lock_is_canonical_json_and_its_digest_is_the_lock_id(study: StudyFixture) -> None:
    study.run("lock")
    file = lock_paths(study.paths)[0]
    document = json.loads(file.read_bytes())
    assert canonical_json(document) + b"\n" == file.read_bytes()
    assert require_lock(study.paths).lock_id == sha256_file(file)
    assert read_ledger(study.paths.ledger)[0].body["lock_id"] == sha256_file(file)


def test_a_second_lock_is_refused(study: StudyFixture) -> None:
    study.run("lock")
    before = lock_paths(study.paths)[0].read_bytes()
    assert "seedlock amend" in study.run("lock", ok=5)
    assert lock_paths(study.paths)[0].read_bytes() == before


def test_the_lock_lists_every_promised_run(study: StudyFixture) -> None:
    study.run("lock")
    lock = read_lock(lock_paths(study.paths)[0])
    assert [(run.arm, run.seed) for run in lock.runs] == [(arm, s) for arm in ("plain", "coupled") for s in range(4)]


def test_a_run_id_follows_from_content_and_ignores_settings_left_out(study: StudyFixture) -> None:
    staged = PLAN.replace("[arms]", '[stages.s]\ntrainer = "lora"\ncorpus = "c"\nsteps = 3\n\n[arms]').replace(
        "coupled = {}", 'coupled = { stages = ["s"] }'
    )
    study.write_plan(staged)
    plan = read_plan(study.paths.plan)
    ids = {run.label: run_id(plan, run) for run in plan.runs()}
    study.write_plan(staged.replace("steps = 3", "steps = 4"))
    changed = read_plan(study.paths.plan)
    differs = {run.label for run in changed.runs() if run_id(changed, run) != ids[run.label]}
    assert differs == {f"tiny/coupled/{seed}" for seed in range(4)}


def test_coreutils_accepts_the_listing_and_sees_a_flipped_byte(tmp_path: Path) -> None:
    root = tmp_path / "project"
    subprocess.run(["git", "clone", "-q", str(PROJECT), str(root)], check=True)
    study = root / "prereg" / "studies" / "spread"
    study.mkdir(parents=True)
    (study / "plan.toml").write_text(PLAN)
    command = [str(PROJECT / ".venv/bin/python"), "-m", "seedlock", "lock", "spread"]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    subprocess.run(command, cwd=root, check=True, capture_output=True, env=environment)
    check = ["sha256sum", "-c", "--strict", "--quiet", "lockfiles/spread/lock-0001.sha256"]
    assert subprocess.run(check, cwd=root, capture_output=True, check=False).returncode == 0
    (study / "plan.toml").write_text(PLAN.replace("0.025", "0.026"))
    assert subprocess.run(check, cwd=root, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda text: text.replace("-0.1,", "-0.2,"), "hypothesis[0].bands"),
        (lambda text: text + "\n# a comment\n", "plan.toml"),
    ],
)
def test_a_changed_plan_stops_every_stage_and_names_the_key(study: StudyFixture, edit: object, named: str) -> None:
    study.run("lock")
    study.write_plan(edit(PLAN))  # type: ignore[operator]  # a lambda from the table above
    said = study.run("analyze", ok=3)
    assert named in said
    assert "seedlock amend" in said


def test_an_extra_file_in_the_study_folder_stops_every_stage(study: StudyFixture) -> None:
    study.run("lock")
    (study.paths.study / "more.jsonl").write_text("{}")
    with pytest.raises(LockedFileChanged, match=r"more\.jsonl"):
        require_lock(study.paths)


def test_a_stage_before_the_lock_is_out_of_order(study: StudyFixture) -> None:
    assert "seedlock lock" in study.run("analyze", ok=5)


@pytest.mark.parametrize("folder", ["runs", "runs/spread", "reports"])
def test_a_stage_writes_nothing_through_a_linked_folder_and_says_how_to_use_another_disk(
    study: StudyFixture, folder: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    study.run("lock")
    disk, place = tmp_path_factory.mktemp("disk"), study.paths.root / folder
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(disk)
    said = study.run("import", str(study.bring_data()), ok=2)
    assert f"a link to {disk}" in said
    assert f"mount --bind {disk} {place}" in said
    assert list(disk.iterdir()) == []
    place.unlink()
    study.run("import", str(study.bring_data()))


@pytest.mark.parametrize("spelled", ["/etc/hostname", "../plan.toml", "link.jsonl", "absent.jsonl", "C:/x.jsonl"])
def test_files_that_leave_the_study_cannot_be_locked(study: StudyFixture, spelled: str) -> None:
    (study.paths.study / "link.jsonl").symlink_to("/etc/hostname")
    study.write_plan(PLAN + f'\n[items.target]\nfile = "{spelled}"\n')
    study.run("lock", ok=2)
    assert not study.paths.locks.exists()


def test_the_checks_of_a_corpus_are_no_results(study: StudyFixture) -> None:
    checks = study.paths.runs / "corpora" / "advice.checks.json"
    checks.parent.mkdir(parents=True)
    checks.write_text("{}")
    assert "retrospective" not in study.run("lock")
    assert read_lock(lock_paths(study.paths)[0]).exposure.outputs == []


def test_locking_when_outputs_exist_is_retrospective(study: StudyFixture) -> None:
    folder = study.paths.report
    folder.mkdir(parents=True)
    (folder / "results.json").write_text("{}")
    assert "retrospective" in study.run("lock")
    assert read_lock(lock_paths(study.paths)[0]).exposure.is_retrospective


def test_outputs_in_git_history_are_not_forgotten(study: StudyFixture) -> None:
    root = study.paths.root
    git(root, "init", "-q")
    folder = study.paths.report
    folder.mkdir(parents=True)
    (folder / "results.json").write_text("{}")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "results")
    git(root, "rm", "-rq", "reports")
    git(root, "commit", "-qm", "results removed")
    study.run("lock")
    lock = read_lock(lock_paths(study.paths)[0])
    assert lock.exposure.is_retrospective
    assert lock.exposure.outputs == ["reports/spread (in git history)"]
    assert lock.commit == git(root, "rev-parse", "HEAD").strip()


def test_data_older_than_the_lock_make_the_study_retrospective(study: StudyFixture) -> None:
    study.run("lock")
    file = study.bring_data()
    old = (datetime.now(UTC) - timedelta(days=3)).timestamp()
    os.utime(file, (old, old))
    assert "retrospective" in study.run("import", str(file))


def test_an_amendment_says_why_and_what_had_been_seen(study: StudyFixture) -> None:
    study.run("lock")
    study.write_plan(PLAN.replace("-0.1,", "-0.2,"))
    study.run("amend", "--reason", "error-in-plan", "--note", "the edge was meant at 0.2")
    locks = [read_lock(file) for file in lock_paths(study.paths)]
    assert [lock.n for lock in locks] == [1, 2]
    assert locks[1].prev_lock == sha256_file(lock_paths(study.paths)[0])
    event = read_ledger(study.paths.ledger)[-1]
    assert (event.body["reason"], event.body["data_seen"]) == ("error-in-plan", "none")


def test_an_amendment_without_a_change_or_a_known_reason_is_refused(study: StudyFixture) -> None:
    study.run("lock")
    study.run("amend", "--reason", "design-change", "--note", "nothing", ok=5)
    assert "design-change" in study.run("amend", "--reason", "because", "--note", "x", ok=2)


def test_only_the_gate_builds_a_locked_plan() -> None:
    builders = [
        path.relative_to(PROJECT).as_posix()
        for folder in ("prereg", "schemas", "training", "generation", "analysis")
        for path in (PROJECT / folder).rglob("*.py")
        if re.search(r"\bLockedPlan\(", path.read_text("utf-8"))
    ]
    assert builders == ["prereg/lock/gate.py"]


def test_every_source_that_decides_a_number_is_locked(study: StudyFixture) -> None:
    study.run("lock")
    locked = {file.path for file in read_lock(lock_paths(study.paths)[0]).code}
    assert locked == set(deciding_files())
    assert {
        "analysis/inference/bands.py",
        "analysis/estimators/pooled_t.py",
        "analysis/measures/marker_rate.py",
    } <= locked
    assert {"schemas/completions.py", "analysis/bayes/hierarchy.py", "lockfiles/environment/core.txt"} <= locked


def test_an_unlockable_design_is_refused_before_anything_is_written(study: StudyFixture) -> None:
    study.write_plan(PLAN.replace("seeds  = [0, 1, 2, 3]", "seeds  = [0]"))
    assert "one-seed" in study.run("lock", ok=2)
    assert not study.paths.locks.exists()


def test_a_deviation_leaves_the_lock_alone_and_lowers_the_status(study: StudyFixture) -> None:
    study.run("lock")
    before = lock_paths(study.paths)[0].read_bytes()
    arguments = ["--pointer", "/missing/runs", "--after", '"analyse and disclose"', "--reason", "a node died"]
    study.run("deviate", *arguments, "--effect", "fewer seeds", "--hypothesis", "H1")
    assert lock_paths(study.paths)[0].read_bytes() == before
    assert "[deviated]" in study.run("status")


def test_a_deviation_may_say_what_the_plan_left_out(study: StudyFixture) -> None:
    study.write_plan(PLAN.replace('kind   = "marker_rate"\nmarker = "[ZLT]"', 'kind = "label_rate"'))
    study.run("lock")
    options = ["--reason", "r", "--effect", "e", "--hypothesis", "H1"]
    study.run("deviate", "--pointer", "/measures/marker/unknown", "--after", '"missing"', *options)
    study.run("deviate", "--pointer", "/measures/marker/unknwon", "--after", '"missing"', *options, ok=2)
    told = [(e.body["before"], e.body["after"]) for e in read_ledger(study.paths.ledger)[1:]]
    assert told == [(None, "missing")]


@pytest.mark.parametrize(
    ("pointer", "after", "hypothesis"),
    [
        ("/missing/nothing", '"x"', "H1"),
        ("/nowhere/runs", '"x"', "H1"),
        ("/missing/runs", '"refuse"', "H1"),
        ("/missing/runs", '"perhaps"', "H1"),
        ("/missing/runs", "not json", "H1"),
        ("/missing/runs", '"analyse and disclose"', "H9"),
    ],
)
def test_a_deviation_that_means_nothing_is_refused(
    study: StudyFixture, pointer: str, after: str, hypothesis: str
) -> None:
    study.run("lock")
    options = ["--reason", "r", "--effect", "e", "--hypothesis", hypothesis]
    study.run("deviate", "--pointer", pointer, "--after", after, *options, ok=2)
    assert len(read_ledger(study.paths.ledger)) == 1


def test_create_lock_takes_its_time_from_the_caller(study: StudyFixture) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    lock, _ = create_lock(study.paths, design_check={}, now=moment)
    assert lock.created_asserted == "2026-01-02T03:04:05+00:00"
    with pytest.raises(OutOfOrder):
        create_lock(study.paths, design_check={}, now=moment)


def test_an_unknown_study_lists_those_there_are(study: StudyFixture) -> None:
    from seedlock.prereg.base.paths import find_study

    with pytest.raises(BadInput, match="did you mean 'spread'"):
        find_study("spraed", study.paths.root)
