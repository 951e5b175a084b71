"""A study as a notebook reads it: plan, sealed tables, scores, results, verification; every early look is recorded."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from seedlock.analysis.decide import load_data
from seedlock.analysis.results.schema import Results, read_results
from seedlock.analysis.scoring.item_sets import plan_measures, with_sets
from seedlock.analysis.scoring.scores import score_rows
from seedlock.analysis.sealed import Sealed, open_sealed
from seedlock.prereg.base.paths import find_study
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.document import lock_paths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import append_event, read_ledger
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.checks import Verification
from seedlock.prereg.workflow.status import standing
from seedlock.schemas.table import quoted


class Study:
    """One study of a repository of this layout.

    Reading sealed data before the study has a report is a look at the data: it is entered in the ledger, once an
    object, and the report counts it. After the report the data are published and reading them changes nothing.

    Parameters
    ----------
    name
        A study's name, or the path of its folder.
    root
        The repository; the current folder otherwise.

    Raises
    ------
    BadInput
        There is no such study; the message lists those there are.
    """

    def __init__(self, name: str, root: str | Path | None = None) -> None:
        self.paths = find_study(name, None if root is None else Path(root))

    def __repr__(self) -> str:
        """Name and status, as `seedlock status` prints them."""
        return f"Study({self.paths.name!r}, {standing(self.paths).status})"

    @cached_property
    def plan(self) -> Plan:
        """The locked plan, or the plan file where nothing is locked yet."""
        return self._locked.plan if lock_paths(self.paths) else read_plan(self.paths.plan)

    @cached_property
    def results(self) -> Results:
        """Everything of results.json, typed.

        Raises
        ------
        OutOfOrder
            There is no report yet.
        """
        return read_results(self.paths)

    @property
    def has_report(self) -> bool:
        """Whether the study was analysed and its report published."""
        return any(event.name == "report.built" for event in read_ledger(self.paths.ledger))

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the sealed tables."""
        return tuple(dict.fromkeys(table.table for table in self._sealed.tables))

    def verify(self) -> Verification:
        """Check every link from the lock to the report, as `seedlock verify` does."""
        return verify_study(self.paths)

    def table(self, name: str) -> pd.DataFrame:
        """Return a sealed table whole.

        Raises
        ------
        BadInput
            The study has no sealed table of this name.
        """
        return self.query(f"SELECT * FROM {quoted(self._known(name))}")  # noqa: S608

    def completions(self) -> pd.DataFrame:
        """Every planned answer, one row each, with its run's factors and its item's attributes beside it."""
        self._known("completions")
        return self.query(_DESCRIBED.format(rows="completions"))

    def scores(self) -> pd.DataFrame:
        """Every measure's score of every answer it applies to, or the reason there is none; described as above."""
        self._known("completions")
        measures = plan_measures(self.plan, with_sets(self.table("items")), self._sealed.whole("judgements"))
        frames = [part.to_pandas() for part in score_rows(self._sealed.batches("completions"), measures)]
        self._connection.register("scores", pd.concat(frames, ignore_index=True))
        return self.query(_DESCRIBED.format(rows="scores"))

    def cells(self) -> pd.DataFrame:
        """Return means, counts and missing answers by run, item and measure: what every estimate is made from."""
        cells: pd.DataFrame = load_data(self.plan, self._sealed).cells
        return cells

    def query(self, sql: str) -> pd.DataFrame:
        """Answer a SELECT over the sealed tables, each a view of its name; nothing can be written."""
        found: pd.DataFrame = self._connection.execute(sql).df()
        return found

    @cached_property
    def _locked(self) -> LockedPlan:
        return require_lock(self.paths, only_reading=True)

    @cached_property
    def _sealed(self) -> Sealed:
        sealed = open_sealed(self._locked)
        if not self.has_report:
            body: dict[str, Any] = {
                "lock_id": self._locked.lock_id,
                "data": sorted(table.sha256 for table in sealed.tables),
                "by": "notebook",
            }
            append_event(self.paths.ledger, "look.opened", body)
        return sealed

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        con = duckdb.connect(":memory:")
        for name in self.tables:
            files = [str(table.path) for table in self._sealed.tables if table.table == name]
            con.read_parquet(files).create_view(name)
        return con

    def _known(self, name: str) -> str:
        if name not in self.tables:
            promised = ", ".join(self.tables)
            fault = Finding(where=self.paths.name, found=f"no sealed table {name!r}", promised=promised)
            raise BadInput("there is no such table", fault, then=f"seedlock status {self.paths.name}")
        return name


_DESCRIBED = (
    "SELECT * FROM {rows} LEFT JOIN runs USING (run_id) "
    "LEFT JOIN (SELECT DISTINCT ON (item_id) * EXCLUDE (items) FROM items) USING (item_id) ORDER BY ALL"
)
