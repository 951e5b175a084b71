"""What `import seedlock` gives a notebook: sealed tables, scores, results; a look before the report is on record."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import seedlock
from seedlock.prereg.errors import BadInput, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.ledger import read_ledger
from tests.conftest import PROJECT


def run(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "seedlock", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    run(folder, "init", "mine", "--example", "imported")
    for step in ("lock", "import"):
        run(folder / "mine", step, "example")
    return folder / "mine"


@pytest.fixture
def sealed(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(repository, tmp_path / "mine"))


def looks(root: Path) -> int:
    return sum(event.name == "look.opened" for event in read_ledger(root / "lockfiles/example/ledger.jsonl"))


def test_every_answer_comes_with_its_run_and_item(sealed: Path) -> None:
    study = seedlock.Study("example", root=sealed)
    rows = study.completions()
    assert {"arm", "seed", "model", "item_id", "text"} <= set(rows.columns)
    assert len(rows) == len(study.table("completions")) == rows["request_id"].nunique()
    assert rows["arm"].notna().all()


def test_scores_are_those_the_report_is_made_from(sealed: Path) -> None:
    run(sealed, "analyze", "example")
    study = seedlock.Study("example", root=sealed)
    scores = study.scores()
    assert study.results.cells
    for cell in study.results.cells:
        chosen = scores[scores["measure"] == cell.measure]
        for factor, level in cell.keys.items():
            chosen = chosen[chosen[factor] == level]
        assert chosen["score"].count() == cell.n
        assert chosen["score"].sum() == cell.k


def test_reading_data_before_the_report_is_a_look_and_after_it_is_none(sealed: Path) -> None:
    study = seedlock.Study("example", root=sealed)
    assert looks(sealed) == 0
    study.completions()
    study.scores()
    assert looks(sealed) == 1
    run(sealed, "analyze", "example")
    assert seedlock.Study("example", root=sealed).results.accounting.looks_used == 2
    seedlock.Study("example", root=sealed).completions()
    assert looks(sealed) == 2


def test_a_notebook_cannot_change_sealed_data(sealed: Path) -> None:
    study = seedlock.Study("example", root=sealed)
    with pytest.raises(Exception, match=r"view|Can only delete"):
        study.query("DELETE FROM completions")
    assert study.verify().exit_code == 0


def test_changed_data_are_not_read(sealed: Path) -> None:
    file = next((sealed / "runs/example/sealed").glob("completions*.parquet"))
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(LockedFileChanged):
        seedlock.Study("example", root=sealed).completions()


def test_what_is_not_there_says_so(sealed: Path, tmp_path: Path) -> None:
    study = seedlock.Study("example", root=sealed)
    with pytest.raises(BadInput, match="judgements"):
        study.table("judgements")
    with pytest.raises(OutOfOrder):
        _ = study.results
    with pytest.raises(BadInput, match="no study"):
        seedlock.Study("exampel", root=sealed)
    assert "retrospective" in repr(study)
    assert study.plan.study.title
