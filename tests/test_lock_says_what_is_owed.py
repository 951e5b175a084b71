"""A lock names the tool that made it, the libraries it found, and how many answers every run owes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import grimp
import pytest

from seedlock.generation.requests.items import plan_items
from seedlock.prereg.base import distributions
from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.canonical import canonical_json, sha256_bytes, sha256_file
from seedlock.prereg.base.distributions import ANALYSIS, altered, installed
from seedlock.prereg.base.paths import StudyPaths, list_studies
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import LockedFileChanged
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.lock.owed import owed_by_a_run
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.verify import libraries
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.counts import rows_of_runs
from seedlock.prereg.verify.libraries import library_faults
from tests.conftest import PLAN, PROJECT, StudyFixture, completions

ORGANISM = PROJECT / "training" / "organisms" / "weights" / "llama"
GENERATED = PLAN[: PLAN.index("[import]")] + PLAN[PLAN.index("[measures.marker]") :]


def test_the_lock_names_the_tool_by_its_bytes(study: StudyFixture) -> None:
    study.run("lock")
    lock = read_lock(lock_paths(study.paths)[0])
    assert lock.version == 2
    assert lock.tool is not None
    assert (lock.tool.files_sha256, lock.tool.version) == (this_tool().files_sha256, lock.tool_version)


def test_libraries_are_named_by_the_files_their_wheels_brought(study: StudyFixture) -> None:
    study.run("lock")
    lock = read_lock(lock_paths(study.paths)[0])
    named = {library.name: library for library in lock.environment.libraries or []}
    assert {"numpy", "scipy", "pandas", "duckdb", "statsmodels"} <= named.keys()
    assert named["numpy"].record_sha256 == {one.name: one for one in installed()}["numpy"].record_sha256


def test_a_replay_says_which_library_is_another_or_was_edited(
    study: StudyFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run("lock")
    lock = read_lock(lock_paths(study.paths)[0])
    monkeypatch.setattr(
        libraries, "altered", lambda name: ["scipy/stats/_continuous_distns.py"] if name == "scipy" else []
    )
    assert [fault.where for fault in library_faults(lock)] == ["package scipy: scipy/stats/_continuous_distns.py"]
    monkeypatch.setattr(libraries, "altered", lambda _: [])
    rebuilt = [replace(one, record_sha256="0" * 64) if one.name == "numpy" else one for one in installed()]
    monkeypatch.setattr(libraries, "installed", lambda: rebuilt)
    assert [fault.where for fault in library_faults(lock)] == ["package numpy"]
    monkeypatch.setattr(libraries, "installed", lambda: [one for one in rebuilt if one.name != "numpy"])
    assert any(fault.found == "not installed" for fault in library_faults(lock))


def test_a_library_edited_in_place_is_found_though_its_version_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "means.py").write_text("def mean(x): return sum(x) / len(x)\n")
    digest = distributions._spelled(bytes.fromhex(sha256_file(tmp_path / "means.py")))
    info = tmp_path / "means-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: means\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"means.py,sha256={digest},37\nmeans-1.0.dist-info/RECORD,,\n../../bin/x,sha256=0,1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(altered("means")) == []
    (tmp_path / "means.py").write_text("def mean(x): return sum(x) / len(x) + 0.1\n")
    assert list(altered("means")) == ["means.py"]
    (tmp_path / "means.py").unlink()
    assert list(altered("means")) == ["means.py"]


def test_the_analysis_imports_no_library_that_a_lock_does_not_name() -> None:
    graph = grimp.build_graph("seedlock", include_external_packages=True)
    rooms = [
        f"seedlock.analysis.{name}" for name in ("bayes", "estimators", "inference", "inside", "measures", "scoring")
    ]
    modules = {module for room in rooms for module in (room, *graph.find_descendants(room))}
    used = {name.split(".")[0] for m in modules for name in graph.find_modules_directly_imported_by(m)}
    libraries = {name.replace("_", "-") for name in used - sys.stdlib_module_names - {"seedlock"}}
    assert "numpy" in libraries
    assert libraries <= set(ANALYSIS)


def test_what_every_run_of_the_published_plans_owes_is_what_generation_asks_and_sealed() -> None:
    checked = 0
    for name in list_studies(PROJECT):
        paths = StudyPaths(root=PROJECT, name=name)
        plan = read_plan(paths.plan)
        owed = owed_by_a_run(plan, paths.study)
        if plan.import_ is not None or plan.decoding is None:
            assert owed.answers is None
            assert owed.unknown
            continue
        asked = {item.item_id: item for item in plan_items(plan, paths.study)}.values()
        assert owed.answers == sum(1 if item.probe else plan.decoding.draws for item in asked)
        sealed = [event for event in read_ledger(paths.ledger) if event.name == "data.sealed"]
        assert set(rows_of_runs(sealed).values()) <= {owed.answers}
        checked += 1
    assert checked > 3


def test_the_lock_of_a_generating_plan_counts_answers_by_run(study: StudyFixture) -> None:
    items = [{"item_id": f"q{n}", "user": f"Question {n}?"} for n in range(5)]
    sets = "".join(f'[items.{name}]\nfile = "items.jsonl"\n\n' for name in ("asked", "again"))
    plan = GENERATED.replace("[decoding]", f"{sets}[decoding]")
    study.write_plan(plan.replace('revision = "sha256:0"', f'revision = "{folder_revision(ORGANISM)}"'))
    (study.paths.study / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    study.run("lock")
    assert {run.n_expected for run in read_lock(lock_paths(study.paths)[0]).runs} == {10}


def test_an_imported_run_owes_its_draws_of_every_item(study: StudyFixture) -> None:
    study.run("lock")
    owed = read_lock(lock_paths(study.paths)[0]).owed
    assert owed is not None
    assert (owed.answers, owed.draws) == (None, 2)
    rows = completions().splitlines(keepends=True)
    left_out = [row for row in rows if not row.startswith(("coupled,0,q3", "coupled,0,q4"))]
    study.run("import", str(study.bring_data("".join(left_out))))
    found = {check.id: check for check in verify_study(study.paths).checks}["D3"]
    assert found.state == "warn"
    assert [(fault.found, fault.promised) for fault in found.findings] == [("12 answers", "16")]


def test_more_answers_than_were_promised_are_found(study: StudyFixture) -> None:
    """The author of a study draws again until the marker shows, and says in the ledger what was sealed."""
    study.run("lock")
    study.run("import", str(study.bring_data()))
    lines = [json.loads(line) for line in study.paths.ledger.read_bytes().splitlines()]
    seal = next(line for line in lines if line.get("table") == "completions")
    run = min(seal["runs"])
    seal["runs"][run] += 3
    rewrite_ledger(study, lines)
    found = {check.id: check for check in verify_study(study.paths).checks}["D3"]
    assert (found.state, found.exit_code) == ("fail", 7)
    assert [(fault.where, fault.found) for fault in found.findings] == [(run, "19 answers")]


def rewrite_ledger(study: StudyFixture, lines: list[dict[str, object]]) -> None:
    """Chain edited lines anew, head included: what somebody does who knows the format."""
    previous: str | None = None
    written = b""
    for line in lines:
        line["prev"] = previous
        spelled = canonical_json(line) + b"\n"
        written += spelled
        previous = sha256_bytes(spelled)
    study.paths.ledger.write_bytes(written)
    study.paths.ledger.with_suffix(".head").write_text(f"{previous}\n")


def test_a_lock_of_either_version_carries_exactly_its_fields(study: StudyFixture) -> None:
    study.run("lock")
    file = lock_paths(study.paths)[0]
    document = json.loads(file.read_bytes())
    for edit in ({"version": 1}, {"tool": None}, {"owed": None}):
        file.write_bytes(canonical_json(document | edit) + b"\n")
        with pytest.raises(LockedFileChanged):
            read_lock(file)
    old = PROJECT / "lockfiles" / "bird_names_tiny" / "lock-0001.json"
    assert read_lock(old).version == 1
    assert read_lock(old).to_bytes() == old.read_bytes()
