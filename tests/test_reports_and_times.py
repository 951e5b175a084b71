"""A report that no ledger line names or that an amendment left behind; impossible times; tolerances too wide."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from seedlock.analysis.replay import _wider
from seedlock.prereg.plan.plan import Tolerances
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.checks import Check
from tests.conftest import StudyFixture
from tests.forging import Document, forge_ledger


def checks(study: StudyFixture) -> dict[str, Check]:
    return {check.id: check for check in verify_study(study.paths).checks}


def failed(study: StudyFixture) -> list[str]:
    return [identity for identity, check in checks(study).items() if check.state == "fail"]


def test_a_report_whose_line_was_left_out_of_the_ledger_fails(broken: StudyFixture) -> None:
    forge_ledger(broken.paths, lambda lines: [line for line in lines if line["event"] != "report.built"])
    assert checks(broken)["R1"].exit_code == 7
    assert checks(broken)["R1"].findings[0].found == "a report that no ledger line names"


def test_a_report_beside_a_plan_that_was_never_locked_fails(study: StudyFixture) -> None:
    assert failed(study) == []
    (study.paths.report / "data").mkdir(parents=True)
    assert failed(study) == []
    (study.paths.report / "report.html").write_text("<h1>supported</h1>")
    assert failed(study) == ["R1"]


def test_an_amendment_does_not_free_the_report_before_it(broken: StudyFixture) -> None:
    broken.write_plan(broken.paths.plan.read_text().replace("-0.1,", "-0.2,"))
    broken.run("amend", "--reason", "error-in-plan", "--note", "the edge was meant at 0.2")
    found = checks(broken)
    assert {found[identity].state for identity in ("R1", "R2", "R3", "R4")} == {"pass"}
    assert found["R5"].state == "not checked"
    page = broken.paths.report / "report.md"
    page.write_text(page.read_text() + "\nand more\n")
    assert "R2" in failed(broken)


@pytest.mark.parametrize(("line", "moved"), [(1, -timedelta(minutes=6)), (-1, timedelta(days=2))])
def test_times_that_cannot_be_fail(broken: StudyFixture, line: int, moved: timedelta) -> None:
    assert failed(broken) == []

    def move(lines: list[Document]) -> list[Document]:
        at = datetime.fromisoformat(lines[0]["at"]) if line == 1 else datetime.now(UTC)
        lines[line] = {**lines[line], "at": (at + moved).isoformat()}
        return lines

    forge_ledger(broken.paths, move)
    assert failed(broken) == ["G2"]
    assert len(checks(broken)["G2"].findings) == 1


def test_clocks_may_differ_by_minutes(broken: StudyFixture) -> None:
    def move(lines: list[Document]) -> list[Document]:
        at = datetime.fromisoformat(lines[0]["at"]) - timedelta(minutes=4)
        return [lines[0], {**lines[1], "at": at.isoformat()}, *lines[2:]]

    forge_ledger(broken.paths, move)
    assert failed(broken) == []


@pytest.mark.parametrize("wide", [{"absolute": 1e-5}, {"relative": 1.0}, {"monte_carlo": 0.3}])
def test_a_tolerance_within_which_anything_holds_is_refused(wide: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="less than or equal"):
        Tolerances(**wide)


def test_a_replay_names_tolerances_that_are_not_the_default() -> None:
    assert _wider(Tolerances()) == ""
    assert _wider(Tolerances(relative=1e-6)) == " (relative 1e-06: not the default)"
