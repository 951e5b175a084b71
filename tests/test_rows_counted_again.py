"""How many rows a run has is read from the sealed file: a ledger that says otherwise is found, nothing is analysed."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from seedlock.analysis.recount import recount_check
from seedlock.analysis.replay import replay_check
from seedlock.analysis.row_counts import MOST_ROWS
from seedlock.analysis.sealed import open_sealed
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import LockedFileChanged
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.verify.chain import verify_study
from seedlock.schemas.seal import ROW_GROUP_ROWS
from tests.conftest import StudyFixture
from tests.forging import Document, forge_ledger

PROJECT = Path(__file__).resolve().parents[1]


def recounted(study: StudyFixture, table: str, **told: object) -> None:
    """Make the ledger say something else of a table's seal."""

    def edit(line: Document) -> Document:
        return line | told if line.get("table") == table else line

    forge_ledger(study.paths, lambda lines: [edit(line) for line in lines])


def test_what_duckdb_counts_is_what_the_ledger_says(reported: StudyFixture) -> None:
    lines = [json.loads(line) for line in reported.paths.ledger.read_text().splitlines()]
    (said,) = [line for line in lines if line.get("table") == "completions"]
    file = reported.paths.report / "data" / "completions.parquet"
    found = duckdb.sql(f"SELECT run_id, count(*) FROM '{file}' GROUP BY run_id")  # noqa: S608
    assert found is not None
    counted = found.fetchall()
    assert dict(counted) == said["runs"]
    assert recount_check(reported.paths).state == "pass"


def test_a_run_said_to_have_more_rows_than_it_has_is_named(broken: StudyFixture) -> None:
    lines = [json.loads(line) for line in broken.paths.ledger.read_text().splitlines()]
    (said,) = [line for line in lines if line.get("table") == "completions"]
    run, rows = next(iter(said["runs"].items()))
    recounted(broken, "completions", runs=said["runs"] | {run: rows + 1})
    (check,) = [c for c in verify_study(broken.paths, recount=recount_check).checks if c.id == "D5"]
    assert (check.state, check.exit_code) == ("fail", 7)
    assert f"{rows} rows" in {finding.found for finding in check.findings}
    assert all(run in finding.where for finding in check.findings)
    with pytest.raises(LockedFileChanged, match="miscounts its sealed rows"):
        open_sealed(require_lock(broken.paths))
    assert replay_check(broken.paths).state == "fail"


@pytest.mark.parametrize("table", ["runs", "items", "completions"])
def test_the_rows_of_every_table_are_counted(broken: StudyFixture, table: str) -> None:
    recounted(broken, table, rows=10**6)
    check = recount_check(broken.paths)
    assert {(f.where, f.promised.split(" (")[0]) for f in check.findings} == {(f"{table}.parquet", "1000000 rows")}


def test_row_groups_are_read_that_are_as_large_as_a_seal_writes_them() -> None:
    assert MOST_ROWS == ROW_GROUP_ROWS


def test_a_seal_that_keeps_its_runs_to_itself_is_a_miscount(broken: StudyFixture) -> None:
    recounted(broken, "completions", runs={})
    assert recount_check(broken.paths).state == "fail"


@pytest.mark.parametrize("study", sorted(p.parent.name for p in PROJECT.glob("reports/*/results.json")))
def test_published_studies_hold(study: str) -> None:
    assert recount_check(StudyPaths(root=PROJECT, name=study)).state == "pass"
