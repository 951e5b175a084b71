"""A lock made by hand, with every digest around it right, is held against what its plan, ledger and history give."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.checks import Check
from tests.conftest import StudyFixture, git
from tests.forging import Document, forge_ledger, forge_lock


def failures(study: StudyFixture) -> dict[str, Check]:
    return {check.id: check for check in verify_study(study.paths).checks if check.state == "fail"}


def without_code(lock: Document) -> None:
    lock["code"] = []
    lock["environment"]["environment_sha256"] = sha256_json([])


def without_estimators(lock: Document) -> None:
    lock["code"] = [file for file in lock["code"] if not file["path"].startswith("analysis/estimators/")]


def fewer_runs(lock: Document) -> None:
    lock["runs"] = lock["runs"][:-2]


def another_run(lock: Document) -> None:
    lock["runs"][0]["run_id"] = "tiny-plain-0-00000000"


def fewer_answers(lock: Document) -> None:
    for run in lock["runs"]:
        run["n_expected"] = 1


def fewer_draws(lock: Document) -> None:
    lock["owed"]["draws"] = 3


def saw_something_else(lock: Document) -> None:
    lock["exposure"]["declared"] = "pilot"


def another_model(lock: Document) -> None:
    lock["models"][0]["revision"] = "sha256:1"


def another_past(lock: Document) -> None:
    lock["ledger_head"] = "0" * 64


def made_earlier(lock: Document) -> None:
    lock["created_asserted"] = "2020-01-01T00:00:00+00:00"


def made_by_a_newer_version(lock: Document) -> None:
    lock["tool_version"] = "99.0"


FORGERIES = [
    made_earlier,
    made_by_a_newer_version,
    without_code,
    without_estimators,
    fewer_runs,
    another_run,
    fewer_answers,
    fewer_draws,
    saw_something_else,
    another_model,
    another_past,
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
def test_a_hand_made_lock_does_not_hold(broken: StudyFixture, forgery: Callable[[Document], None]) -> None:
    forge_lock(broken.paths, forgery)
    failed = failures(broken)
    assert "L4" in failed or "C1" in failed
    assert not {"L1", "L2", "L3", "G1", "R1", "R2"} & failed.keys(), "the forgery is not a good one"


def test_a_lock_of_another_number_than_its_name_fails_and_ends_in_a_list(broken: StudyFixture) -> None:
    forge_lock(broken.paths, lambda lock: lock.update(n=2))
    assert failures(broken)["L2"].findings[0].found == "lock 2"


def test_an_invented_code_list_cannot_name_the_seedlock_at_hand(broken: StudyFixture) -> None:
    def invent(lock: Document) -> None:
        lock["code"][0].update(sha256="0" * 64)
        lock["environment"]["environment_sha256"] = sha256_json(
            [file for file in lock["code"] if file["path"].startswith("lockfiles/")]
        )

    forge_lock(broken.paths, invent)
    assert failures(broken)["C1"].exit_code == 3


UNKNOWN_COMMIT = "9" * 40


@pytest.mark.parametrize(
    ("commit", "said"), [(None, "names no commit"), (UNKNOWN_COMMIT, f"commit {UNKNOWN_COMMIT} is in no history here")]
)
def test_code_that_nothing_at_hand_confirms_is_no_pass(broken: StudyFixture, commit: str | None, said: str) -> None:
    """An invented code list, a false digest of the tool, and a commit that nobody has."""

    def invent(lock: Document) -> None:
        for file in lock["code"]:
            file.update(sha256="0" * 64)
        lock["environment"]["environment_sha256"] = sha256_json(
            [file for file in lock["code"] if file["path"].startswith("lockfiles/")]
        )
        lock["tool"].update(files_sha256="0" * 64, commit=commit)

    forge_lock(broken.paths, invent)
    elsewhere = {"tool": {"version": "0.2.0", "commit": commit, "files_sha256": "0" * 64}}
    forge_ledger(
        broken.paths, lambda lines: [line | elsewhere if line["event"] == "report.built" else line for line in lines]
    )
    done = verify_study(broken.paths)
    check = next(check for check in done.checks if check.id == "C1")
    assert (check.state, failures(broken)) == ("not checked", {})
    assert "nothing that can be checked here says which code made this" in check.findings[0].found
    assert said in check.findings[0].found
    assert (done.exit_code, done.level, done.as_json()["ok"]) == (9, None, False)
    printed = broken.run("verify", ok=9)
    assert "level  none" in printed
    assert (
        "C1 schemas, measures, estimators and decision code are the locked ones: not checked, nothing that" in printed
    )


def test_the_forging_itself_leaves_no_trace(broken: StudyFixture) -> None:
    forge_lock(broken.paths, lambda lock: lock["design"].update(simulation_absent="none was run"))
    assert failures(broken) == {}


def test_outputs_in_history_that_a_lock_keeps_quiet_about_are_found(study: StudyFixture) -> None:
    root = study.paths.root
    git(root, "init", "-q")
    study.paths.report.mkdir(parents=True)
    (study.paths.report / "results.json").write_text("{}")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "results")
    git(root, "rm", "-rq", "reports")
    git(root, "commit", "-qm", "results removed")
    study.run("lock")
    assert failures(study) == {}

    def forget(lock: Document) -> None:
        lock["exposure"].update(outputs=[], is_retrospective=False)

    forge_lock(study.paths, forget)
    assert [fault.promised for fault in failures(study)["L4"].findings] == ["reports/spread (in git history) (derived)"]


def test_a_false_word_about_what_had_been_seen_is_found(study: StudyFixture) -> None:
    study.write_plan(study.paths.plan.read_text().replace("[study]", '[study]\nexposure = "published"'))
    study.run("lock")
    assert failures(study) == {}
    forge_lock(study.paths, lambda lock: lock["exposure"].update(is_retrospective=False))
    assert failures(study)["L4"].findings[0].where == "lock-0001.json exposure.is_retrospective"


def test_an_amendment_cannot_hide_what_had_been_looked_at(broken: StudyFixture) -> None:
    broken.write_plan(broken.paths.plan.read_text().replace("-0.1,", "-0.2,"))
    broken.run("amend", "--reason", "error-in-plan", "--note", "the edge was meant at 0.2")
    forge_lock(broken.paths, lambda lock: lock["exposure"].update(data_seen="none"))
    forge_ledger(
        broken.paths,
        lambda lines: [line | {"data_seen": "none"} if line["event"] == "plan.amended" else line for line in lines],
    )
    assert failures(broken)["L4"].findings[0].where == "lock-0002.json exposure.data_seen"


@pytest.mark.parametrize("moment", ["x", "", "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00+00:00"])
def test_a_lock_of_no_time_is_one_broken_link_and_no_traceback(broken: StudyFixture, moment: str) -> None:
    git(broken.paths.root, "init", "-q", "-b", "main")
    forge_lock(broken.paths, lambda lock: lock.update(created_asserted=moment))
    assert verify_study(broken.paths).exit_code
