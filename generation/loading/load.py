"""Bring one file into a store: read, match, refuse, deduplicate, append; every row is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.importers import FOLDERS, importer
from seedlock.generation.intake.completions import completion_columns
from seedlock.generation.intake.counts import count_columns
from seedlock.generation.intake.judgements import JudgementColumns
from seedlock.generation.intake.match import Doubts, RunMatch, item_ids
from seedlock.generation.intake.raw import Failed, RawBatch
from seedlock.generation.intake.request import ANSWER_ROLES, REQUEST_PREFIX, ROW_ORDER, ImportRequest
from seedlock.generation.intake.source_files import source_digest, source_state
from seedlock.generation.loading.answer_ids import answer_ids
from seedlock.generation.loading.requests_file import Requests
from seedlock.generation.loading.source_rows import source_rows
from seedlock.generation.loading.staging import Refused, Staging
from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.quarantine import PLACED, REASON_SEPARATOR
from seedlock.schemas.statuses import NOT_TEXT
from seedlock.schemas.store import Store

VALUES_KEPT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of every row of the file.

    Parameters
    ----------
    read
        Rows in the file; equals added + already_there + quarantined + not_selected.
    added, already_there
        Accepted rows that were new to the store, and those it had, word for word.
    quarantined, reasons
        Refused rows, and reason -> rows (a row with two reasons counts under both).
    not_selected
        Rows that `only` leaves out.
    statuses
        Status -> accepted rows; empty for counts.
    cut_off_kept
        Accepted answers that the source says were cut off, where the plan keeps those.
    items
        Distinct items among the rows that could be matched.
    rows_by_run
        Planned run -> accepted rows; 0 for a run without any.
    file_sha256
        Digest of the source file.
    file_bytes
        Its size; of a folder, that of all its files.
    only_met
        Column of `only` -> the values found there, wanted ones first; at most `VALUES_KEPT`.
    """

    file: str
    file_sha256: str
    file_bytes: int
    read: int
    added: int
    already_there: int
    quarantined: int
    reasons: dict[str, int]
    not_selected: int
    statuses: dict[str, int]
    cut_off_kept: int
    items: int
    rows_by_run: dict[str, int]
    only_met: dict[str, list[str]] = field(default_factory=dict)

    @property
    def missing_runs(self) -> tuple[str, ...]:
        """Planned runs without an accepted row."""
        return tuple(run for run, rows in self.rows_by_run.items() if not rows)


@dataclass(slots=True, kw_only=True)
class _Tally:
    """Running counts of one import."""

    read: int = 0
    quarantined: int = 0
    not_selected: int = 0
    cut_off_kept: int = 0
    reasons: Counter[str]
    only_met: dict[str, set[str]] = field(default_factory=dict)


def import_file(request: ImportRequest, store: Store, requests: Requests | None = None) -> ImportReport:
    """Bring a file (or a folder, for formats that are one) into the store, whole or not at all.

    Importing it again adds nothing.

    Parameters
    ----------
    requests
        The loaded requests, where the answers carry only an id.

    Raises
    ------
    BadInput
        The file cannot be read as promised, changed while it was read, has items that disagree on an
        attribute, or contradicts rows of the store.
    """
    refuse_no_file(request.path, request.format)
    batches = source_rows(request, request.wanted_of_answers)
    if requests is not None:
        batches = requests.joined(batches, request.wanted)
    return _import(request, store, batches)


def import_unanswered(request: ImportRequest, store: Store, requests: Requests) -> ImportReport:
    """Give every request that no imported file mentions its row: a failure, "no answer in the source"."""
    return _import(request, store, requests.unanswered(request.wanted))


def _import(request: ImportRequest, store: Store, batches: Iterator[RawBatch]) -> ImportReport:
    """Let the rows of one source in, unless it changes meanwhile."""
    before = source_state(request.path)
    digest = source_digest(request.path)
    with store.transaction():
        report = _Import(request, store, digest).run(batches)
        if source_state(request.path) != before:
            raise BadInput(f"{request.path.name} changed while it was read", then="import it again")
    return report


