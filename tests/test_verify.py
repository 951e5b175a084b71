"""A tampering test for every link: verify exits non-zero and names the file, the promise and the finding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seedlock.analysis.replay import did_not_run, pinned
from seedlock.prereg.base.canonical import canonical_json, sha256_file, write_atomic
from seedlock.prereg.errors import NotInstalled, NotReproduced, SeedlockError
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.ledger import append_event
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PLAN, PROJECT, StudyFixture, completions, git


def flip(path: Path, at: int | None = None) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 if at is None else at] ^= 0x01
    path.write_bytes(bytes(raw))


def test_an_untouched_report_passes_every_check_that_can_be_made(reported: StudyFixture) -> None:
    done = verify_study(reported.paths)
    assert done.exit_code == 0
    assert done.level == 0
    assert {check.state for check in done.checks} == {"pass", "not checked"}
    assert done.status == "confirmatory"


FILES = [
    ("prereg/studies/spread/plan.toml", 3),
    ("lockfiles/spread/lock-0001.json", 3),
    ("lockfiles/spread/lock-0001.sha256", 3),
    ("lockfiles/spread/ledger.jsonl", 4),
    ("lockfiles/spread/ledger.head", 4),
    ("runs/spread/sealed/completions.parquet", 3),
    ("reports/spread/data/completions.parquet", 3),
    ("reports/spread/data/items.parquet", 3),
    ("reports/spread/data/runs.parquet", 3),
    ("reports/spread/results.json", 3),
    ("reports/spread/report.html", 3),
    ("reports/spread/report.md", 3),
    ("reports/spread/REVIEW.md", 3),
    ("reports/spread/manifest.sha256", 3),
]


@pytest.mark.parametrize(("file", "code"), FILES)
def test_a_flipped_byte_is_named(broken: StudyFixture, file: str, code: int) -> None:
    flip(broken.paths.root / file)
    done = verify_study(broken.paths)
    assert done.exit_code == code
    text = json.dumps(done.as_json())
    assert Path(file).name.split(".")[0] in text
    assert done.first_failure is not None
    assert all(finding.found and finding.promised for finding in done.first_failure.findings)


def test_every_figure_is_bound(broken: StudyFixture) -> None:
    figures = sorted((broken.paths.report / "figures").iterdir())
    assert figures
    for figure in figures:
        before = figure.read_bytes()
        flip(figure)
        done = verify_study(broken.paths)
        assert done.exit_code == 3
        assert figure.name in json.dumps(done.as_json())
        figure.write_bytes(before)
    assert verify_study(broken.paths).exit_code == 0


@pytest.mark.parametrize("file", [name for name, _ in FILES if not name.startswith("runs/")])
def test_a_missing_file_is_named(broken: StudyFixture, file: str) -> None:
    (broken.paths.root / file).unlink()
    assert verify_study(broken.paths).exit_code in {2, 3, 4, 6}


def test_the_workbench_may_be_gone_when_the_data_are_published(broken: StudyFixture) -> None:
    shutil.rmtree(broken.paths.runs)
    assert verify_study(broken.paths).exit_code == 0


def test_an_extra_file_beside_the_report_is_named(broken: StudyFixture) -> None:
    (broken.paths.report / "better.png").write_bytes(b"x")
    assert "better.png" in json.dumps(verify_study(broken.paths).as_json())


def rehash(study: StudyFixture) -> None:
    """What someone does who edits a report and knows the format: new manifest, new ledger line."""
    lines = (study.paths.report / "manifest.sha256").read_text().splitlines()
    names = [line.split("  ", 1)[1] for line in lines]
    text = "".join(f"{sha256_file(study.paths.report / name)}  {name}\n" for name in names)
    write_atomic(study.paths.report / "manifest.sha256", text.encode())
    body = {
        "lock_id": sha256_file(lock_paths(study.paths)[-1]),
        "manifest_sha256": sha256_file(study.paths.report / "manifest.sha256"),
        "results_sha256": sha256_file(study.paths.report / "results.json"),
    }
    append_event(study.paths.ledger, "report.built", body)


def test_a_number_changed_in_the_page_is_found_even_when_every_digest_was_made_anew(broken: StudyFixture) -> None:
    page = broken.paths.report / "report.html"
    estimate = json.loads((broken.paths.report / "results.json").read_text())["hypotheses"][0]["estimate"]
    shown = f"{100 * estimate:.1f}"
    text = page.read_text("utf-8")
    assert shown in text
    page.write_text(text.replace(shown, "99.9", 1), "utf-8")
    rehash(broken)
    done = verify_study(broken.paths)
    assert done.first_failure is not None
    assert done.first_failure.id == "R4"
    assert "99.9" in json.dumps(done.as_json())


def test_a_number_bound_to_nothing_is_found(broken: StudyFixture) -> None:
    page = broken.paths.report / "report.html"
    page.write_text(page.read_text("utf-8").replace("</main>", "<p>and 12 more seeds agree</p></main>", 1), "utf-8")
    rehash(broken)
    assert "12 more seeds" in json.dumps(verify_study(broken.paths).as_json())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "confirmatory!"),
        ("lock_id", "0" * 64),
        ("deviations", [{"pointer": "/alpha"}]),
        ("claims", [{"id": "C"}]),
    ],
)
def test_results_that_say_something_else_of_themselves_are_an_undisclosed_deviation(
    broken: StudyFixture, key: str, value: object
) -> None:
    file = broken.paths.report / "results.json"
    results = json.loads(file.read_text())
    results[key] = value
    file.write_bytes(canonical_json(results) + b"\n")
    rehash(broken)
    done = verify_study(broken.paths)
    assert done.exit_code == 7


def test_a_hypothesis_dropped_from_the_results_is_found(broken: StudyFixture) -> None:
    file = broken.paths.report / "results.json"
    results = json.loads(file.read_text())
    results["hypotheses"] = []
    file.write_bytes(canonical_json(results) + b"\n")
    rehash(broken)
    assert verify_study(broken.paths).exit_code == 7


def test_results_in_another_spelling_are_named(broken: StudyFixture) -> None:
    file = broken.paths.report / "results.json"
    file.write_text(json.dumps(json.loads(file.read_text()), indent=1))
    rehash(broken)
    done = verify_study(broken.paths)
    assert (done.exit_code, done.first_failure and done.first_failure.id) == (3, "R3")


def test_a_look_after_the_report_is_not_silent(broken: StudyFixture) -> None:
    lock_id = sha256_file(lock_paths(broken.paths)[-1])
    append_event(broken.paths.ledger, "look.opened", {"lock_id": lock_id, "data": []})
    done = verify_study(broken.paths)
    assert done.exit_code == 7
    assert done.first_failure is not None
    assert done.first_failure.id == "R5"


def test_data_before_the_lock_are_out_of_order(study: StudyFixture) -> None:
    append_event(study.paths.ledger, "data.sealed", {"table": "t", "file": "f", "sha256": "0", "rows": 1})
    study.run("lock")
    assert verify_study(study.paths).first_failure is not None
    assert "G2" in {check.id for check in verify_study(study.paths).checks if check.state == "fail"}


def test_planned_runs_that_never_came_are_incomplete_until_the_plan_allows_it(study: StudyFixture) -> None:
    study.run("lock")
    rows = "".join(line for line in completions().splitlines(keepends=True) if ",3,q" not in line)
    study.run("import", str(study.bring_data(rows)))
    said = study.run("analyze", ok=6)
    assert "2 of 8 planned runs" in said
    assert verify_study(study.paths).exit_code == 6


def test_a_disclosed_gap_is_analysed_shown_and_verified(study: StudyFixture) -> None:
    study.write_plan(PLAN + '\n[missing]\nruns = "analyse and disclose"\n')
    study.run("lock")
    rows = "".join(line for line in completions().splitlines(keepends=True) if ",3,q" not in line)
    study.run("import", str(study.bring_data(rows)))
    study.run("analyze")
    done = verify_study(study.paths)
    assert done.exit_code == 0
    assert [check.state for check in done.checks if check.id == "D3"] == ["warn"]
    results = json.loads((study.paths.report / "results.json").read_text())
    assert len(results["accounting"]["runs_missing"]) == 2


def test_the_command_line_exits_with_the_code_of_the_link_and_speaks_json(broken: StudyFixture) -> None:
    flip(broken.paths.report / "results.json")
    said = broken.run("verify", "--json", ok=3)
    document = json.loads(said[: said.rindex("}") + 1])
    assert document["exit_code"] == 3
    assert {"id", "link", "state", "what", "findings"} <= document["checks"][0].keys()


@pytest.fixture(scope="module")
def locked_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's code in git, with one locked study, run as a person runs it."""
    root = tmp_path_factory.mktemp("locked") / "project"
    root.mkdir()
    skip = shutil.ignore_patterns("__pycache__", "studies", "weights")
    for name in ("prereg", "schemas", "analysis", "generation", "training", "src"):
        shutil.copytree(PROJECT / name, root / name, ignore=skip, symlinks=name == "src")
    shutil.copytree(PROJECT / "lockfiles" / "environment", root / "lockfiles" / "environment")
    study = root / "prereg" / "studies" / "spread"
    study.mkdir(parents=True)
    (study / "plan.toml").write_text(PLAN)
    (root / ".gitignore").write_text("__pycache__/\nruns/\n*.lock\n/completions.csv\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "plan")
    seedlock(root, "lock", "spread")
    return root


@pytest.fixture(scope="module")
def reported_checkout(locked_checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a report."""
    root = tmp_path_factory.mktemp("reported") / "project"
    shutil.copytree(locked_checkout, root, symlinks=True)
    (root / "completions.csv").write_text(completions())
    seedlock(root, "import", "spread", "completions.csv")
    seedlock(root, "analyze", "spread")
    return root


def seedlock(root: Path, *arguments: str, code: int = 0) -> str:
    command = [str(PROJECT / ".venv/bin/python"), "-m", "seedlock", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def move_on(root: Path, source: str) -> None:
    """Change a source file by a comment."""
    file = root / source
    file.write_text(file.read_text() + "\n# moved on\n")


@pytest.mark.parametrize(
    "source", ["schemas/completions.py", "analysis/measures/marker_rate.py", "analysis/estimators/pooled_t.py"]
)
def test_changed_code_stops_a_study_that_is_not_reported(locked_checkout: Path, source: str, tmp_path: Path) -> None:
    root = shutil.copytree(locked_checkout, tmp_path / "project", symlinks=True)
    move_on(root, source)
    assert source in seedlock(root, "verify", "spread", code=3)
    assert source in seedlock(root, "analyze", "spread", code=3)


def test_after_the_report_code_may_move_on_but_the_proof_may_not(reported_checkout: Path, tmp_path: Path) -> None:
    root = shutil.copytree(reported_checkout, tmp_path / "project", symlinks=True)
    move_on(root, "analysis/estimators/pooled_t.py")
    said = seedlock(root, "verify", "spread")
    assert "warn  C1" in said
    assert "analysis/estimators/pooled_t.py" in said
    flip(root / "reports" / "spread" / "results.json")
    seedlock(root, "verify", "spread", code=3)


def test_a_departure_found_after_the_code_moved_on_is_declared_and_reported_with_the_locked_code(
    reported_checkout: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(reported_checkout, tmp_path / "project", symlinks=True)
    move_on(root, "analysis/estimators/pooled_t.py")
    told = ("--reason", "a slip", "--effect", "wider", "--hypothesis", "H1")
    said = seedlock(root, "deviate", "spread", "--pointer", "/inference/alpha", "--after", "0.01", *told)
    assert "Next: seedlock analyze spread --at-lock" in said
    seedlock(root, "verify", "spread", code=7)
    assert "seedlock analyze spread --at-lock" in seedlock(root, "analyze", "spread", code=3)
    seedlock(root, "analyze", "spread", "--at-lock")
    assert "[deviated]" in seedlock(root, "verify", "spread")


def test_verify_and_help_import_nothing_heavy() -> None:
    probe = (
        "import sys, seedlock.prereg.verify.chain, seedlock.prereg.workflow.status, seedlock\n"
        "print([m for m in ('numpy','pandas','torch','duckdb','pyarrow','scipy','pandera') if m in sys.modules])"
    )
    done = subprocess.run(
        [str(PROJECT / ".venv/bin/python"), "-c", probe], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_package_pinned_for_another_system_is_not_missed_here() -> None:
    lock = "one==1.2 \\\n    --hash=sha256:0\n    # via two\n"
    lock += "two==3 ; sys_platform == 'nowhere' \\\n    --hash=sha256:0\n"
    assert [str(promised) for promised in pinned(lock)] == ["one==1.2"]


def test_a_null_result_is_a_success(study: StudyFixture) -> None:
    study.run("lock")
    study.run("import", str(study.bring_data(completions(plain=(3, 4, 5, 4), coupled=(4, 3, 5, 5)))))
    study.run("analyze")
    study.run("verify")


def test_a_replay_gives_the_same_numbers_and_a_changed_number_is_not_reproduced(broken: StudyFixture) -> None:
    assert "ok    X1" in broken.run("verify", "--replay")
    file = broken.paths.report / "results.json"
    results = json.loads(file.read_text())
    results["hypotheses"][0]["se"] += 1e-6
    file.write_text(json.dumps(results))
    rehash(broken)
    said = broken.run("verify", "--replay", ok=3)  # the page no longer says what results.json says, and before that:
    assert "FAIL  X1" in said
    assert "/hypotheses/0/se" in said


@pytest.mark.parametrize(
    ("code", "kind", "then"),
    [
        ("import seedlock_absent.part", NotInstalled, "at-lock/bin/pip install seedlock=="),
        ("raise ModuleNotFoundError(\"No module named 'nutpie'\")", NotInstalled, "bayes"),
        (
            "raise SystemExit('NotInstalled: no nutpie\\nNext: ./just setup bayes')",
            NotInstalled,
            "just setup",
        ),
        ("1 / 0", NotReproduced, ""),
        ("raise SystemExit('PlanChanged: not the plan\\nNext: restore it')", NotReproduced, ""),
    ],
)
def test_a_library_that_the_locked_code_lacks_is_not_a_failure_of_the_study(
    study: StudyFixture, code: str, kind: type[SeedlockError], then: str
) -> None:
    study.run("lock")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    error = did_not_run(read_lock(lock_paths(study.paths)[-1]), done.stderr, done.returncode)
    assert type(error) is kind
    assert then in error.then
    assert "Traceback" not in str(error)
    if code == "1 / 0":
        assert error.findings[0].found == "ZeroDivisionError: division by zero"


def test_a_simulation_that_the_lock_did_not_record_is_named(study: StudyFixture) -> None:
    study.run("simulate", "--simulations", "100")
    study.run("lock")
    study.run("import", str(study.bring_data()))
    study.run("analyze")
    assert "ok    P3" in study.run("verify")
    assert "What is replicated?" in (study.paths.report / "appendix.html").read_text("utf-8")
    file = study.paths.locks / "simulation.json"
    text = file.read_text("utf-8")
    file.write_text(text.replace('"simulations":100', '"simulations":900'), "utf-8")
    assert "FAIL  P3" in study.run("verify", ok=3)
    file.unlink()
    assert "simulation.json" in study.run("verify", ok=6)


def test_a_study_that_was_never_simulated_says_so(reported: StudyFixture) -> None:
    assert "--    P3" in reported.run("verify")
