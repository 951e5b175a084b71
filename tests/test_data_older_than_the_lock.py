"""Data are older than their lock where their bytes were there before it; the time of a file is a hint and no more."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.earlier_data import blob_id, known_at_lock
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import StudyFixture, completions, git
from tests.forging import Document, forge_ledger, forge_lock


def status(study: StudyFixture) -> str | None:
    return verify_study(study.paths).status


def test_a_copy_of_a_file_that_the_lock_pins_is_older_whatever_its_time(study: StudyFixture) -> None:
    (study.paths.study / "notes.csv").write_text(completions())
    study.run("lock")
    said = study.run("import", str(study.bring_data()))
    assert "retrospective" in said
    assert status(study) == "retrospective"
    (event,) = [e for e in read_ledger(study.paths.ledger) if e.body.get("table") == "completions"]
    assert event.body["older"] == [
        "completions.csv has the bytes of prereg/studies/spread/notes.csv, which the lock pins"
    ]


def test_a_ledger_that_keeps_quiet_about_it_is_found(study: StudyFixture) -> None:
    (study.paths.study / "notes.csv").write_text(completions())
    study.run("lock")
    study.run("import", str(study.bring_data()))
    forge_ledger(study.paths, lambda lines: [quietly(line) for line in lines])
    done = verify_study(study.paths)
    assert done.status == "confirmatory"
    assert [check.id for check in done.checks if check.state == "fail"] == ["D4"]
    assert done.exit_code == 7


def quietly(line: Document) -> Document:
    """A line that says nothing of the age of its data."""
    told = {key: value for key, value in line.items() if key != "older"}
    return told | ({"predates_lock": False} if "predates_lock" in told else {})


def age(study: StudyFixture) -> str:
    return next(check.state for check in verify_study(study.paths).checks if check.id == "D4")


def told(study: StudyFixture, **sources: object) -> None:
    """Make the ledger say this of the files that were imported."""
    forge_ledger(study.paths, lambda lines: [x | (sources if "sources" in x else {}) for x in lines])


def test_imported_rows_that_name_no_file_are_a_fault(study: StudyFixture) -> None:
    study.run("lock")
    study.run("import", str(study.bring_data()))
    assert age(study) == "pass"
    told(study, sources=[{"file": "completions.csv", "sha256": "0" * 64}])
    assert age(study) == "fail"
    told(study, sources=[])
    assert age(study) == "fail"
    forge_ledger(study.paths, lambda lines: [{k: v for k, v in x.items() if k != "sources"} for x in lines])
    assert age(study) == "fail"


def test_a_ledger_that_keeps_quiet_about_data_in_git_history_is_found(study: StudyFixture) -> None:
    root = repository(study)
    (root / "old.csv").write_text(completions())
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a first run")
    git(root, "rm", "-q", "old.csv")
    git(root, "commit", "-qm", "tidied")
    study.run("lock")
    study.run("import", str(study.bring_data()))
    assert age(study) == "pass"
    forge_ledger(study.paths, lambda lines: [quietly(line) for line in lines])
    assert age(study) == "fail"


@pytest.mark.parametrize("commit", [None, "9" * 40])
def test_a_lock_that_names_no_commit_is_held_to_the_history_that_its_file_stands_in(
    study: StudyFixture, commit: str | None
) -> None:
    root = repository(study)
    (root / "old.csv").write_text(completions())
    save(root, "a first run")
    git(root, "rm", "-q", "old.csv")
    study.run("lock")
    study.run("import", str(study.bring_data()))
    forge_ledger(study.paths, lambda lines: [quietly(line) for line in lines])
    forge_lock(study.paths, lambda lock: lock.update(commit=commit))
    save(root, "locked")
    assert age(study) == "fail"


def test_a_hand_made_lock_of_the_first_version_hides_no_older_data(study: StudyFixture) -> None:
    """A downgrade: what version 1 did not keep is left out of lock and ledger."""
    root = repository(study)
    (root / "old.csv").write_text(completions())
    save(root, "a first run")
    git(root, "rm", "-q", "old.csv")
    save(root, "tidied")
    study.run("lock")
    study.run("import", str(study.bring_data()))
    forge_ledger(study.paths, lambda lines: [without_sizes(quietly(line)) for line in lines])

    def older(lock: Document) -> None:
        lock.update(version=1)
        for key in ("tool", "owed"):
            del lock[key]
        del lock["environment"]["libraries"]

    forge_lock(study.paths, older)
    assert age(study) == "fail"
    forge_ledger(study.paths, lambda lines: [{k: v for k, v in line.items() if k != "sources"} for line in lines])
    assert age(study) == "fail"


def without_sizes(line: Document) -> Document:
    sources = [{"file": one["file"], "sha256": one["sha256"]} for one in line.get("sources", [])]
    return line | ({"sources": sources} if sources else {})


def test_data_that_git_held_before_the_lock_though_the_lock_names_an_older_commit_are_warned_of(
    study: StudyFixture,
) -> None:
    root = repository(study)
    study.run("lock")
    (root / "first.csv").write_text(completions())
    git(root, "add", "first.csv")
    git(root, "commit", "-qm", "data before the lock is committed")
    study.run("import", str(study.bring_data()))
    forge_ledger(study.paths, lambda lines: [quietly(line) for line in lines])
    save(root, "locked")
    assert age(study) == "warn"


def save(root: Path, message: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


def repository(study: StudyFixture) -> Path:
    root = study.paths.root
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "plan")
    return root


def test_data_that_were_committed_and_taken_away_again_before_the_lock_are_older(study: StudyFixture) -> None:
    root = repository(study)
    (root / "old.csv").write_text(completions())
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a first run")
    git(root, "rm", "-q", "old.csv")
    git(root, "commit", "-qm", "tidied")
    study.run("lock")
    said = study.run("import", str(study.bring_data()))
    assert "retrospective" in said
    assert status(study) == "retrospective"


def test_data_on_a_branch_that_the_lock_was_not_made_on_are_older_too(study: StudyFixture) -> None:
    root = repository(study)
    git(root, "checkout", "-qb", "side")
    (root / "old.csv").write_text(completions())
    git(root, "add", "-A")
    dated = ["env", "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z", "git", "-C", str(root), "-c", "user.name=T"]
    subprocess.run([*dated, "-c", "user.email=t@example.invalid", "commit", "-qm", "a first run"], check=True)
    git(root, "checkout", "-q", "main")
    study.run("lock")
    study.run("import", str(study.bring_data()))
    assert status(study) == "retrospective"
    forge_ledger(study.paths, lambda lines: [quietly(line) for line in lines])
    assert age(study) == "fail"


def test_data_that_their_own_commit_dates_before_the_lock_are_older_though_the_lock_names_an_older_commit(
    study: StudyFixture,
) -> None:
    """The lock is made on an old commit, its file comes last, and the ledger keeps quiet."""
    root = repository(study)
    first = git(root, "rev-parse", "HEAD").strip()
    (root / "old.csv").write_text(completions())
    save(root, "data")
    git(root, "checkout", "-q", first)
    study.run("lock")
    git(root, "checkout", "-q", "main")
    study.run("import", str(study.bring_data()))
    forge_ledger(study.paths, lambda lines: [later(quietly(line)) for line in lines])
    forge_lock(study.paths, lambda lock: lock.update(created_asserted=HOUR_LATER))
    save(root, "locked")
    assert age(study) == "fail"


HOUR_LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")


def later(line: Document) -> Document:
    return line | {"at": HOUR_LATER}


def test_data_committed_after_the_lock_are_not(study: StudyFixture) -> None:
    root = repository(study)
    study.run("lock")
    file = study.bring_data()
    git(root, "add", "-A")
    git(root, "commit", "-qm", "data")
    lock = read_lock(lock_paths(study.paths)[0])
    later = lock.model_copy(update={"created_asserted": "2020-01-01T00:00:00+00:00"})
    assert known_at_lock([file], study.paths, later) == []
    assert blob_id(file, 20) == git(root, "hash-object", "--no-filters", str(file)).strip()
