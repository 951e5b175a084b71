"""The report: every number bound, every figure captioned, nothing loaded, nothing hostile let through."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_fixture import make_locked, make_posteriors, make_results

from analysis.report.build import build_report
from analysis.results import Results
from prereg.binding import check_markdown, check_page


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    root = tmp_path_factory.mktemp("repository")
    locked = make_locked(root)
    results = make_results(locked.lock_id)
    out = root / "reports" / "marker_leak"
    build_report(results, locked, make_posteriors(), out)
    return results, out


def test_every_number_of_the_page_is_bound_to_results(built: tuple[Results, Path]) -> None:
    results, out = built
    page = (out / "report.html").read_text(encoding="utf-8")
    assert list(check_page(page, results.model_dump(mode="json"))) == []


def test_the_markdown_twin_prints_no_number_of_its_own(built: tuple[Results, Path]) -> None:
    _, out = built
    page, markdown = ((out / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    assert list(check_markdown(markdown, page)) == []
