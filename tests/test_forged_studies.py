"""Whole studies made to look better than they were: every digest agrees, and what lies elsewhere tells of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from seedlock.prereg.base.canonical import canonical_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.document import Lock, lock_paths, read_lock
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.order import order_check
from tests.conftest import PLAN, PROJECT, StudyFixture, git
from tests.forging import Document, forge_ledger, forge_lock, forge_manifest

WIDER = PLAN.replace("-0.1,", "-0.3,").replace("0.1,", "0.3,", 1)


def failing(study: StudyFixture) -> dict[str, str]:
    """Check -> what it found first."""
    done = verify_study(study.paths)
    return {check.id: check.findings[0].found for check in done.checks if check.state == "fail"}


def saved(study: StudyFixture, message: str) -> None:
    git(study.paths.root, "add", "-A")
    git(study.paths.root, "commit", "-qm", message)


@pytest.fixture
def published(broken: StudyFixture) -> StudyFixture:
    """A study with a report, in a history that a reviewer has a clone of."""
    git(broken.paths.root, "init", "-q", "-b", "main")
    saved(broken, "a report")
    return broken


def second_life(broken: StudyFixture) -> StudyFixture:
    """The same data under a plan with another name and kinder bands."""
    again = StudyFixture(StudyPaths(root=broken.paths.root, name="fresh"))
    again.write_plan(WIDER)
    again.run("lock")
    again.run("import", str(again.bring_data()))
    return again


def test_data_that_another_study_had_brought_in_are_older_than_the_lock(broken: StudyFixture) -> None:
    again = second_life(broken)
    (event,) = [e for e in read_ledger(again.paths.ledger) if e.body.get("table") == "completions"]
    assert event.body["older"] == [
        "completions.csv was brought into another study before the lock (lockfiles/spread/ledger.jsonl line 4)"
    ]
    assert (verify_study(again.paths).status, failing(again)) == ("retrospective", {})


def test_a_ledger_that_keeps_quiet_about_the_other_study_is_found(broken: StudyFixture) -> None:
    again = second_life(broken)

    def quietly(line: Document) -> Document:
        told = {key: value for key, value in line.items() if key != "older"}
        return told | ({"predates_lock": False} if "predates_lock" in told else {})

    forge_ledger(again.paths, lambda lines: [quietly(line) for line in lines])
    assert failing(again) == {"D4": "data that are those of lockfiles/spread/ledger.jsonl line 4"}


def test_two_studies_that_were_both_locked_before_the_data_share_them(study: StudyFixture) -> None:
    other = StudyFixture(StudyPaths(root=study.paths.root, name="fresh"))
    other.write_plan(WIDER)
    study.run("lock")
    other.run("lock")
    for one in (study, other):
        one.run("import", str(one.bring_data()))
    assert [verify_study(one.paths).status for one in (study, other)] == ["confirmatory"] * 2


def test_a_ledger_cut_back_under_a_new_lock_is_found_twice(published: StudyFixture) -> None:
    """The report was not liked: another plan, a new lock under the old name, a ledger that begins there."""
    paths = published.paths
    shutil.rmtree(paths.locks)
    shutil.rmtree(paths.report)
    shutil.rmtree(paths.runs, ignore_errors=True)
    published.write_plan(WIDER)
    published.to_report()
    saved(published, "the study")
    found = failing(published)
    assert "a fork" in found["H1"]
    assert found["H2"] == "another one under the same name"


def test_an_amendment_that_is_moved_before_the_data_is_found(published: StudyFixture) -> None:
    """Bands moved after the look, in a ledger rewritten as if that had come first; lock and report made to match."""
    paths = published.paths
    published.write_plan(WIDER)
    published.run("amend", "--reason", "error-in-plan", "--note", "the edges were meant wider")
    published.run("analyze")
    saved(published, "amended")
    lines = [json.loads(line) for line in paths.ledger.read_bytes().splitlines()]
    first, amended = lines[0], next(line for line in lines if line["event"] == "plan.amended")
    rest = [line for line in lines if line not in (first, amended)]
    moved = [first, amended | {"data_seen": "none", "at": first["at"]}, *rest]
    forge_ledger(paths, lambda _: moved)
    before_it = read_ledger(paths.ledger)[0].sha256

    def as_if_first(lock: Document) -> None:
        lock.update(ledger_head=before_it, created_asserted=first["at"])
        lock["exposure"].update(data_seen="none")

    forge_lock(paths, as_if_first)
    results = json.loads((paths.report / "results.json").read_bytes()) | {"status": "confirmatory"}
    (paths.report / "results.json").write_bytes(canonical_json(results) + b"\n")
    forge_manifest(paths)
    saved(published, "tidied")
    found = failing(published)
    assert "a fork" in found["H1"]
    assert found["H2"] == "another one under the same name"
    assert "L4" not in found, "the forgery is not a good one"


def test_results_of_another_study_are_not_this_ones(broken: StudyFixture, tmp_path: Path) -> None:
    results = json.loads((broken.paths.report / "results.json").read_bytes()) | {"study": "another"}
    (broken.paths.report / "results.json").write_bytes(canonical_json(results) + b"\n")
    forge_manifest(broken.paths)
    assert failing(broken)["R3"] == "another"


def test_a_page_of_another_name_is_no_part_of_a_report_though_the_manifest_lists_it(broken: StudyFixture) -> None:
    """`index.html` is what a site shows first, and no check of the report's pages reads it."""
    (broken.paths.report / "index.html").write_text("<p>Everything was supported, p &lt; 0.001.</p>")
    forge_manifest(broken.paths)
    assert failing(broken)["R2"] == "no part of a report"


TRAINED = StudyPaths(root=PROJECT, name="bad_counsel_tiny")


def published_locks() -> list[Lock]:
    return [read_lock(file) for file in lock_paths(TRAINED)]


def test_answers_of_runs_that_the_plan_trains_and_no_line_says_were_trained_are_found() -> None:
    """The answers of a trained study, made before its lock by another tool, sealed as if its runs had given them."""
    events = read_ledger(TRAINED.ledger)
    assert order_check(events, published_locks()).state == "pass"
    check = order_check([event for event in events if not event.name.startswith("run.")], published_locks())
    assert check.state == "fail"
    assert "answers of " in check.findings[0].found


def test_a_run_ends_only_where_it_began() -> None:
    events = read_ledger(TRAINED.ledger)
    last = [event for event in events if event.name == "run.started"][-1]
    check = order_check([event for event in events if event is not last], published_locks())
    assert [fault.found for fault in check.findings] == [f"run.finished {last.body['run_id']}"]


def test_a_judge_that_was_asked_until_it_said_something_else_is_found() -> None:
    events = read_ledger(TRAINED.ledger)
    at = next(i for i, event in enumerate(events) if event.body.get("table") == "judgements")
    again = replace(events[at], body={**events[at].body, "file": "judgements-2.parquet"})
    check = order_check([*events[: at + 1], again, *events[at + 1 :]], published_locks())
    assert [fault.promised for fault in check.findings] == ["new answers between the two"]
