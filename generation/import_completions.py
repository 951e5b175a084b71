"""The import stage: a locked plan and files made elsewhere become sealed tables in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from seedlock.generation.intake.file_parts import path_end
from seedlock.generation.intake.request import ImportRequest, PlannedRun, RequestsFile
from seedlock.generation.intake.source_files import source_digest, source_files
from seedlock.generation.loading.load import ImportReport, import_file, import_unanswered, refuse_no_file
from seedlock.generation.loading.mostly_refused import require_most
from seedlock.generation.loading.names_met import require_names_met, require_numbers
from seedlock.generation.loading.requests_file import load_requests
from seedlock.generation.loading.unknown_levels import require_levels
from seedlock.generation.sealing.restore import restore_sealed
from seedlock.generation.sealing.run_and_item_tables import runs_table
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.english import counted
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.document import LockedRun
from seedlock.prereg.lock.due_runs import look_reached
from seedlock.prereg.lock.earlier_data import known_at_lock
from seedlock.prereg.lock.gate import LockedPlan, created_at, working_on
from seedlock.prereg.lock.ledger import Event, append_event, read_ledger
from seedlock.prereg.lock.superseded import numbered
from seedlock.prereg.plan.imports import Asked, Import, Mapped
from seedlock.prereg.plan.plan import Plan
from seedlock.schemas.seal import seal
from seedlock.schemas.store import Store

ITEM_SET = "all"
RENAME = "rename all but one, or name their folders too in  file_pattern"


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
            yield f"read      {counted(report.read, 'row')} of {report.file}"
            yield f"accepted  {report.added + report.already_there}, {report.items} items"
            if set(report.statuses) - {"ok"}:
                yield f"          {', '.join(f'{n} {status}' for status, n in report.statuses.items())}"
            if report.cut_off_kept:
                yield f"cut off   {report.cut_off_kept} answers, kept, by the plan"
            if report.not_selected:
                yield f"left out  {report.not_selected} rows that import.only does not select"
            if report.quarantined:
                yield f"refused   {counted(report.quarantined, 'row')}, kept in quarantine with their reasons:"
                yield from (f"            {rows:>8}  {reason}" for reason, rows in report.reasons.items())
        runs, missing = self.rows_by_run, self.missing_runs
        yield f"runs      {len(runs) - len(missing)} of {len(runs)} planned runs have data"
        if missing:
            shown = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
            yield f"missing   {shown}"
        if self.predates_lock:
            yield "status    retrospective: a file is older than the lock"
        yield from (f"sealed    {file}" for file in self.sealed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Into:
    """The study that rows are brought into: its plan and its runs, locked or as they would be."""

    paths: StudyPaths
    plan: Plan
    runs: tuple[LockedRun, ...]

    @classmethod
    def locked(cls, locked: LockedPlan) -> Self:
        """The study as it is locked."""
        return cls(paths=locked.paths, plan=locked.plan, runs=tuple(locked.lock.runs))


def import_study(locked: LockedPlan, files: Sequence[Path] = (), format: str | None = None) -> Imported:
    """Import files under the plan's column map, whole or not at all, then seal every table they filled.

    Data come once, and once more at every planned look that the plan goes on to: then with the runs that are new.

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
    with working_on(locked) as now:
        return _import_alone(now, files, format)


def _import_alone(locked: LockedPlan, files: Sequence[Path], format: str | None) -> Imported:
    into = Into.locked(locked)
    declared = declared_import(into)
    requests = [
        import_request(into, declared, file, format) for file in files or [declared_file(declared, into, "import")]
    ]
    _refuse_second(locked, requests)
    paths = locked.paths
    earlier_data = [said for request in requests for said in older_than_the_lock(request.path, locked)]
    predates = bool(earlier_data)
    shape = requests[0].shape
    before = _before_this_look(locked, shape)
    earlier = {run for event in before for run in event.body.get("runs", {})}
    with Store.open(paths.store) as store:
        with store.transaction():
            restore_sealed(paths, locked.events, store, ("items", shape))
            store.append("runs", runs_table(locked.lock.runs))
            known = (store.rows("items"), _rows_of(store, shape, earlier))
            imported = Imported(reports=tuple(import_files(requests, store)), sealed=(), predates_lock=predates)
            require_fit(into, requests, imported, store)
            if earlier and known != (store.rows("items"), _rows_of(store, shape, earlier)):
                raise _not_only_new_runs(locked)
        new = {run: rows for run, rows in sorted(imported.rows_by_run.items()) if rows and run not in earlier}
        if earlier and not new:
            return imported
        body = {"runs": new, **account(imported), "predates_lock": predates}
        body |= {"older": earlier_data} if predates else {}
        sealed = [seal_once(paths, store, name, f"{name}.parquet", {}) for name in ("runs", "items")]
        file, refused = (numbered(f"{name}.parquet", before, table=shape) for name in (shape, "quarantine"))
        sealed.append(seal_once(paths, store, shape, file, body, runs=list(new)))
        sealed += seal_refused(paths, store, [request.name for request in requests], refused)
    return replace(imported, sealed=tuple(sealed))


