"""A report that another Seedlock built: what any of them is held to, and its own code asked to build it again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seedlock.analysis.report import rebuild
from seedlock.analysis.report.check import reading_check
from seedlock.analysis.report.rebuild import rebuild_check
from seedlock.prereg.base.canonical import canonical_json
from seedlock.prereg.base.tool import FOLDERS, NO_PART, Tool
from seedlock.prereg.lock import run_at_lock
from seedlock.prereg.verify.checks import not_checked, tally, verdict
from tests.conftest import PROJECT, StudyFixture, git
from tests.forging import Document, forge_ledger, forge_manifest, replace_text

ANOTHER = Tool(version="0.0.9", commit=None, files_sha256="f" * 64)


def built_by(study: StudyFixture, **tool: str | None) -> None:
    """Make the ledger name another builder, or another commit of this one."""

    def name(line: Document) -> Document:
        return line | {"tool": line["tool"] | tool} if "tool" in line else line

    forge_ledger(study.paths, lambda lines: [name(line) for line in lines])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of Seedlock of which this code is a commit."""
    home = tmp_path_factory.mktemp("tool")
    for folder in FOLDERS:
        left_out = {name.rpartition("/")[2] for name in NO_PART if name.startswith(f"{folder}/")}
        unwanted = shutil.ignore_patterns("__pycache__", *left_out)
        shutil.copytree(PROJECT / folder, home / folder, symlinks=True, ignore=unwanted)
    (home / "docs").mkdir()
    shutil.copyfile(PROJECT / "docs" / "check.html", home / "docs" / "check.html")
    shutil.copytree(
        PROJECT / "src", home / "src", symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg*")
    )
    shutil.copytree(PROJECT / "lockfiles" / "environment", home / "lockfiles" / "environment")
    git(home, "init", "-q", "-b", "main")
    git(home, "add", "-A")
    git(home, "commit", "-qm", "as it is")
    return home


def test_with_replay_the_builders_own_code_builds_the_page_again(
    broken: StudyFixture, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_by(broken, commit=git(checkout, "rev-parse", "HEAD").strip())
    monkeypatch.setattr(rebuild, "this_tool", lambda: ANOTHER)
    monkeypatch.setattr(run_at_lock, "CHECKOUT", checkout)
    monkeypatch.delenv(run_at_lock.INSTALLED, raising=False)
    honest = rebuild_check(broken.paths, by_its_builder=True)
    assert (honest.state, honest.findings) == ("pass", ())
    replace_text(broken.paths.report / "report.html", "</main>", "<p>All reviewers agreed.</p></main>")
    forge_manifest(broken.paths)
    forged = rebuild_check(broken.paths, by_its_builder=True)
    assert (forged.state, forged.exit_code) == ("fail", 3)
    assert "All reviewers agreed." in forged.findings[0].found


def test_a_commit_that_is_not_the_one_of_the_named_files_confirms_nothing(
    broken: StudyFixture, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The builder is named as a real commit, and its files as others than that commit has."""
    built_by(broken, commit=git(checkout, "rev-parse", "HEAD").strip(), files_sha256="0" * 64)
    monkeypatch.setattr(run_at_lock, "CHECKOUT", checkout)
    monkeypatch.delenv(run_at_lock.INSTALLED, raising=False)
    check = rebuild_check(broken.paths, by_its_builder=True)
    assert (check.state, check.exit_code) == ("not checked", 9)


def test_code_that_only_the_studys_own_repository_has_is_never_run(
    broken: StudyFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = broken.paths.root
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "study")
    built_by(broken, commit=git(root, "rev-parse", "HEAD").strip(), files_sha256="0" * 64)
    monkeypatch.delenv(run_at_lock.INSTALLED, raising=False)
    monkeypatch.setattr(run_at_lock, "_run", lambda *_: pytest.fail("it was run"))
    assert rebuild_check(broken.paths, by_its_builder=True).state == "not checked"


def rewrite(file: str, before: str, after: str) -> Callable[[Path], None]:
    def forge(report: Path) -> None:
        assert before in (report / file).read_text("utf-8")
        replace_text(report / file, before, after)

    return forge


def kinder_verdict(report: Path) -> None:
    results = json.loads((report / "results.json").read_bytes())
    results["hypotheses"][0]["verdict"] = ["negligible"]
    (report / "results.json").write_bytes(canonical_json(results) + b"\n")


FORGERIES = {
    "an outcome": (rewrite("report.html", "as predicted</span>", "inconclusive</span>"), "report.html H1"),
    "an outcome in two parts": (rewrite("report.html", " as predicted</span>", " <b>as</b></span>"), "report.html H1"),
    "an outcome more": (
        rewrite("report.html", "</main>", '<span class="outcome">● as predicted</span></main>'),
        "report.html H1",
    ),
    "the status": (rewrite("report.html", ">Confirmatory</span>", ">Deviated</span>"), "report.html"),
    "no status": (rewrite("report.html", 'class="chip', 'class="chop'), "report.html"),
    "the confidence": (
        rewrite("report.html", "Confidence in this answer:", "Confidence, very:"),
        "report.html confidence",
    ),
    "the status of the Markdown": (rewrite("report.md", "**CONFIRMATORY.**", "**PROVEN.**"), "report.md"),
    "a verdict of the Markdown": (rewrite("report.md", "(as predicted)", "(inconclusive)"), "report.md"),
    "a verdict of the results": (kinder_verdict, "/hypotheses/0/verdict"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_words_that_carry_a_verdict_are_the_results_whoever_built_the_page(name: str, broken: StudyFixture) -> None:
    built_by(broken, files_sha256="0" * 64)
    assert reading_check(broken.paths).state == "pass"
    forge, where = FORGERIES[name]
    forge(broken.paths.report)
    forge_manifest(broken.paths)
    check = reading_check(broken.paths)
    assert (check.state, check.exit_code) == ("fail", 3)
    assert where in {finding.where for finding in check.findings}


def test_a_summary_begins_with_a_page_that_was_not_built_again() -> None:
    holds = verdict("R4", "report", "numbers", (), exit_code=3)
    unbuilt = not_checked("R7", "report", "the page", "built by another")
    assert tally([holds, unbuilt]).startswith("the page was NOT built again (R7)")
    assert tally([holds, verdict("R7", "report", "the page", (), exit_code=3)]) == "2 hold"
