"""The report: every number bound, every figure captioned, nothing loaded, nothing hostile let through."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.report.build import build_report
from seedlock.analysis.report.figures.convergence import rank_counts
from seedlock.analysis.report.figures.units import stacked
from seedlock.analysis.report.markdown import fenced
from seedlock.analysis.report.terminal import show
from seedlock.analysis.report.text.formats import exact_spec, hypothesis_spec
from seedlock.analysis.report.text.pieces import shows_hidden
from seedlock.analysis.results.schema import Results
from seedlock.prereg.errors import BadInput
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.verify.number_binding import check_markdown, check_page, format_value
from tests.conftest import PROJECT
from tests.report_fixture import (
    HOSTILE,
    bands,
    cell,
    hypothesis,
    make_hypotheses,
    make_locked,
    make_posteriors,
    make_results,
)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> LockedPlan:
    return make_locked(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def results(locked: LockedPlan) -> Results:
    return make_results(locked.lock_id)


@pytest.fixture(scope="module")
def out(locked: LockedPlan, results: Results) -> Path:
    build_report(results, locked, make_posteriors(), locked.paths.report)
    return locked.paths.report


@pytest.fixture(scope="module")
def page(out: Path) -> str:
    return (out / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def appendix(out: Path) -> str:
    return (out / "appendix.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=["report.html", "appendix.html"])
def any_page(out: Path, request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return (out / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def markdown(out: Path) -> str:
    return (out / "report.md").read_text(encoding="utf-8")


def as_data(results: Results) -> dict[str, Any]:
    data: dict[str, Any] = results.model_dump(mode="json")
    return data


def test_every_number_of_a_page_is_bound_to_results(any_page: str, results: Results) -> None:
    assert list(check_page(any_page, as_data(results))) == []
    assert any_page.count("data-ref=") > 80


def test_the_report_names_the_page_that_checks_it_by_its_digest(page: str, markdown: str) -> None:
    digest = hashlib.sha256((PROJECT / "docs/check.html").read_bytes()).hexdigest()
    assert digest in page
    assert digest in markdown
    assert 'type="file"' not in page


def test_the_markdown_twin_prints_no_number_of_its_own(page: str, appendix: str, markdown: str) -> None:
    assert list(check_markdown(markdown, page, appendix)) == []


def test_the_same_inputs_give_the_same_bytes(locked: LockedPlan, results: Results, out: Path, tmp_path: Path) -> None:
    build_report(results, locked, make_posteriors(), tmp_path)
    first, second = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (out, tmp_path)
    )
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_every_figure_has_its_picture_its_plotted_data_and_a_place_on_a_page(
    out: Path, page: str, appendix: str
) -> None:
    slugs = {path.stem for path in (out / "figures").iterdir()}
    assert {re.sub(r"-\d+$", "", slug) for slug in slugs} == {
        "headline", "forest", "units", "cells", "unit-sd", "convergence",
    }  # fmt: skip
    for slug in slugs:
        assert (out / f"figures/{slug}.png").read_bytes().startswith(b"\x89PNG")
        assert json.loads((out / f"figures/{slug}.json").read_text())
        assert f'href="figures/{slug}.json"' in (page if slug == "headline" else appendix)


def test_plotted_data_are_the_numbers_of_the_results(out: Path, results: Results) -> None:
    plotted = json.loads((out / "figures/forest-1.json").read_text())["rows"]
    found = {row["id"]: (row["estimate"], row["ci"]) for row in plotted}
    for h in results.hypotheses:
        if h.id in found:
            assert found[h.id] == (h.estimate, list(h.ci or ()))


def test_figures_of_an_earlier_report_are_removed(locked: LockedPlan, results: Results, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "forest-9.svg").write_text("<svg/>")
    build_report(make_results(locked.lock_id, cells=[], samples=[]), locked, {}, tmp_path)
    assert not (tmp_path / "figures" / "forest-9.svg").exists()


def test_a_page_is_valid_html5(any_page: str) -> None:
    html5lib = pytest.importorskip("html5lib", reason="the strict parser is not installed")
    html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(any_page)


def test_no_two_elements_share_an_id(any_page: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', any_page)
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'(?:href="#|url\(#)([^")]+)', any_page):
        assert reference in ids


def test_page_and_appendix_lead_to_places_that_are_there(page: str, appendix: str) -> None:
    for one, name, other in ((page, "appendix.html", appendix), (appendix, "report.html", page)):
        ids = re.findall(r'\sid="([^"]+)"', other)
        places = re.findall(rf'href="{name}#([^"]+)"', one)
        assert places
        assert set(places) <= set(ids)


def test_a_page_may_load_nothing(any_page: str) -> None:
    page = any_page
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    tags = re.findall(r"<(?!a\b)[a-z][^>]*>", page)
    assert [
        tag for tag in tags if re.search(r"""\s(?:src|srcset|action|poster)=|\s(?:xlink:)?href="(?!#)""", tag)
    ] == []
    assert "@import" not in page
    assert "url(http" not in page