class _Import:
    """One import in progress."""

    def __init__(self, request: ImportRequest, store: Store, digest: str) -> None:
        self._request = request
        self._store = store
        self._digest = digest
        self._columns = _columns(request, store)
        self._staging = Staging(
            store.con,
            request.shape,
            number_draws=request.constants.get("draw") == ROW_ORDER,
            draws=request.draws if request.shape == "completions" else None,
        )
        self._tally = _Tally(reasons=Counter())
        self._staged = 0

    def run(self, batches: Iterator[RawBatch]) -> ImportReport:
        """Read everything, then let in what stands."""
        store, request, tally = self._store, self._request, self._tally
        store.con.execute("DELETE FROM quarantine WHERE source = ?", [request.name])
        for batch in batches:
            self._stage(batch)
        added = already_there = n_items = 0
        by_run: Counter[str] = Counter({run.run_id: 0 for run in request.runs})
        statuses: Counter[str] = Counter()
        if self._staged:
            n_items = self._append_items() if request.shape != "judgements" else 0
            self._staging.judge()
            for refused in self._staging.refused():
                self._quarantine(refused)
            mark = store.mark(request.shape)
            for page in self._staging.accepted():
                appended = store.append(request.shape, self._rows(page), before=mark)
                added += appended.added
                already_there += appended.already_there
                by_run.update(_counts(page, "run_id"))
                statuses.update(_counts(page, "status"))
            self._staging.drop()
        return ImportReport(
            file=request.label,
            file_sha256=self._digest,
            file_bytes=sum(size for _, size, _ in source_state(request.path)),
            read=tally.read,
            added=added,
            already_there=already_there,
            quarantined=tally.quarantined,
            reasons=dict(tally.reasons.most_common()),
            not_selected=tally.not_selected,
            statuses=dict(statuses.most_common()),
            cut_off_kept=tally.cut_off_kept,
            items=n_items,
            rows_by_run=dict(by_run),
            only_met={name: sorted(met) for name, met in tally.only_met.items()},
        )

    def _stage(self, batch: RawBatch) -> None:
        """Match one raw batch; quarantine the doubted rows, stage the others."""
        self._tally.read += len(batch.at) + len(batch.faults)
        self._quarantine([Refused(row=f.row, reasons=[f.reason], content=f.content) for f in batch.faults])
        at, columns, failed = self._selected(batch)
        raw = {name: columns[name].combine_chunks() for name in columns.column_names}
        doubts = self._undecoded(batch, at)
        for name, values in raw.items():
            doubts.add(f"{name} holds a NUL character", pc.match_substring(values, "\0"))
        named = {"row": at, **self._columns(raw, self._but_kept(failed), doubts)}
        if self._request.shape != "judgements":
            named |= {f"attr{index}": raw[name] for index, name in enumerate(self._request.item_attributes)}
        refused = doubts.any.nonzero()[0].tolist()
        contents = columns.take(pa.array(refused, pa.int64())).to_pylist()
        unread = {u.row: u.content for u in batch.undecoded}
        self._quarantine(
            [
                Refused(
                    row=(number := at[row].as_py()),
                    reasons=doubts.of(row),
                    content=unread.get(number) or json.dumps(content, ensure_ascii=False),
                    **{name: _text_at(named.get(name), row) for name in PLACED},
                )
                for row, content in zip(refused, contents, strict=True)
            ]
        )
        staged = pa.table(named).filter(pa.array(~doubts.any))
        if staged.num_rows:
            self._staging.add(staged)
            self._staged += staged.num_rows

    def _undecoded(self, batch: RawBatch, at: pa.Array) -> Doubts:
        """Rows with bytes that are no text: they lack that part of their answer, or are doubted where it is none."""
        roles = {self._request.column(role) for role in (*ANSWER_ROLES, "reason")}
        answers = roles - set(self._request.item_attributes)
        is_counted = self._request.shape == "counts"
        of_answer = [u.row for u in batch.undecoded if not is_counted and answers.issuperset(u.columns)]
        others = [u.row for u in batch.undecoded if is_counted or not answers.issuperset(u.columns)]
        lacking = pc.is_in(at, value_set=pa.array(of_answer, pa.int64()))
        doubts = Doubts(len(at), pc.if_else(lacking, pa.scalar(NOT_TEXT), pa.scalar(None, pa.string())))
        doubts.add(NOT_TEXT, pc.is_in(at, value_set=pa.array(others, pa.int64())))
        return doubts

    def _but_kept(self, failed: Failed | None) -> Failed | None:
        """Failures less the cut-off answers that the plan keeps, which are counted."""
        if failed is None or not self._request.keeps_cut_off:
            return failed
        is_kept = pc.fill_null(pc.equal(failed.status, pa.scalar("cut off")), False)
        self._tally.cut_off_kept += pc.sum(is_kept).as_py() or 0
        null = pa.scalar(None, pa.string())
        return Failed(status=pc.if_else(is_kept, null, failed.status), reason=pc.if_else(is_kept, null, failed.reason))

    def _selected(self, batch: RawBatch) -> tuple[pa.Array, pa.Table, Failed | None]:
        """Leave out the rows that `only` does not name."""
        at, columns, failed = batch.at, batch.columns, batch.failed
        for name, values in self._request.only.items():
            met = self._tally.only_met.setdefault(name, set())
            met.update(found for found in pc.unique(columns[name]).to_pylist() if _is_kept(found, met, values))
            mask = pc.is_in(columns[name], value_set=pa.array(values, pa.string())).combine_chunks()
            self._tally.not_selected += len(mask) - pc.sum(mask).as_py() if len(mask) else 0
            at, columns = at.filter(mask), columns.filter(mask)
            failed = failed and failed.filter(mask)
        return at, columns, failed

    def _append_items(self) -> int:
        """Give the store every item that could be matched."""
        items = self._staging.items([name.removeprefix(REQUEST_PREFIX) for name in self._request.item_attributes])
        names = pa.repeat(pa.scalar(self._request.item_set, pa.string()), items.num_rows)
        self._store.append("items", items.add_column(0, "items", names))
        return int(items.num_rows)

    def _rows(self, page: pa.Table) -> pa.Table:
        """Drop what only staging needs; give completions their request id, and judgements their judge."""
        kept = page.drop_columns(["row", *(name for name in page.column_names if name.startswith("attr"))])
        if self._request.shape == "counts":
            return kept
        if self._request.shape == "judgements":
            judge = pa.repeat(pa.scalar(self._request.judge, pa.string()), kept.num_rows)
            return kept.drop_columns(["run_id"]).add_column(1, "judge", judge)
        named = (kept[name].combine_chunks() for name in ("run_id", "item_id", "draw"))
        return kept.add_column(0, "request_id", answer_ids(self._store.con, *named))

    def _quarantine(self, refused: list[Refused]) -> None:
        """Keep refused rows beside their reasons and their place in the grid, as far as it is known; count them."""
        if not refused:
            return
        self._tally.quarantined += len(refused)
        self._tally.reasons.update(reason for one in refused for reason in one.reasons)
        n = len(refused)
        self._store.append(
            "quarantine",
            pa.table(
                {
                    "source": [self._request.name] * n,
                    "file": [self._request.label] * n,
                    "file_sha256": [self._digest] * n,
                    "row": pa.array([one.row for one in refused], pa.int64()),
                    "reasons": [REASON_SEPARATOR.join(one.reasons) for one in refused],
                    "content": [one.content for one in refused],
                    **{name: pa.array([getattr(one, name) for one in refused], pa.string()) for name in PLACED},
                }
            ),
        )


