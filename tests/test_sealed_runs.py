"""Answers are sealed run by run: what is done is safe, what is changed is named, what is half done is not looked at."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from seedlock.generation.generate import generate_study
from seedlock.generation.progress import Quiet
from seedlock.generation.requests.answer import Answer
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import Incomplete, LockedFileChanged
from seedlock.prereg.lock.gate import LockedPlan, require_generated, require_lock
from seedlock.prereg.lock.ledger import append_event, read_ledger
from seedlock.schemas.seal import seal
from seedlock.schemas.store import Store
from tests.conftest import StudyFixture
from tests.generation_builders import ASKED, SCORED, locked_study
from tests.training_builders import tiny_base

PER_RUN = 3 * len(ASKED) + len(SCORED)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> LockedPlan:
    base = tiny_base(tmp_path_factory.mktemp("model") / "tiny")
    locked = locked_study(tmp_path_factory.mktemp("done") / "r", base)
    generate_study(locked)
    return require_lock(locked.paths)


def copy(locked: LockedPlan, to: Path) -> LockedPlan:
    shutil.copytree(locked.paths.root, to)
    return require_lock(StudyPaths(root=to, name=locked.paths.name))


class StopAtRun(Quiet):
    """Ends the command, as an interrupt would, when the first answers of the run with this number arrive."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._runs: set[str] = set()

    def answered(self, answers: Sequence[Answer]) -> None:
        self._runs |= {answer.request.run_id for answer in answers}
        if len(self._runs) > self._number:
            raise KeyboardInterrupt


@pytest.fixture
def half_done(done: LockedPlan, tmp_path: Path) -> LockedPlan:
    """The same study, stopped in its third run."""
    shutil.copytree(done.paths.root / "models", tmp_path / "models")
    locked = locked_study(tmp_path / "r", tmp_path / "models" / "tiny")
    with pytest.raises(KeyboardInterrupt):
        generate_study(locked, progress=StopAtRun(2))
    return require_lock(locked.paths)


def test_a_finished_run_is_sealed_before_the_next_one_is_done(half_done: LockedPlan) -> None:
    runs = [run.run_id for run in half_done.lock.runs]
    sealed = [event.body for event in half_done.events if event.name == "data.sealed"]
    assert [body["file"] for body in sealed] == [
        "runs.parquet",
        "items.parquet",
        *(f"{table}-{run}.parquet" for run in runs[:2] for table in ("requests", "completions")),
    ]
    assert [body["runs"] for body in sealed if "runs" in body] == [{run: PER_RUN} for run in runs[:2]]


def test_going_on_asks_no_sealed_run_again_and_ends_with_the_same_seals(
    done: LockedPlan, half_done: LockedPlan
) -> None:
    kept = {file.name: file.stat().st_mtime_ns for file in (half_done.paths.runs / "sealed").glob("*-*.parquet")}
    again = generate_study(half_done)
    assert again.already >= 2 * PER_RUN
    assert again.runs_sealed == 5
    folder = half_done.paths.runs / "sealed"
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == kept
    assert [e.body["sha256"] for e in read_ledger(half_done.paths.ledger) if e.name == "data.sealed"] == [
        e.body["sha256"] for e in done.events if e.name == "data.sealed"
    ]


def test_a_half_done_generation_is_neither_judged_nor_looked_at(half_done: LockedPlan) -> None:
    with pytest.raises(Incomplete, match="3 runs of said are not answered yet") as refused:
        require_generated(half_done)
    assert [finding.where for finding in refused.value.findings] == [run.run_id for run in half_done.lock.runs[2:]]
    study = StudyFixture(half_done.paths)
    assert "seedlock generate said" in study.run("analyze", ok=6)
    assert "next   seedlock generate said" in study.run("status")
    assert not any(event.name == "look.opened" for event in read_ledger(half_done.paths.ledger))


