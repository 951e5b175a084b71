"""A repository shows every study that it ever locked, and whether all of it holds: registry, badge, CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from docs.make_site import stage_registry
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.site.badge import badge
from seedlock.prereg.site.registry import as_markdown, registry
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PLAN, PROJECT, StudyFixture, completions, git


@pytest.fixture(scope="module")
def repository(reported: StudyFixture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of every kind: reported, running, locked, withdrawn, removed, unreadable, planned."""
    root = tmp_path_factory.mktemp("many") / "root"
    shutil.copytree(reported.paths.root, root, ignore=shutil.ignore_patterns("completions.csv"))

    def study(name: str) -> StudyFixture:
        made = StudyFixture(StudyPaths(root=root, name=name))
        made.write_plan(PLAN.replace("Does the marker spread?", f"What of {name} | *this*?"))
        return made

    study("planned")
    study("unreadable").paths.plan.write_text("[study", "utf-8")
    for name in ("locked", "running", "withdrawn", "removed"):
        study(name).run("lock")
    running = StudyFixture(StudyPaths(root=root, name="running"))
    departed = ("--pointer", "/missing/runs", "--after", '"analyse and disclose"', "--hypothesis", "H1")
    running.run("deviate", *departed, "--reason", "a node failed", "--effect", "a wider interval")
    running.run("import", str(running.bring_data(completions(coupled=(3, 4, 5, 6)))))
    StudyFixture(StudyPaths(root=root, name="withdrawn")).run("withdraw", "--reason", "the corpus was taken back")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all of it")
    for shelf in ("prereg/studies", "lockfiles"):
        shutil.rmtree(root / shelf / "removed")
    return root


def test_every_study_is_in_the_registry_under_what_became_of_it(repository: Path) -> None:
    found = {entry.study: entry for entry in registry(repository)}
    assert {name: entry.state for name, entry in found.items() if name != "spread"} == {
        name: name for name in ("locked", "running", "withdrawn", "removed", "unreadable", "planned")
    }
    assert (found["spread"].state, found["spread"].report) == ("reported", "reports/spread/report.html")
    assert found["spread"].runs == (8, 8)
    assert (found["spread"].status, found["running"].deviations) == ("confirmatory", 1)
    assert found["withdrawn"].says == "the corpus was taken back"
    assert found["locked"].lock_id == verify_study(StudyPaths(root=repository, name="locked")).lock_id


def test_the_page_counts_what_never_led_to_a_report_and_escapes_what_authors_wrote(repository: Path) -> None:
    page = as_markdown(registry(repository))
    assert "7 studies, 1 reported, 1 running, 1 locked, 1 withdrawn, 1 removed, 1 unreadable, 1 planned" in page
    assert "Of 4 that were locked, 3 have no report here." in page
    assert r"What of locked \| \*this\*?<br>`locked`" in page
    for row in (line for line in page.splitlines() if line.startswith("| ")):
        assert row.replace(r"\|", "").count("|") == 8


def test_the_sites_copy_of_a_withdrawn_report_says_so_and_the_report_stays_as_it_is(
    broken: StudyFixture, tmp_path: Path
) -> None:
    page = broken.paths.report / "report.html"
    before = page.read_bytes()
    for name in ("site", "again"):
        (tmp_path / name).mkdir()
    stage_registry(broken.paths.root, tmp_path / "site")
    assert (tmp_path / "site/reports/spread/report.html").read_bytes() == before
    broken.run("withdraw", "--reason", "two items were <wrong>")
    stage_registry(broken.paths.root, tmp_path / "again")
    shown = (tmp_path / "again/reports/spread/report.html").read_text("utf-8")
    assert shown.count("withdrawn after this report was built.</strong> two items were &lt;wrong&gt;</p><main>") == 1
    assert "two items were" in (tmp_path / "again/registry.md").read_text("utf-8")
    assert page.read_bytes() == before
    assert verify_study(broken.paths).exit_code == 0


def test_the_badge_says_what_holds_and_names_what_does_not(repository: Path, tmp_path: Path) -> None:
    studies = [StudyPaths(root=repository, name=name) for name in ("locked", "planned", "spread")]
    drawn = badge([verify_study(paths) for paths in studies])
    assert ElementTree.fromstring(drawn).attrib["aria-label"] == "seedlock: 2 studies hold, T0"  # noqa: S314 - ours
    assert "nothing locked" in badge([verify_study(studies[1])])
    shutil.copytree(repository, tmp_path / "root")
    broken = StudyPaths(root=tmp_path / "root", name="locked")
    broken.plan.write_text("changed", "utf-8")
    assert "locked: P1 does not hold" in badge([verify_study(broken)])


def _verified(root: Path, tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run what the action runs, with a POSIX shell and a `seedlock` on its path."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "seedlock").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m seedlock "$@"\n', "utf-8")
    (tools / "seedlock").chmod(0o755)
    summary = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "SEEDLOCK_ROOT": str(root)}
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        **summary,
        **settings,
    }
    script = ["sh", str(PROJECT / ".ci" / "verify")]
    return subprocess.run(script, capture_output=True, text=True, check=False, env=environment)


def test_the_actions_script_verifies_every_study_and_ends_with_the_first_fault(
    study: StudyFixture, tmp_path: Path
) -> None:
    root = study.paths.root
    study.run("lock")
    good = _verified(root, tmp_path, SEEDLOCK_BADGE="out/badge.svg", SEEDLOCK_OPTIONS="--require T0")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "1 study holds" in (root / "out" / "badge.svg").read_text("utf-8")
    assert "## Locked" in (tmp_path / "summary.md").read_text("utf-8")
    (root / "paper.tex").write_text("\\documentclass{article}\n", "utf-8")
    study.paths.plan.write_text("changed", "utf-8")
    bad = _verified(root, tmp_path, SEEDLOCK_PAPER="paper.tex")
    assert bad.returncode == 3
    assert "the paper binds no number" in bad.stderr  # looked at all the same


def test_the_action_hands_every_input_to_the_script() -> None:
    action = yaml.safe_load((PROJECT / "action.yml").read_text("utf-8"))
    steps = action["runs"]["steps"]
    given = [value for step in steps for value in step.get("env", {}).values() if "inputs." in value]
    assert sorted(given) == sorted(f"${{{{ inputs.{name} }}}}" for name in action["inputs"])
    handed = steps[-1]["env"]
    script = (PROJECT / ".ci" / "verify").read_text("utf-8")
    assert all(f"${{{name}" in script or f"${name}" in script for name in handed)
    assert all(step.get("shell") == "sh" for step in steps if "run" in step)
    scaffold = PROJECT / "prereg/workflow/scaffold/common/github/workflows/verify.yml"
    used = [step for job in yaml.safe_load(scaffold.read_text("utf-8"))["jobs"].values() for step in job["steps"]]
    ours = next(step for step in used if step["uses"] == "./.seedlock")
    assert ours["with"].keys() <= action["inputs"].keys()
