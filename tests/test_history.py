"""History is append-only: a forger cuts, rewrites, removes and starts again, and each is named with its commit."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seedlock.cli import app
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.ledger import append_event, head_path, read_ledger
from seedlock.prereg.lock.looks import looks_used
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.checks import Check
from seedlock.prereg.verify.history import history_checks, studies_in_history
from tests.conftest import PLAN, StudyFixture, git
from tests.forging import forge_ledger


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> StudyFixture:
    """A locked study in git, with two runs begun, each committed."""
    study = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("kept"), name="spread"))
    study.write_plan(PLAN)
    git(study.paths.root, "init", "-q", "-b", "main")
    study.run("lock")
    commit(study, "locked")
    for run in ("one", "two"):
        append_event(study.paths.ledger, "run.started", {"run_id": run})
        commit(study, run)
    return study


@pytest.fixture
def forged(kept: StudyFixture, tmp_path: Path) -> StudyFixture:
    shutil.copytree(kept.paths.root, tmp_path / "copy")
    return StudyFixture(StudyPaths(root=tmp_path / "copy", name="spread"))


def commit(study: StudyFixture, message: str) -> None:
    git(study.paths.root, "add", "-A")
    git(study.paths.root, "commit", "-qm", message)


def checks(study: StudyFixture) -> dict[str, Check]:
    return {check.id: check for check in verify_study(study.paths).checks}


def cut_back(study: StudyFixture, lines: int) -> None:
    """Leave the first lines of a ledger, with a head that fits them."""
    left = study.paths.ledger.read_bytes().splitlines(keepends=True)[:lines]
    study.paths.ledger.write_bytes(b"".join(left))
    head_path(study.paths.ledger).write_text(f"{hashlib.sha256(left[-1]).hexdigest()}\n")


def test_a_ledger_that_only_grew_holds(kept: StudyFixture) -> None:
    found = checks(kept)
    assert (found["H1"].state, found["H2"].state) == ("pass", "pass")


def test_a_ledger_cut_back_with_a_new_head_is_found_and_the_repair_works_when_typed(forged: StudyFixture) -> None:
    cut_back(forged, 2)
    commit(forged, "tidied")
    fault = checks(forged)["H1"]
    assert fault.state == "fail"
    assert "cut back to 2 lines" in fault.findings[0].found
    command = fault.findings[0].promised.split("; git ")[1].split()
    git(forged.paths.root, *command)
    assert checks(forged)["H1"].state == "pass"


def test_a_ledger_rewritten_after_the_second_line_is_a_fork_even_when_its_old_commits_are_on_another_branch(
    forged: StudyFixture,
) -> None:
    root = forged.paths.root
    git(root, "branch", "old")
    git(root, "reset", "-q", "--hard", "HEAD~1")
    append_event(forged.paths.ledger, "run.started", {"run_id": "other"})
    commit(forged, "another second run")
    fault = checks(forged)["H1"]
    assert fault.state == "fail"
    assert "another line 3 of 3: a fork" in fault.findings[0].found
    said = forged.run("rejoin", "--reason", "two of us wrote at once")
    assert "from line 3 on" in said
    assert checks(forged)["H1"].state == "warn"
    forged.run("rejoin", "--reason", "again", ok=5)


def test_a_fork_that_held_data_is_declared_with_them_and_lowers_the_status(forged: StudyFixture) -> None:
    sealed = {"table": "completions", "file": "completions.parquet", "sha256": "0" * 64, "rows": 1}
    append_event(forged.paths.ledger, "data.sealed", sealed)
    append_event(forged.paths.ledger, "look.opened", {"lock_id": "0" * 64, "data": []})
    commit(forged, "a look that was not liked")
    cut_back(forged, 3)
    append_event(forged.paths.ledger, "run.started", {"run_id": "again"})
    commit(forged, "another try")
    assert verify_study(forged.paths).status == "confirmatory"
    forged.run("rejoin", "--reason", "two of us wrote at once")
    (event,) = [e for e in read_ledger(forged.paths.ledger) if e.name == "fork.declared"]
    assert event.body["held"] == {"data.sealed": 1, "look.opened": 1}
    assert looks_used(read_ledger(forged.paths.ledger)) == 1
    assert (verify_study(forged.paths).status, checks(forged)["H1"].state) == ("deviated", "warn")
    forge_ledger(forged.paths, lambda lines: [{k: v for k, v in x.items() if k != "held"} for x in lines])
    assert checks(forged)["H1"].state == "fail"


def test_a_look_that_several_forks_hold_counts_once_and_none_can_be_left_out(forged: StudyFixture) -> None:
    def look(day: int) -> None:
        append_event(forged.paths.ledger, "look.opened", {"lock_id": "0" * 64, "data": [], "day": day})
        commit(forged, f"look {day}")

    sealed = {"table": "completions", "file": "completions.parquet", "sha256": "0" * 64, "rows": 1}
    append_event(forged.paths.ledger, "data.sealed", sealed)
    look(1)
    look(2)
    cut_back(forged, 3)
    append_event(forged.paths.ledger, "data.sealed", {**sealed, "rows": 2})
    look(3)
    forged.run("rejoin", "--reason", "two of us wrote at once")
    events = read_ledger(forged.paths.ledger)
    assert [len(e.body["looks"]) for e in events if e.name == "fork.declared"] == [1, 2]
    assert looks_used(events) == 3
    forge_ledger(forged.paths, lambda lines: [{k: v for k, v in x.items() if k != "looks"} for x in lines])
    assert checks(forged)["H1"].state == "warn"
    assert looks_used(read_ledger(forged.paths.ledger)) == 4, "unnamed, each is counted"
    forge_ledger(forged.paths, lambda lines: [x | ({"looks": []} if "held" in x else {}) for x in lines])
    assert checks(forged)["H1"].state == "fail"


def test_a_fork_that_a_merge_made_is_found_along_each_parent(forged: StudyFixture) -> None:
    root = forged.paths.root
    git(root, "checkout", "-q", "-b", "side", "HEAD~1")
    append_event(forged.paths.ledger, "run.started", {"run_id": "side"})
    commit(forged, "side")
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "-s", "ours", "-m", "merged", "side")
    git(root, "branch", "-D", "side")
    assert checks(forged)["H1"].state == "fail"


def test_another_branch_that_is_ahead_is_no_fault(forged: StudyFixture) -> None:
    git(forged.paths.root, "checkout", "-q", "-b", "ahead")
    append_event(forged.paths.ledger, "run.started", {"run_id": "three"})
    commit(forged, "ahead")
    git(forged.paths.root, "checkout", "-q", "main")
    assert checks(forged)["H1"].state == "warn"


def test_a_lock_that_only_another_branch_has_is_said_and_no_fault(study: StudyFixture) -> None:
    """A colleague locked on a branch that is yet to be merged; taken away here, it would be one."""
    root = study.paths.root
    git(root, "init", "-q", "-b", "main")
    commit(study, "a plan")
    git(root, "checkout", "-q", "-b", "side")
    study.run("lock")
    commit(study, "locked")
    git(root, "checkout", "-q", "main")
    done = verify_study(study.paths)
    history = {check.id: check for check in done.checks if check.id in {"H1", "H2"}}
    assert done.exit_code == 0
    assert history["H2"].state == "warn"
    assert history["H2"].findings[0].found == "on another branch only"
    git(root, "merge", "-q", "side")
    git(root, "rm", "-rq", "lockfiles")
    commit(study, "taken back")
    assert verify_study(study.paths).exit_code


def test_the_same_lock_committed_here_too_and_then_removed_is_not_excused_by_another_branch(
    forged: StudyFixture,
) -> None:
    """The oldest commit that had it is on the branch alone; a later one that had it too is here."""
    root = forged.paths.root
    git(root, "branch", "old")
    git(root, "checkout", "-q", "--orphan", "main2")
    commit(forged, "the same again")
    git(root, "rm", "-q", "lockfiles/spread/lock-0001.json")
    commit(forged, "without the lock")
    assert history_checks(forged.paths, ())[1].state == "fail"


def test_a_repository_without_a_commit_shows_nothing(study: StudyFixture) -> None:
    git(study.paths.root, "init", "-q", "-b", "main")
    study.run("lock")
    states = {check.id: check.state for check in verify_study(study.paths).checks}
    assert (states["H1"], states["H2"]) == ("not checked", "not checked")


def test_refs_in_a_format_that_is_not_read_are_not_taken_for_none(forged: StudyFixture) -> None:
    (forged.paths.root / ".git" / "reftable").mkdir()
    found = checks(forged)["H1"]
    assert found.state == "not checked"
    assert "reftable" in found.findings[0].found


def test_a_lock_removed_and_one_made_anew_under_its_name_are_found(forged: StudyFixture) -> None:
    shutil.rmtree(forged.paths.locks)
    commit(forged, "starting anew")
    gone = verify_study(forged.paths)
    assert gone.exit_code != 0
    assert "removed" in json.dumps(gone.as_json())
    forged.write_plan(PLAN.replace("-0.1", "-0.3"))
    forged.run("lock")
    commit(forged, "locked")
    assert checks(forged)["H2"].state == "fail"
    assert "another one under the same name" in json.dumps(verify_study(forged.paths).as_json())


def test_a_whole_study_that_disappears_fails_where_all_are_verified_and_is_withdrawn_in_the_open(
    forged: StudyFixture,
) -> None:
    shutil.rmtree(forged.paths.locks)
    shutil.rmtree(forged.paths.study)
    commit(forged, "gone")
    assert studies_in_history(forged.paths.root) == ["spread"]
    root = ("--root", str(forged.paths.root))
    done = CliRunner().invoke(app, ["verify", *root])
    assert done.exit_code == 4
    assert "1 study, 0 of them locked, 0 locks; 1 only in git history" in done.output
    said = forged.run("withdraw", "--reason", "the corpus was taken back")
    assert "restored  prereg/studies/spread/plan.toml" in said
    found = verify_study(forged.paths)
    assert (found.status, found.exit_code) == ("withdrawn", 0)
    assert "[withdrawn]" in forged.run("status")


def test_a_withdrawn_study_goes_no_further_and_is_withdrawn_once(forged: StudyFixture) -> None:
    forged.run("withdraw", "--reason", "no longer needed")
    forged.run("withdraw", "--reason", "no longer needed", ok=5)
    forged.run("import", str(forged.bring_data()), ok=5)
    forged.run("withdraw", "--reason", " ", ok=2)


def test_a_removed_signature_is_found(forged: StudyFixture) -> None:
    signature = forged.paths.locks / "lock-0001.json.sig"
    signature.write_text("signed")
    commit(forged, "signed")
    signature.unlink()
    assert "lock-0001.json.sig" in json.dumps(checks(forged)["H2"].as_json())


def test_a_lock_without_its_plan_is_found_from_the_lock_and_fails(forged: StudyFixture) -> None:
    shutil.rmtree(forged.paths.study)
    assert "plan.toml" in forged.run("verify", ok=3)
    assert "spread" in forged.run("status")


def test_a_shallow_clone_is_not_checked_and_says_what_to_type(kept: StudyFixture, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{kept.paths.root}", "clone")
    found = checks(StudyFixture(StudyPaths(root=tmp_path / "clone", name="spread")))
    assert found["H1"].state == "not checked"
    assert found["H1"].findings[0].promised == "git fetch --unshallow"


def test_without_git_history_is_not_checked(study: StudyFixture) -> None:
    study.run("lock")
    assert checks(study)["H1"].state == "not checked"
    assert read_ledger(study.paths.ledger)
