"""A real report that is broken in one place is refused before it is published, and by `verify` afterwards."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seedlock.analysis.report import page as page_module
from seedlock.analysis.report.check import reading_check, require_sound
from seedlock.analysis.report.contradictions import contradictions
from seedlock.analysis.report.overstatements import overstatements
from seedlock.analysis.results.schema import Results, read_results
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.errors import ReportRefused
from seedlock.prereg.lock.document import lock_paths
from seedlock.prereg.lock.gate import require_lock
from tests.conftest import StudyFixture
from tests.report_fixture import make_results


def refused(study: StudyFixture) -> str:
    """What `analyze` would say of the report as it lies there."""
    plan = require_lock(study.paths).plan
    with pytest.raises(ReportRefused) as caught:
        require_sound(study.paths.report, read_results(study.paths), plan, study=study.paths.name)
    return str(caught.value)


def test_the_report_of_a_real_analysis_is_sound(reported: StudyFixture) -> None:
    plan = require_lock(reported.paths).plan
    require_sound(reported.paths.report, read_results(reported.paths), plan, study=reported.paths.name)
    check = reading_check(reported.paths)
    assert (check.id, check.state) == ("R6", "pass")


@pytest.mark.parametrize(
    ("pattern", "planted", "found", "promised"),
    [
        (r"</main>", "<p>and 12 more seeds agree</p></main>", "and 12 more seeds agree", "no number outside results"),
        (r"<strong>Look at:</strong>[^<]*", "", "no 'Look at'", "a caption with how to read it"),
        (r"<caption>[^<]*</caption>", "", "a table without a caption", "a caption with what it holds"),
        (r"</main>", "<p>XXX</p></main>", "'XXX' in XXX", "finished prose"),
        (r"</main>", "<p>to be written</p></main>", "'to be written'", "finished prose"),
        (r'(class="outcome [^"]*">\S+ )[^<]*', r"\1not as predicted", "not as predicted", "as predicted"),
        (
            r'(class="confidence">)[^<]*',
            r"\1Confidence in this answer: certain",
            "certain",
            "Confidence in this answer",
        ),
        (r'(<span class="chip \w+">)Confirmatory', r"\1Proven", "status Proven", "Confirmatory everywhere"),
        (r"</main>", '<img src="https://example.org/a.png" alt=""></main>', "loads https", "loads nothing"),
    ],
)
def test_a_page_broken_in_one_place_is_refused_with_what_was_found_and_promised(
    pattern: str, planted: str, found: str, promised: str, broken: StudyFixture
) -> None:
    pages = [broken.paths.report / name for name in ("report.html", "appendix.html")]
    file = next(page for page in pages if re.search(pattern, page.read_text("utf-8")))
    changed = re.sub(pattern, planted, file.read_text("utf-8"), count=1)
    file.write_text(changed, "utf-8")
    said = refused(broken)
    assert re.search(rf"found .*{re.escape(found)}", said)
    assert re.search(rf"promised .*{re.escape(promised)}", said)
    assert f"Next: mend what writes the page, then  seedlock analyze {broken.paths.name}" in said
    assert reading_check(broken.paths).state == "fail"


def test_an_answer_that_is_not_what_the_verdicts_say_is_refused(broken: StudyFixture) -> None:
    for name in ("results.json", "report.html", "report.md"):
        file = broken.paths.report / name
        text = file.read_text("utf-8")
        assert "The data support the claim" in text
        file.write_text(text.replace("The data support the claim", "The data prove beyond doubt"), "utf-8")
    check = reading_check(broken.paths)
    assert check.state == "fail"
    assert [fault.where for fault in check.findings] == ["/answer/sentences"]
    assert "The data prove beyond doubt" in check.findings[0].found
    assert "The data support the claim" in check.findings[0].promised


def test_results_of_another_shape_are_a_fault_and_a_warning_where_the_code_has_moved_on_since(
    broken: StudyFixture,
) -> None:
    file = broken.paths.report / "results.json"
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text("utf-8")).items() if k != "answer"}))
    check = reading_check(broken.paths)
    assert (check.state, check.findings[0].found) == ("fail", "answer: Field required")
    lock = lock_paths(broken.paths)[-1]
    lock.write_text(lock.read_text("utf-8").replace(json.loads(lock.read_bytes())["code"][0]["sha256"], "0" * 64))
    assert reading_check(broken.paths).state == "warn"


def test_verify_names_the_rule_that_a_published_page_breaks(broken: StudyFixture) -> None:
    file = broken.paths.report / "report.html"
    file.write_text(file.read_text("utf-8").replace("</main>", "<p>placeholder</p></main>", 1), "utf-8")
    said = broken.run("verify", ok=3)
    assert re.search(r"FAIL\s+R6", said, re.IGNORECASE)
    assert "'placeholder' in placeholder" in said


def test_analyze_publishes_no_page_with_a_fault_and_the_report_before_it_stands(
    broken: StudyFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(page_module.TEMPLATES, templates)
    page = templates / "page.html.j2"
    end = "</section>\n{% endblock %}"
    page.write_text(page.read_text("utf-8").replace(end, f"<p>and 12 more seeds agree</p>{end}"), "utf-8")
    monkeypatch.setattr(page_module, "TEMPLATES", templates)
    page_module.templates.cache_clear()
    before = sha256_file(broken.paths.report / "report.html")
    try:
        said = broken.run("analyze", ok=3)
    finally:
        page_module.templates.cache_clear()
    assert "it was not published" in said
    assert "and 12 more seeds agree" in said
    assert "Next: mend what writes the page" in said
    assert sha256_file(broken.paths.report / "report.html") == before
    assert not list(broken.paths.report.parent.glob(".*draft"))


type Breakage = Callable[[dict[str, Any]], Any]


def real_results(reported: StudyFixture, breakage: Breakage) -> dict[str, Any]:
    """Results of a real analysis with one entry changed, still of the right form."""
    data: dict[str, Any] = json.loads((reported.paths.report / "results.json").read_text("utf-8"))
    breakage(data)
    return Results.model_validate(data).model_dump(mode="json")


def set_bound(data: dict[str, Any]) -> None:
    data["hypotheses"][0]["bounds"] = [{"assumption": "missing answers pull down", "estimate": 0.1, "ci": [0.0, 0.2],
                                        "verdict": ["about the same", "more"]}]  # fmt: skip


@pytest.mark.parametrize(
    ("breakage", "where"),
    [
        (lambda r: r["hypotheses"][0].update(estimate=0.4, ci=[0.35, 0.45]), "/hypotheses/0/estimate"),
        (lambda r: r["hypotheses"][0].update(ci=[-0.5, 0.9]), "/hypotheses/0/ci"),
        (lambda r: r["hypotheses"][0].update(p_value=0.01, p_adjusted=0.001), "/hypotheses/0/p_adjusted"),
        (lambda r: r["hypotheses"][0]["units"][0].update(k=99, n=16), "/hypotheses/0/units/0/k"),
        (lambda r: r["hypotheses"][0]["bands"][0].update(posterior=0.4), "/hypotheses/0/bands"),
        (lambda r: r["hypotheses"][0].update(decision="inconclusive: one or another", verdict=["a", "b"]),
         "/hypotheses/0/decision"),
        (lambda r: r["accounting"].update(answers=7), "/accounting/answers"),
        (lambda r: r["accounting"].update(runs_with_data=3), "/accounting"),
    ],
)  # fmt: skip
def test_two_statements_of_one_quantity_that_differ_are_found(
    breakage: Breakage, where: str, reported: StudyFixture
) -> None:
    assert list(contradictions(real_results(reported, lambda _: None))) == []
    assert where in [fault.where for fault in contradictions(real_results(reported, breakage))]


def test_a_verdict_stronger_than_missing_answers_allow_is_found(reported: StudyFixture) -> None:
    assert list(overstatements(real_results(reported, lambda _: None), None)) == []
    faults = list(overstatements(real_results(reported, set_bound), None))
    assert [fault.where for fault in faults] == ["/hypotheses/0/verdict"]
    assert "about the same too" in faults[0].promised


def test_confidence_in_a_headline_that_is_open_is_found() -> None:
    data = make_results().model_dump(mode="json")
    data["claims"][0]["decision"] = "undecided"
    assert [fault.where for fault in overstatements(data, None)] == ["/answer/confidence"]
    data["claims"] = []
    data["hypotheses"][0] |= {"verdict": ["none", "intermediate"], "decision": "inconclusive: none or intermediate"}
    assert "none, where the headline is undecided" in [fault.promised for fault in overstatements(data, None)]


def test_a_gate_that_contradicts_its_own_verdict_is_found() -> None:
    data = make_results().model_dump(mode="json")
    data["gates"][0]["verdict"] = ["absent"]
    assert [fault.where for fault in contradictions(data)] == ["/gates/0/passed"]
