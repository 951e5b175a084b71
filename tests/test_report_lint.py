"""The report's lint: each planted fault is found, and a sound report has none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from seedlock.analysis.report.build import build_report
from seedlock.analysis.report.contradictions import contradictions
from seedlock.analysis.report.lint import lint_report
from seedlock.analysis.report.overstatements import overstatements
from seedlock.analysis.results.schema import Results
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.verify.pages import read_pages
from tests.report_fixture import make_hypotheses, make_locked, make_posteriors, make_results


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> LockedPlan:
    return make_locked(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def report(locked: LockedPlan) -> tuple[dict[str, str], str, Results]:
    results = make_results(locked.lock_id)
    out: Path = locked.paths.report
    build_report(results, locked, make_posteriors(), out)
    return read_pages(out), (out / "report.md").read_text(encoding="utf-8"), results


def test_a_sound_report_has_no_fault(report: tuple[dict[str, str], str, Results], locked: LockedPlan) -> None:
    pages, markdown, results = report
    assert lint_report(pages, markdown, results, locked.plan) == []


@pytest.mark.parametrize(
    ("pattern", "planted", "complaint"),
    [
        (r"<p>No departure|<h3>Departures", r"<p>We found 12 more.</p>\g<0>", "no number outside results.json"),
        (r">11\.7%<", ">12.7%<", "11.7%"),
        (r'("/hypotheses/0/estimate" data-format=")percent1">11\.7%', r"\1percent0\">12%", "one way to write it"),
        (r"<p><strong>Look at:</strong>[^<]*</p>", "", "a caption with how to read it"),
        (r"<p><strong>Had the claim been false:</strong>[^<]*</p>", "", "a caption with how to read it"),
        (r"<h3>Departures", "<p>TODO: say more</p>\\g<0>", "finished prose"),
        (r"<h3>Departures", "<p>{{ answer }}</p>\\g<0>", "finished prose"),
        (r"<h3>Departures", "<p>The rate is nan here.</p>\\g<0>", "finished prose"),
        (r"<h3>Departures", "<p>None</p>\\g<0>", "finished prose"),
        (r"<h3>Departures", "<p>Lorem ipsum dolor</p>\\g<0>".lower(), "finished prose"),
        (r' role="img" aria-label="[^"]*"', "", "aria-label"),
        (r"<h3>Departures", '<img src="https://example.org/x.png" alt="">\\g<0>', "loads nothing"),
        (r'<span class="chip retrospective">Retrospective</span>', "", "on every section"),
    ],
)  # fmt: skip
def test_a_planted_fault_of_the_page_is_found(
    pattern: str, planted: str, complaint: str, report: tuple[dict[str, str], str, Results]
) -> None:
    pages, markdown, results = report
    broken = re.sub(pattern, planted, pages["report.html"], count=0 if "chip" in pattern else 1)
    assert broken != pages["report.html"]
    faults = lint_report({**pages, "report.html": broken}, markdown, results)
    assert any(complaint in str(fault) for fault in faults), [str(fault) for fault in faults]


@pytest.mark.parametrize(
    ("pattern", "planted", "complaint"),
    [
        (r"</main>", r"<p>We found 12 more.</p>\g<0>", "no number outside results.json"),
        (r">11\.7%<", ">12.7%<", "11.7%"),
        (r"</main>", "<p>TODO: say more</p>\\g<0>", "finished prose"),
        (r'<span class="chip retrospective">Retrospective</span>', "", "on every section"),
    ],
)
def test_a_planted_fault_of_the_appendix_is_found(
    pattern: str, planted: str, complaint: str, report: tuple[dict[str, str], str, Results]
) -> None:
    pages, markdown, results = report
    broken = re.sub(pattern, planted, pages["appendix.html"], count=0 if "chip" in pattern else 1)
    assert broken != pages["appendix.html"]
    faults = lint_report({**pages, "appendix.html": broken}, markdown, results)
    assert any(complaint in str(fault) and "appendix.html" in str(fault) for fault in faults), faults


def test_a_number_only_the_markdown_prints_is_found(report: tuple[dict[str, str], str, Results]) -> None:
    pages, markdown, results = report
    faults = lint_report(pages, markdown + "\nThe true rate is 31.4159%.\n", results)
    assert [fault.found for fault in faults] == ["31.4159"]


def with_hypothesis(index: int, **changes: Any) -> dict[str, Any]:
    hypotheses = make_hypotheses()
    hypotheses[index] |= changes
    data: dict[str, Any] = make_results(hypotheses=hypotheses).model_dump(mode="json")
    return data


@pytest.mark.parametrize(
    ("index", "changes", "where"),
    [
        (0, {"ci": [0.2, 0.3]}, "/hypotheses/0/ci"),
        (0, {"ci_level": 0.9}, "/hypotheses/0/ci_level"),
        (0, {"verdict": ["none", "intermediate"]}, "/hypotheses/0/verdict"),
        (6, {"reasons": []}, "/hypotheses/6/reasons"),
    ],
)
def test_contradictory_statements_of_one_quantity_are_found(index: int, changes: dict[str, Any], where: str) -> None:
    assert where in [fault.where for fault in contradictions(with_hypothesis(index, **changes))]


def test_runs_that_do_not_add_up_are_found() -> None:
    data = make_results().model_dump(mode="json")
    data["accounting"]["runs_missing"] = []
    assert [fault.where for fault in contradictions(data)] == ["/accounting"]


def test_a_cell_that_contradicts_itself_is_found() -> None:
    data = make_results().model_dump(mode="json")
    data["cells"][0] |= {"k": 281, "ci": [0.1, 0.2]}
    data["cells"][12]["reasons"] = []
    assert {fault.where for fault in contradictions(data)} == {"/cells/0/k", "/cells/0/ci", "/cells/12/reasons"}


def test_a_verdict_behind_a_shut_gate_is_too_strong(locked: LockedPlan) -> None:
    data = make_results().model_dump(mode="json")
    assert list(overstatements(data, locked.plan)) == []
    data["gates"][0] |= {"passed": False, "verdict": ["no"]}
    assert [fault.where for fault in overstatements(data, locked.plan)] == ["/hypotheses/0/verdict"]


def test_a_decision_stronger_than_the_bands_left_is_found() -> None:
    data = with_hypothesis(1, decision="pass")
    assert "/hypotheses/1/decision" in [fault.where for fault in overstatements(data, None)]


def test_a_verdict_without_an_estimate_is_found() -> None:
    data = with_hypothesis(6, verdict=["supported"])
    assert "/hypotheses/6/verdict" in [fault.where for fault in overstatements(data, None)]


def test_a_claim_that_outruns_its_members_is_found() -> None:
    data = make_results().model_dump(mode="json")
    data["claims"][0]["members"] = ["H1", "H2-discriminator"]
    assert [fault.where for fault in overstatements(data, None)] == ["/claims/0/decision"]


def test_high_confidence_needs_a_confirmatory_study_and_open_gates() -> None:
    data = make_results().model_dump(mode="json")
    data["answer"]["confidence"] = "high"
    assert [fault.where for fault in overstatements(data, None)] == ["/answer/confidence"] * 2


def test_a_confirmatory_study_has_no_departures() -> None:
    data = make_results(status="confirmatory").model_dump(mode="json")
    assert [fault.where for fault in overstatements(data, None)] == ["/status"]