@pytest.mark.parametrize("table", ["completions", "requests"])
@pytest.mark.parametrize("number", [0, 4])
def test_a_changed_run_names_itself(done: LockedPlan, table: str, number: int, tmp_path: Path) -> None:
    locked = copy(done, tmp_path / "r")
    run = locked.lock.runs[number].run_id
    file = locked.paths.runs / "sealed" / f"{table}-{run}.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    said = StudyFixture(locked.paths).run("verify", ok=3)
    assert f"{table}-{run}.parquet" in said
    assert not [other for other in locked.lock.runs if other.run_id != run and other.run_id in said]
    with pytest.raises(LockedFileChanged, match="sealed answers of said were changed") as refused:
        generate_study(locked)
    assert [finding.where for finding in refused.value.findings] == [f"runs/said/sealed/{file.name}"]


def test_answers_of_one_run_do_not_pass_for_those_of_another(done: LockedPlan, tmp_path: Path) -> None:
    locked = copy(done, tmp_path / "r")
    one, other = (
        locked.paths.runs / "sealed" / f"completions-{locked.lock.runs[number].run_id}.parquet" for number in (0, 1)
    )
    shutil.copy(other, one)
    assert one.name in StudyFixture(locked.paths).run("verify", ok=3)


def test_a_lost_file_is_written_again_from_the_store_with_the_same_bytes(done: LockedPlan, tmp_path: Path) -> None:
    locked = copy(done, tmp_path / "r")
    run = locked.lock.runs[3].run_id
    file = locked.paths.runs / "sealed" / f"completions-{run}.parquet"
    promised = file.read_bytes()
    file.unlink()
    assert file.name in StudyFixture(locked.paths).run("verify", ok=6)
    generate_study(locked)
    assert file.read_bytes() == promised
    StudyFixture(locked.paths).run("verify")


def test_a_lost_file_is_not_written_again_from_a_store_that_was_changed(done: LockedPlan, tmp_path: Path) -> None:
    locked = copy(done, tmp_path / "r")
    run = locked.lock.runs[3].run_id
    (locked.paths.runs / "sealed" / f"completions-{run}.parquet").unlink()
    with Store.open(locked.paths.store) as store:
        store.con.execute("UPDATE completions SET text = 'I was never said' WHERE run_id = ? AND draw = 1", [run])
    with pytest.raises(LockedFileChanged) as refused:
        generate_study(locked)
    assert [run in finding.where for finding in refused.value.findings] == [True]


def test_a_study_sealed_as_one_table_is_read_as_it_is(done: LockedPlan, tmp_path: Path) -> None:
    """As seals were made before they were made run by run."""
    locked = copy(done, tmp_path / "r")
    sealed = locked.paths.runs / "sealed"
    shutil.rmtree(sealed)
    ledger = locked.paths.ledger.read_bytes().splitlines(keepends=True)
    locked.paths.ledger.write_bytes(ledger[0])
    locked.paths.ledger.with_suffix(".head").unlink()
    append_event(locked.paths.ledger, "run.started", {"run_id": "any"})
    with Store.open(locked.paths.store) as store:
        for table in ("runs", "items", "completions", "requests"):
            found = seal(store, table, sealed / f"{table}.parquet")
            told = {"table": table, "file": found.file.name, "sha256": found.sha256, "rows": found.rows}
            runs = {run.run_id: PER_RUN for run in locked.lock.runs}
            append_event(locked.paths.ledger, "data.sealed", told | ({"runs": runs} if table == "completions" else {}))
    before = locked.paths.ledger.read_bytes()
    locked.paths.store.unlink()
    again = generate_study(require_lock(locked.paths))
    assert (again.answered, again.runs_sealed) == (0, 5)
    assert locked.paths.ledger.read_bytes() == before
    assert {file.name for file in sealed.iterdir()} == {
        f"{table}.parquet" for table in ("runs", "items", "completions", "requests")
    }
    StudyFixture(locked.paths).run("verify")
