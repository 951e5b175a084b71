"""A page, Markdown file or figure that is not what the results give fails, however well its digests were forged."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.findings.summary_sentences import answer_of
from seedlock.analysis.report import rebuild
from seedlock.analysis.report.check import reading_check
from seedlock.analysis.report.headlines import OPENINGS, overclaims
from seedlock.analysis.report.kept_draws import KEPT, draws_faults, keep_draws, read_draws
from seedlock.analysis.report.rebuild import rebuild_check
from seedlock.analysis.results.schema import Results, read_results
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PROJECT, StudyFixture
from tests.forging import Document, forge_ledger, forge_manifest
from tests.report_fixture import make_results

STUDIES = sorted(path.parent.name for path in (PROJECT / "reports").glob("*/results.json"))


def edit(file: str, pattern: str, planted: str) -> Callable[[Path], None]:
    """Replace the first match in one file of a report."""

    def forge(report: Path) -> None:
        text = (report / file).read_text("utf-8")
        changed = re.sub(pattern, planted, text, count=1, flags=re.DOTALL)
        assert changed != text, f"{pattern} is not in {file}"
        (report / file).write_text(changed, "utf-8")

    return forge


def swap(one: str, other: str) -> Callable[[Path], None]:
    """Give one figure the bytes of another."""

    def forge(report: Path) -> None:
        shutil.copyfile(report / "figures" / other, report / "figures" / one)

    return forge


EDITS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a sentence added": ("report.html", edit("report.html", "</main>", "<p>All reviewers agreed.</p></main>")),
    "a section deleted": ("report.html", edit("report.html", r'<section[^>]*id="accounting".*?</section>', "")),
    "the limits deleted": ("report.html", edit("report.html", r"<li>.*?</li>", "")),
    "a script added": ("report.html", edit("report.html", "</body>", "<script>document.title = 1</script></body>")),
    "the policy loosened": ("report.html", edit("report.html", "default-src [^;]*", "default-src *")),
    "a style that hides": ("report.html", edit("report.html", "</style>", "#accounting{display:none}</style>")),
    "a link added": ("report.html", edit("report.html", "</main>", '<a href="https://example.org">more</a></main>')),
    "an attribute added": ("report.html", edit("report.html", "<main", "<main hidden")),
    "a comment added": ("report.html", edit("report.html", "</main>", "<!-- x --></main>")),
    "one space": ("report.html", edit("report.html", "</main>", " </main>")),
    "a last line": ("report.html", edit("report.html", r"\Z", "\n")),
    "a digest exchanged": ("report.html", edit("report.html", "[0-9a-f]{64}", "0" * 64)),
    "a number of the appendix": ("appendix.html", edit("appendix.html", r'(data-format="p"[^>]*>)[^<]*', r"\g<1>0.5")),
    "a section of the appendix": ("appendix.html", edit("appendix.html", r'<section[^>]*id="cells".*?</section>', "")),
    "no appendix": ("appendix.html", lambda folder: (folder / "appendix.html").unlink()),
    "the title": ("report.html", edit("report.html", r"<title>[^<]*</title>", "<title>Proof</title>")),
    "a caption": ("report.html", edit("report.html", r"(Look at:</strong>)[^<]*", r"\1 nothing.")),
    "a picture in the page": ("report.html", edit("report.html", r"(<svg.*?)</svg>", r"\1<path d='M0 0'/></svg>")),
    "a heading of the Markdown": ("report.md", edit("report.md", r"^# ", "## ")),
    "a line of the Markdown": ("report.md", edit("report.md", r"\Z", "Reviewed by all.\n")),
    "a paragraph of the Markdown cut": ("report.md", edit("report.md", r"\n\n[^\n]+\n\n", "\n\n")),
    "a command of REVIEW.md": ("REVIEW.md", edit("REVIEW.md", "--strict", "--ignore-missing")),
    "a figure's picture": ("figures/cells-1.svg", edit("figures/cells-1.svg", r"</svg>", "<g/></svg>")),
    "a figure's raster": ("figures/cells-1.png", swap("cells-1.png", "units-1.png")),
    "a figure's data": ("figures/cells-1.json", swap("cells-1.json", "units-1.json")),
    "a figure gone": ("figures/cells-1.png", lambda report: (report / "figures" / "cells-1.png").unlink()),
    "a file more": ("figures/extra.svg", swap("extra.svg", "cells-1.svg")),
}


def test_the_report_of_this_seedlock_is_built_again_to_the_byte(reported: StudyFixture) -> None:
    check = rebuild_check(reported.paths)
    assert (check.id, check.state, check.findings) == ("R7", "pass", ())


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_with_every_digest_forged_is_named_by_file_and_place(name: str, broken: StudyFixture) -> None:
    file, forge = EDITS[name]
    forge(broken.paths.report)
    forge_manifest(broken.paths)
    check = rebuild_check(broken.paths)
    assert (check.id, check.state, check.exit_code) == ("R7", "fail", 3)
    assert [finding.where.split(" ")[0] for finding in check.findings] == [f"reports/spread/{file}"]
    assert check.findings[0].found != check.findings[0].promised


def test_verify_fails_by_the_rebuilding_alone_where_every_digest_was_forged(broken: StudyFixture) -> None:
    edit("report.html", "</main>", "<!-- x --></main>")(broken.paths.report)
    forge_manifest(broken.paths)
    done = verify_study(broken.paths, reading=lambda paths: iter([reading_check(paths), rebuild_check(paths)]))
    assert [check.id for check in done.checks if check.state == "fail"] == ["R7"]
    assert done.checks[[check.id for check in done.checks].index("R7")].findings[0].found.count("<!-- x -->") == 1


def test_a_report_of_another_seedlock_is_not_checked_and_says_which_built_it(broken: StudyFixture) -> None:
    other = {"version": "9.9.9", "commit": None, "files_sha256": "0" * 64, "libraries_sha256": "0" * 64}
    forge_ledger(broken.paths, lambda lines: [e | {"tool": other} if "tool" in e else e for e in lines])
    check = rebuild_check(broken.paths)
    assert (check.state, check.exit_code) == ("not checked", 9)
    assert "built by Seedlock 9.9.9, files sha256:000000000000" in check.findings[0].found
    assert check.findings[0].promised.startswith("pip install seedlock==9.9.9")


def test_only_a_lock_of_version_1_has_a_report_without_a_builder(broken: StudyFixture) -> None:
    """Whoever retouches a page and takes the builder out of the ledger does not get round the rebuilding."""
    old = StudyPaths(root=PROJECT, name="published_bird_seeds")
    assert rebuild_check(old).state == "not checked"
    edits: list[Document] = [{}, {"tool": {}}]
    for edit in edits:
        forge_ledger(broken.paths, lambda lines: [_without_tool(e) | (edit if "tool" in e else {}) for e in lines])  # noqa: B023
        assert rebuild_check(broken.paths).state == "fail"


def _without_tool(line: Document) -> Document:
    return {key: value for key, value in line.items() if key != "tool"}


def test_with_other_drawing_libraries_a_figure_is_held_to_its_data(
    broken: StudyFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "drawn_with", lambda: "0" * 64)
    assert rebuild_check(broken.paths).state == "pass"
    edit("figures/cells-1.json", r"(\d)\.(\d)", r"\1.9\2")(broken.paths.report)
    check = rebuild_check(broken.paths)
    assert check.state == "fail"
    assert "reports/spread/figures/cells-1.json line 1" in [finding.where for finding in check.findings]


def test_a_picture_that_runs_a_program_is_never_taken_as_published(
    broken: StudyFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "drawn_with", lambda: "0" * 64)
    edit("figures/cells-1.svg", "</svg>", "<script>1</script></svg>")(broken.paths.report)
    assert "reports/spread/figures/cells-1.svg" in {f.where.split(" ")[0] for f in rebuild_check(broken.paths).findings}


def bayesian(estimate: float = 0.2) -> tuple[dict[str, PosteriorDraws], dict[str, Any]]:
    """One hypothesis with draws of a known mean and interval, and the results that state them."""
    draws_K = np.random.default_rng(0).normal(estimate, 0.05, 4000)
    low, high = np.quantile(draws_K, [0.025, 0.975])
    stated = {"estimate": float(draws_K.mean()), "ci": [float(low), float(high)], "ci_level": 0.95, "diagnostics": {}}
    draws = PosteriorDraws(contrast_K=draws_K, unit_sd_unit="log-odds", chains_CK={"contrast": draws_K.reshape(4, -1)})
    return {"H1": draws}, {"hypotheses": [{"id": "H1", "bayes": stated}, {"id": "H2", "bayes": None}]}


def test_draws_kept_beside_the_report_come_back_and_are_held_to_the_results(tmp_path: Path) -> None:
    draws, results = bayesian()
    keep_draws(draws, tmp_path)
    again = read_draws(tmp_path, results)
    np.testing.assert_array_equal(again["H1"].contrast_K, draws["H1"].contrast_K.astype(np.float32))
    np.testing.assert_array_equal(again["H1"].chains_CK["contrast"].ravel(), again["H1"].contrast_K)
    assert len(json.loads((tmp_path / KEPT).read_bytes())["arrays"]) == 1  # the chains are the same numbers
    assert list(draws_faults(again, results)) == []
    other, _ = bayesian(0.21)
    assert [f.found.split()[0] for f in draws_faults(other, results)] == ["mean", "low", "high"]
    assert [f.found for f in draws_faults({}, results)] == ["no draws"]


def test_a_headline_that_its_bands_do_not_give_fails_in_a_report_of_any_version(broken: StudyFixture) -> None:
    """Bands left open, every sentence and digest forged, and the builder named as somebody else."""
    file = broken.paths.report / "results.json"
    data = json.loads(file.read_bytes())
    for band in data["hypotheses"][0]["bands"]:
        band["excluded"] = False
    file.write_text(json.dumps(data))
    other = {"version": "0.0.1", "commit": None, "files_sha256": "0" * 64, "libraries_sha256": "0" * 64}
    forge_ledger(broken.paths, lambda lines: [e | {"tool": other} if "tool" in e else e for e in lines])
    check = reading_check(broken.paths)
    assert check.state == "fail"
    assert [f.where for f in check.findings] == ["/answer/sentences/0", "/hypotheses/0/verdict"]
    assert check.findings[0].promised == "a headline for open, as the bands left standing are"


@pytest.mark.parametrize("name", STUDIES)
def test_no_published_headline_claims_more_than_its_bands_and_a_stronger_one_is_found(name: str) -> None:
    data = json.loads((StudyPaths(root=PROJECT, name=name).report / "results.json").read_bytes())
    assert list(overclaims(data)) == []
    data["answer"]["sentences"][0] = "The data prove beyond doubt: it is so."
    assert len(list(overclaims(data))) == 1
    data["answer"]["sentences"][0] = "The data support the claim: it is so."
    for h in data["hypotheses"]:
        h["bands"][0]["excluded"] = h["bands"][-1]["excluded"] = False
    assert len(list(overclaims(data))) == 1


@pytest.mark.parametrize("decision", ["supported", "not supported", "undecided", "not testable"])
def test_every_first_sentence_begins_as_a_known_opening(decision: str, reported: StudyFixture) -> None:
    data = make_results().model_dump(mode="json")
    data["claims"][0]["decision"] = decision
    for status in ("confirmatory", "deviated", "retrospective", "exploratory"):
        results = Results.model_validate(data | {"status": status})
        first = answer_of(results, require_lock(reported.paths).plan).sentences[0]
        assert any(first.startswith(words) for words in OPENINGS), first
    assert read_results(reported.paths).answer.sentences
