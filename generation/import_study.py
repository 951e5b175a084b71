"""The import stage: a locked plan and files made elsewhere become sealed tables in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from generation.intake.load import ImportReport, import_file
from generation.intake.request import ImportRequest, PlannedRun
from prereg.canonical import sha256_file
from prereg.errors import BadInput, Finding, OutOfOrder
from prereg.gate import LockedPlan, created_at
from prereg.layout import StudyPaths
from prereg.ledger import append_event, read_ledger
from prereg.plan import Import
from schemas.seal import Seal, seal
from schemas.store import Store

ITEM_SET = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import brought in: the account of every file's rows, and the tables sealed."""

    reports: tuple[ImportReport, ...]
    sealed: tuple[str, ...]
    predates_lock: bool

    @property
    def rows_by_run(self) -> Counter[str]:
        """Planned run -> accepted rows over all files; 0 for a run without any."""
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.rows_by_run)
        return total

    @property
    def reasons(self) -> Counter[str]:
        """Why rows were refused -> rows, over all files."""
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.reasons)
        return total

    @property
    def missing_runs(self) -> list[str]:
        """Planned runs without any row."""
        return [run for run, rows in self.rows_by_run.items() if not rows]

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "files": [asdict(report) for report in self.reports],
            "sealed": list(self.sealed),
            "missing_runs": self.missing_runs,
            "predates_lock": self.predates_lock,
        }

    def lines(self) -> Iterator[str]:
        """The account, for a person."""
        for report in self.reports:
            yield f"read      {report.read} rows of {report.file}"
            yield f"accepted  {report.added + report.already_there}, {report.items} items"
            if report.not_selected:
                yield f"left out  {report.not_selected} rows that import.only does not select"
            if report.quarantined:
                yield f"refused   {report.quarantined} rows, kept in quarantine with their reasons:"
                yield from (f"            {rows:>8}  {reason}" for reason, rows in report.reasons.items())
        runs, missing = self.rows_by_run, self.missing_runs
        yield f"runs      {len(runs) - len(missing)} of {len(runs)} planned runs have data"
        if missing:
            shown = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
            yield f"missing   {shown}"
        if self.predates_lock:
            yield "status    retrospective: a file is older than the lock"
        yield from (f"sealed    {file}" for file in self.sealed)


def import_study(locked: LockedPlan, files: Sequence[Path] = (), format: str | None = None) -> Imported:
    """Import files under the plan's column map, whole or not at all, then seal every table they filled.

    Parameters
    ----------
    files, format
        Where the plan's `[import]` names none, or to take the same file from another place.

    Raises
    ------
    BadInput
        The plan has no `[import]`, no file is named, or a file cannot be read as promised.
    OutOfOrder
        The study's data are sealed already, from other files.
    """
    requests = [_request(locked, file, format) for file in files or [_declared_file(locked)]]
    _refuse_second(locked, requests)
    paths = locked.paths
    predates = any(_predates_lock(request.path, locked) for request in requests)
    shape = requests[0].shape
    with Store.open(paths.store) as store:
        store.append("runs", _runs(locked))
        imported = Imported(
            reports=tuple(import_file(request, store) for request in requests), sealed=(), predates_lock=predates
        )
        if not store.rows(shape):
            raise BadInput(
                "no row fits the plan",
                *(Finding(where=reason, found=f"{n} rows", promised="none") for reason, n in imported.reasons.items()),
                then="mend the column map or the grid; nothing was sealed",
            )
        tables = ["runs", "items", shape, *(["quarantine"] if imported.reasons else [])]
        seals = {table: seal(store, table, paths.runs / "sealed" / f"{table}.parquet") for table in tables}
    for table, sealed in seals.items():
        _record(paths, table, sealed, imported if table == shape else None)
    return Imported(
        reports=imported.reports,
        sealed=tuple(paths.relative(sealed.file) for sealed in seals.values()),
        predates_lock=predates,
    )


def _declared(locked: LockedPlan) -> Import:
    declared, study = locked.plan.import_, locked.paths.name
    if declared is None:
        raise BadInput(
            f"the plan of {study} does not say how columns map",
            Finding(where="[import]", found="no such table", promised="format and columns"),
            then=f"seedlock amend {study} --reason design-change --note ...  after adding [import]",
        )
    return declared


def _declared_file(locked: LockedPlan) -> Path:
    file = _declared(locked).file
    if file is None:
        raise BadInput(
            "which file?",
            Finding(where="import.file", found="nothing", promised="a file in the plan, or one on the command line"),
            then=f"seedlock import {locked.paths.name} FILE",
        )
    return locked.paths.study / file


def _request(locked: LockedPlan, file: Path, format: str | None) -> ImportRequest:
    declared = _declared(locked)
    return ImportRequest(
        path=file,
        format=format or declared.format,
        columns=declared.columns,
        runs=tuple(
            PlannedRun(run_id=r.run_id, model=r.model, arm=r.arm, seed=None if r.seed is None else str(r.seed))
            for r in locked.lock.runs
        ),
        item_set=ITEM_SET,
        attributes=tuple(declared.attributes),
        constants=declared.constants,
        missing_labels=declared.missing_labels,
        only={column: tuple(values) for column, values in declared.only.items()},
    )


def _refuse_second(locked: LockedPlan, requests: Sequence[ImportRequest]) -> None:
    """Data are sealed once; the same files again are a resumption, other files are another study."""
    sealed = {
        str(source["sha256"]): str(source["file"])
        for event in locked.events
        if event.name == "data.sealed"
        for source in event.body.get("sources", [])
    }
    others = [r.path for r in requests if r.path.is_file() and sha256_file(r.path) not in sealed] if sealed else []
    if others:
        raise OutOfOrder(
            f"the data of {locked.paths.name} are sealed",
            *(Finding(where=file.name, found="another file", promised=", ".join(sealed.values())) for file in others),
            then="name every file in one import; more data after the seal are another study, or an amendment",
        )


def _predates_lock(path: Path, locked: LockedPlan) -> bool:
    """Whether the file's modification time is older than the first lock."""
    return path.exists() and datetime.fromtimestamp(path.stat().st_mtime, UTC) < created_at(locked)


def _runs(locked: LockedPlan) -> pa.Table:
    factors = sorted({name for run in locked.lock.runs for name in run.factors})
    rows = [
        {
            "run_id": run.run_id,
            "model": run.model,
            "arm": run.arm,
            "seed": None if run.seed is None else str(run.seed),
            **{name: run.factors.get(name) for name in factors},
        }
        for run in locked.lock.runs
    ]
    names = ["run_id", "model", "arm", "seed", *factors]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))


def _record(paths: StudyPaths, table: str, sealed: Seal, imported: Imported | None) -> None:
    """Enter one seal in the ledger, unless it stands there already (an import that was interrupted)."""
    events = read_ledger(paths.ledger)
    if any(event.name == "data.sealed" and event.body["sha256"] == sealed.sha256 for event in events):
        return
    body: dict[str, Any] = {"table": table, "file": sealed.file.name, "sha256": sealed.sha256, "rows": sealed.rows}
    if imported is not None:
        body |= {
            "runs": {run: rows for run, rows in sorted(imported.rows_by_run.items()) if rows},
            "quarantined": dict(imported.reasons),
            "sources": [{"file": report.file, "sha256": report.file_sha256} for report in imported.reports],
            "predates_lock": imported.predates_lock,
        }
    append_event(paths.ledger, "data.sealed", body)