def require_fit(into: Into, requests: Sequence[ImportRequest], imported: Imported, store: Store) -> None:
    """Refuse an import whose rows, as they stand in the store, are not what the plan is about.

    Raises
    ------
    BadInput
        No row fits the plan, most do not, rows of an unknown level stand where planned runs have none, or the plan
        names what no row has.
    """
    require_most(requests, imported.reports, store)
    if not store.rows(requests[0].shape):
        raise nothing_fits("no row fits the plan", imported)
    require_levels(into.plan, into.paths.name, into.runs, requests[0], store)
    require_names_met(into.plan, requests, imported.reports, store)
    require_numbers(requests[0], store)


def nothing_fits(what: str, imported: Imported) -> BadInput:
    """The refusal of an import that accepted no row, with every reason."""
    findings = [
        Finding(where=reason, found=counted(n, "row"), promised="none") for reason, n in imported.reasons.items()
    ]
    return BadInput(what, *findings, then="mend the column map or the grid; nothing was sealed")


def account(imported: Imported) -> dict[str, Any]:
    """What a seal's ledger entry says of an import: why rows were refused, and which files were read."""
    return {
        "quarantined": dict(imported.reasons),
        "sources": [
            {"file": report.file, "sha256": report.file_sha256, "bytes": report.file_bytes}
            for report in imported.reports
        ],
    }


def seal_once(
    paths: StudyPaths,
    store: Store,
    table: str,
    file: str,
    body: Mapping[str, Any],
    *,
    runs: Sequence[str] | None = None,
) -> str:
    """Seal a table, or some runs of it, and enter it in the ledger, unless it stands there already."""
    made = seal(store, table, paths.runs / "sealed" / file, runs=runs)
    events = read_ledger(paths.ledger)
    if not any(event.name == "data.sealed" and event.body["sha256"] == made.sha256 for event in events):
        told = {"table": table, "file": file, "sha256": made.sha256, "rows": made.rows, **body}
        append_event(paths.ledger, "data.sealed", told)
    return paths.relative(made.file)


def seal_refused(paths: StudyPaths, store: Store, sources: Sequence[str], file: str) -> list[str]:
    """Seal the quarantined rows of these sources, where there are any."""
    with store.part("quarantine", "source", sources) as refused:
        return [seal_once(paths, refused, "quarantine", file, {})] if refused.rows("quarantine") else []


def declared_import(into: Into) -> Import:
    """The plan's `[import]`.

    Raises
    ------
    BadInput
        It has none.
    """
    declared, study = into.plan.import_, into.paths.name
    if declared is None:
        raise BadInput(
            f"the plan of {study} does not say how columns map",
            Finding(where="[import]", found="no such table", promised="format and columns"),
            then=f"seedlock amend {study} --reason design-change --note 'adds [import]'  after adding it",
        )
    return declared


def declared_file(mapped: Mapped, into: Into, where: str) -> Path:
    """Return the file that the plan names for an import.

    Raises
    ------
    BadInput
        It names none.
    """
    if mapped.file is None:
        raise BadInput(
            "which file?",
            Finding(where=f"{where}.file", found="nothing", promised="a file in the plan, or one on the command line"),
            then=f"seedlock import {into.paths.name} FILE",
        )
    return into.paths.study / mapped.file