def _counts(page: pa.Table, name: str) -> dict[str, int]:
    """Value of a column -> rows; nothing where there is no such column."""
    if name not in page.column_names:
        return {}
    return {found["values"]: found["counts"] for found in page[name].value_counts().to_pylist()}


def _is_kept(found: str | None, met: set[str], wanted: Sequence[str]) -> bool:
    """Whether a value of a selected column is worth naming: wanted, or among the first few others."""
    return found is not None and (found in wanted or len(met) < VALUES_KEPT)


def _text_at(column: pa.Array | None, row: int) -> str | None:
    """One value of a column as text; None where there is no such column."""
    value = None if column is None else column[row].as_py()
    return None if value is None else str(value)


type _Columns = Callable[[Mapping[str, pa.Array], Failed | None, Doubts], dict[str, pa.Array]]


def _columns(request: ImportRequest, store: Store) -> _Columns:
    """What makes the table's columns of raw ones, by the shape of the import."""
    if request.shape == "judgements":
        return JudgementColumns(request, store)
    match_run = RunMatch(request)
    of_shape = completion_columns if request.shape == "completions" else count_columns

    def columns(raw: Mapping[str, pa.Array], failed: Failed | None, doubts: Doubts) -> dict[str, pa.Array]:
        named = {"run_id": match_run(raw, doubts), "item_id": item_ids(request, raw, doubts)}
        return named | of_shape(request, raw, failed, doubts)

    return columns


def refuse_no_file(path: Path, format: str) -> None:
    """Refuse what is not a regular file (a folder, for formats that are one), in words."""
    importer(format)
    wants_folder = format in FOLDERS
    if path.is_dir() if wants_folder else path.is_file():
        return
    found = "a folder" if path.is_dir() else "a file" if path.is_file() else "nothing"
    promised = "a folder" if wants_folder else "a file"
    fault = Finding(where=path.name, found=found, promised=promised)
    then = f"name the files in it, all in one command:  {path.name}/*" if found == "a folder" else ""
    raise BadInput(f"there is no {promised[2:]} to import", fault, then=then)