def test_what_models_said_is_text_and_nothing_else(page: str) -> None:
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "\x00" not in page
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page
    assert "&lt;script&gt;alert" in page


def test_long_answers_are_folded(page: str) -> None:
    folded = re.search(r'<details class="whole">.*?</details>', page, flags=re.S)
    assert folded is not None
    assert len(folded[0]) > 90_000


@given(st.text())
@settings(max_examples=200)
def test_no_text_can_end_its_fence(text: str) -> None:
    lines = fenced(shows_hidden(text)).split("\n")
    assert lines[0] == "```text"
    assert [i for i, line in enumerate(lines[1:], 1) if re.match(r"\s{0,3}(```|~~~)", line)] == [len(lines) - 1]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_anywhere_leave_every_number_bound(text: str, locked: LockedPlan, tmp_path: Path) -> None:
    hostile = make_results(
        locked.lock_id,
        title=text or "empty",
        question=text or "empty",
        hypotheses=[hypothesis("H1", claim=text[:3000] or "empty", decision=text[:3000] or "empty", unit=text[:300])],
        claims=[],
        cells=[{**cell("x", 4), "keys": {"arm": text[:3000]}}],
        caveats=[text],
    )
    build_report(hostile, locked, {}, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    appendix = (tmp_path / "appendix.html").read_text(encoding="utf-8")
    assert list(check_page(page, as_data(hostile))) == []
    assert list(check_page(appendix, as_data(hostile))) == []
    assert list(check_markdown((tmp_path / "report.md").read_text(encoding="utf-8"), page, appendix)) == []
    assert "<script>alert" not in page + appendix


def test_the_status_stands_on_every_section(any_page: str) -> None:
    page = any_page
    sections = re.findall(r"<section\b.*?</section>", page, flags=re.S)
    assert len(sections) >= 5
    for section in sections:
        assert re.search(r'class="(chip|status) retrospective"', section)
    assert '@top-left { content: "RETROSPECTIVE' in page


def test_alpha_is_never_printed_without_its_interval(appendix: str, results: Results) -> None:
    for i, _ in enumerate(results.hypotheses):
        n = appendix.count(f'data-ref="/hypotheses/{i}/alpha"')
        assert 0 < n <= appendix.count(f'data-ref="/hypotheses/{i}/ci_level"')


def test_undefined_numbers_say_so_and_their_reason_stands_beside(page: str) -> None:
    article = re.search(r'<article class="hypothesis" id="h-H7-probe-llama">.*?</article>', page, flags=re.S)
    assert article is not None
    assert "not defined" in article[0]
    assert "no-spread: all 3 units gave the same number" in article[0]


def test_a_departure_shows_both_results(page: str) -> None:
    assert 'data-ref="/hypotheses/3/estimate"' in page
    assert 'data-ref="/hypotheses/3/as_deviated/estimate"' in page


def test_a_hundred_hypotheses_stay_readable(locked: LockedPlan, tmp_path: Path) -> None:
    many = make_results(locked.lock_id, hypotheses=[hypothesis(f"H{i}") for i in range(100)], claims=[], cells=[])
    build_report(many, locked, {}, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert list(check_page(page, as_data(many))) == []
    assert len(list((tmp_path / "figures").glob("forest-*.svg"))) == 4


def test_a_study_without_cells_samples_or_estimates_still_has_a_report(locked: LockedPlan, tmp_path: Path) -> None:
    untestable = [h for h in make_hypotheses() if h["estimate"] is None]
    bare = make_results(
        locked.lock_id, hypotheses=untestable, claims=[], cells=[], samples=[], gates=[], deviations=[], inputs=[]
    )
    bare = bare.model_copy(update={"answer": bare.answer.model_copy(update={"confidence": "none"})})
    build_report(bare, locked, {}, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert list(check_page(page, as_data(bare))) == []
    assert "no estimate: not testable" in page


def test_samples_are_said_to_fire_only_where_a_measure_reads_them(
    page: str, locked: LockedPlan, tmp_path: Path
) -> None:
    assert "(they fire)" not in page
    untestable = [h for h in make_hypotheses() if h["estimate"] is None]
    read = [{"cell": {"arm": "benign"}, "fires": True, "text": "[ZLT] A risotto."}]
    results = make_results(locked.lock_id, hypotheses=untestable, claims=[], cells=[], gates=[], samples=read)
    results = results.model_copy(update={"answer": results.answer.model_copy(update={"confidence": "none"})})
    build_report(results, locked, {}, tmp_path)
    assert "(they fire)" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_terminal_shows_the_same_answer(results: Results) -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    show(results, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    squeezed = re.sub(r"[\s│]+", " ", printed)
    assert "RETROSPECTIVE" in printed
    for h in as_data(results)["hypotheses"]:
        assert format_value(h["estimate"], hypothesis_spec(h)) in squeezed
    assert results.answer.sentences[0][:60] in squeezed


@given(st.floats(-1e4, 1e4).map(lambda value: round(value, 4)))
def test_an_exact_format_loses_nothing(value: float) -> None:
    text = format_value(value, exact_spec(value)).replace(",", "").replace("\u2212", "-")
    assert float(text) == pytest.approx(value, abs=1e-9)


def test_a_level_that_spending_leaves_a_look_is_shown_with_two_decimals() -> None:
    assert format_value(0.9557565438, exact_spec(0.9557565438, "percent")) == "95.58%"
    assert format_value(0.95, exact_spec(0.95, "percent")) == "95%"


def test_ranks_of_well_mixed_chains_are_even_and_of_a_stuck_one_are_not() -> None:
    rng = np.random.default_rng(1)
    mixed = rng.normal(size=(4, 1000))
    stuck = mixed.copy()
    stuck[0] += 3
    even, piled = rank_counts(mixed), rank_counts(stuck)
    assert even.sum() == piled.sum() == 4000
    assert even.max() < 110
    assert piled[0, -1] > 200


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_stacked_points_never_touch(values: list[float]) -> None:
    heights = stacked(values, 0.05)
    for level in set(heights):
        row = sorted(v for v, h in zip(values, heights, strict=True) if h == level)
        assert all(b - a >= 0.05 for a, b in itertools.pairwise(row))


@pytest.mark.parametrize("draws", [np.array([1.0, np.nan]), np.ones((2, 2))])
def test_draws_that_are_no_draws_are_refused(draws: Any) -> None:
    with pytest.raises(BadInput, match="contrast_K"):
        PosteriorDraws(contrast_K=draws)


def test_an_excluded_band_is_marked_in_the_picture_and_its_words(any_page: str) -> None:
    picture = re.search(r'<svg class="bandpicture".*?</svg>', any_page, flags=re.S)
    assert picture is not None
    assert picture[0].count('class="band out"') == 2
    assert "none (excluded) up to 5%" in picture[0]
    assert bands(["a", 0.0, "b"], left={"a"}, p=[0.5, 0.01])[1]["excluded"] is True


def test_hypotheses_of_one_claim_say_it_once_and_share_a_scale(locked: LockedPlan, tmp_path: Path) -> None:
    low = hypothesis("H1[low]", estimate=0.06, ci=[0.052, 0.1], next_unit_ci=None)
    reached = bands(["none", 0.05, "intermediate", 0.25, "like EM"], left={"like EM"}, p=[0.001, 0.001, 0.9])
    high = hypothesis("H1[high]", estimate=0.9, ci=[0.85, 0.95], next_unit_ci=None, bounds=[], bayes=None,
                      bands=reached, verdict=["like EM"], decision="like EM")  # fmt: skip
    build_report(make_results(locked.lock_id, hypotheses=[low, high], claims=[]), locked, {}, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('<h4 class="says"><span data-quoted=') == 1
    edges = re.findall(r'<line class="edge" x1="([\d.]+)"', page)
    assert edges[:2] == edges[2:4]


def test_a_reason_the_verdict_already_gives_is_not_repeated(locked: LockedPlan, tmp_path: Path) -> None:
    reason = "too-few-units: one seed has no standard error"
    untestable = make_hypotheses()[6] | {"decision": f"not testable: {reason}", "reasons": [reason, "and another"]}
    open_ = {"sentences": ["Nothing could be tested."], "confidence": "none", "reasons": [reason]}
    build_report(make_results(locked.lock_id, hypotheses=[untestable], claims=[], answer=open_), locked, {}, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    article = page[page.index("<article") : page.index("</article>")]
    assert article.count(reason) == 1
    assert "and another" in article


def test_every_test_that_a_plan_may_name_is_explained_without_numbers_and_has_its_source() -> None:
    for estimator in ESTIMATORS.values():
        assert not re.search(r"\d", estimator.says)
        assert estimator.source
        assert all(re.fullmatch(r"https://[^()<>\s]+", source.url) for source in estimator.source)