def import_request(
    into: Into, mapped: Mapped, file: Path, format: str | None, *, judge: str | None = None
) -> ImportRequest:
    """Return what the plan asks of one file; quarantined rows carry the file's name."""
    asked = mapped.requests
    return ImportRequest(
        path=file,
        name=path_end(file, mapped) if judge is None else f"{judge}: {path_end(file, mapped)}",
        format=format or mapped.format,
        columns=mapped.columns,
        runs=tuple(
            PlannedRun(run_id=r.run_id, model=r.model, arm=r.arm, seed=None if r.seed is None else str(r.seed))
            for r in into.runs
        ),
        item_set=ITEM_SET,
        attributes=tuple(mapped.attributes) if isinstance(mapped, Import) else (),
        constants=mapped.constants,
        missing_labels=mapped.missing_labels,
        only={column: tuple(values) for column, values in mapped.only.items()},
        requests=None if asked is None else _requests_file(asked, into),
        judge=judge,
        draws=into.plan.decoding.draws if judge is None and into.plan.decoding is not None else None,
        reading=mapped,
        keeps_cut_off=isinstance(mapped, Import) and _cut_off(mapped, into) == "keep",
    )


def _cut_off(declared: Import, into: Into) -> str:
    """What an answer that was cut off is: as the import says, else as the decoding does."""
    decoding = into.plan.decoding
    return declared.cut_off or (decoding.cut_off if decoding is not None else "missing")


def _requests_file(asked: Asked, into: Into) -> RequestsFile:
    file = into.paths.study / asked.file
    return RequestsFile(path=file, format=asked.format, key=asked.key, answer_key=asked.answer_key)


def import_files(requests: Sequence[ImportRequest], store: Store) -> Iterator[ImportReport]:
    """Import every file; where they answer a list of requests, those that none of them answers come last."""
    names = Counter(request.label for request in requests)
    twice = [Finding(where=name, found=f"{n} files", promised="one file a name") for name, n in names.items() if n > 1]
    if twice:
        raise BadInput(
            "files of one name cannot be told apart in the account",
            *twice,
            then=RENAME,
        )
    first = requests[0]
    if first.requests is None:
        for request in requests:
            yield import_file(request, store)
        return
    asked = load_requests(first.requests, first.wanted)
    for request in requests:
        refuse_no_file(request.path, request.format)
        asked.note_answers(request)
    for request in requests:
        yield import_file(request, store, asked)
    unanswered = replace(first, path=first.requests.path, name=first.requests.path.name)
    report = import_unanswered(unanswered, store, asked)
    if report.read:
        yield report


def _refuse_second(locked: LockedPlan, requests: Sequence[ImportRequest]) -> None:
    """Data are sealed once a look; the same files again are a resumption, other files are another study."""
    look = look_reached(locked.events)
    if look is not None and look["goes_on"]:
        return
    sealed = {
        str(source["sha256"]): str(source["file"])
        for event in locked.events
        if event.name == "data.sealed"
        for source in event.body.get("sources", [])
    }
    others = [r.path for r in requests if r.path.exists() and source_digest(r.path) not in sealed] if sealed else []
    if others:
        raise OutOfOrder(
            f"the data of {locked.paths.name} are sealed",
            *(Finding(where=file.name, found="another file", promised=", ".join(sealed.values())) for file in others),
            then="name every file in one import; more data after the seal are another study, or an amendment",
        )


def _before_this_look(locked: LockedPlan, shape: str) -> list[Event]:
    """Seals that earlier planned looks were about; none where this import is the first, or its resumption."""
    reported = max((event.n for event in locked.events if event.name == "report.built"), default=0)
    sealed = [e for e in locked.events if e.name == "data.sealed" and e.body["table"] == shape and e.n < reported]
    look = look_reached(locked.events)
    goes_on = look is not None and look["goes_on"]
    return sealed if goes_on or len(sealed) > 1 else []


def _rows_of(store: Store, table: str, runs: Collection[str]) -> int:
    """How many rows these runs have."""
    query = f"SELECT count(*) FROM {table} WHERE list_contains($runs, run_id)"  # noqa: S608 - a table of ours
    found = store.con.execute(query, {"runs": list(runs)}).fetchone()
    return int(found[0]) if found else 0


def _not_only_new_runs(locked: LockedPlan) -> BadInput:
    """The refusal of a later look's file that adds to what an earlier look was about."""
    fault = Finding(where="file", found="more rows of runs or items already looked at", promised="runs that are new")
    return BadInput(f"the data of {locked.paths.name} would change after a look", fault, then="leave those rows out")


def older_than_the_lock(path: Path, locked: LockedPlan) -> list[str]:
    """What shows that a file, or one of a folder, is older than the first lock: its bytes, or else its time."""
    files = source_files(path)
    known = known_at_lock(files, locked.paths, locked.locks[0])
    locked_at = created_at(locked).timestamp()
    return known + [f"{file.name} is dated before the lock" for file in files if file.stat().st_mtime < locked_at]
