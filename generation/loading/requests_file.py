"""What was asked, where answers carry only an id: a file of requests that answers are matched to by that id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.importers import importer
from seedlock.generation.intake.answers import readable
from seedlock.generation.intake.raw import Failed, Fault, RawBatch
from seedlock.generation.intake.request import REQUEST_PREFIX, ImportRequest, RequestsFile
from seedlock.generation.loading.source_rows import source_rows
from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.statuses import NO_ANSWER, NOT_TEXT

UNKNOWN = "no request has this id"
NO_ID = "the row names no request"
SUPERSEDED = "failed here, and answered in another row"
SHOWN = 5


@dataclass(slots=True, kw_only=True)
class Requests:
    """Every request of an import, and which of them were met and answered so far. Use `load_requests`."""

    file: RequestsFile
    rows: pa.Table
    at: pa.Array
    is_met: np.ndarray
    is_answered: np.ndarray

    @property
    def keys(self) -> pa.Array:
        """The id of every request."""
        return self.rows[self.file.key].combine_chunks()

    def note_answers(self, request: ImportRequest) -> None:
        """Read which requests one file answers: a failure that another row answers is no loss.

        Whether a row is an answer may depend on the columns that are wanted of it.
        """
        for batch in source_rows(request, request.wanted_of_answers):
            place = pc.index_in(batch.columns[self.file.answer_key].combine_chunks(), value_set=self.keys)
            ok = pc.is_valid(place)
            if batch.failed is not None:
                ok = pc.and_(ok, pc.is_null(batch.failed.status))
            self.is_answered[place.filter(ok).to_numpy(zero_copy_only=False).astype(np.int64)] = True

    def joined(self, batches: Iterator[RawBatch], columns: Sequence[str]) -> Iterator[RawBatch]:
        """Put each answer beside its request; an answer without one is a fault, and so is a superseded failure."""
        for batch in batches:
            keys = batch.columns[self.file.answer_key].combine_chunks()
            place = pc.index_in(keys, value_set=self.keys)
            refused = self._refusals(batch, keys, place)
            keep = pa.array([reason is None for reason in refused], pa.bool_())
            met = place.filter(keep)
            self.is_met[met.to_numpy(zero_copy_only=False).astype(np.int64)] = True
            yield RawBatch(
                at=batch.at.filter(keep),
                columns=self._beside(batch.columns.filter(keep), met, columns),
                faults=(*batch.faults, *_faults(batch, refused)),
                failed=batch.failed.filter(keep) if batch.failed is not None else None,
                undecoded=batch.undecoded,
            )

    def unanswered(self, columns: Sequence[str]) -> Iterator[RawBatch]:
        """Yield the requests that no file of answers met: each is a row that failed."""
        absent = pa.array(np.flatnonzero(~self.is_met), pa.int64())
        if not len(absent):
            return
        status, reason = (pa.repeat(pa.scalar(said), len(absent)) for said in ("error", NO_ANSWER))
        none = pa.table({name: pa.nulls(len(absent), pa.string()) for name in self._own(columns)})
        yield RawBatch(
            at=self.at.take(absent),
            columns=self._beside(none, absent, columns),
            failed=Failed(status=status, reason=reason),
        )

    def _refusals(self, batch: RawBatch, keys: pa.Array, place: pa.Array) -> list[str | None]:
        """Why each answer cannot be matched, or None."""
        failed = [None] * len(keys) if batch.failed is None else batch.failed.status.to_pylist()
        return [
            NO_ID
            if key is None
            else UNKNOWN
            if at is None
            else SUPERSEDED
            if status is not None and self.is_answered[at]
            else None
            for key, at, status in zip(keys.to_pylist(), place.to_pylist(), failed, strict=True)
        ]

    def _own(self, columns: Sequence[str]) -> list[str]:
        """The wanted columns that answers hold."""
        return [name for name in columns if not name.startswith(REQUEST_PREFIX)]

    def _beside(self, answers: pa.Table, place: pa.Array, columns: Sequence[str]) -> pa.Table:
        """Answers and their requests as one table, in the wanted order."""
        asked = self.rows.take(place)
        found = [
            asked[name.removeprefix(REQUEST_PREFIX)] if name.startswith(REQUEST_PREFIX) else answers[name]
            for name in columns
        ]
        return pa.table([column.combine_chunks() for column in found], names=list(columns))


def load_requests(file: RequestsFile, columns: Sequence[str]) -> Requests:
    """Read a file of requests with the wanted columns (`request.NAME`) and its key.

    Raises
    ------
    BadInput
        A row that cannot be read, a request without an id, or two requests of one id.
    """
    if not file.path.is_file():
        raise BadInput(
            "there is no file of requests", Finding(where=file.path.name, found="nothing", promised="a file")
        )
    asked = [name.removeprefix(REQUEST_PREFIX) for name in columns if name.startswith(REQUEST_PREFIX)]
    batches = list(importer(file.format)(file.path, list(dict.fromkeys([file.key, *asked]))))
    faults = [fault for batch in batches for fault in batch.faults]
    faults += [Fault(row=u.row, reason=NOT_TEXT, content=u.content) for batch in batches for u in batch.undecoded]
    rows = pa.concat_tables([batch.columns for batch in batches]).combine_chunks()
    at = pa.concat_arrays([batch.at for batch in batches])
    counted = rows[file.key].value_counts().to_pylist()
    findings = [Finding(where=f"row {f.row}", found=f.reason, promised="a request") for f in faults]
    findings += [
        Finding(where=f"{file.key} {one['values']}", found=f"{one['counts']} requests", promised="one request an id")
        for one in counted
        if one["values"] is None or one["counts"] > 1
    ]
    if findings:
        raise BadInput(f"{file.path.name} is no list of requests", *findings[:SHOWN])
    none = np.zeros(rows.num_rows, dtype=bool)
    return Requests(file=file, rows=rows, at=at, is_met=none, is_answered=none.copy())


def _faults(batch: RawBatch, refused: Sequence[str | None]) -> list[Fault]:
    """Refused answers with what they held."""
    rows = [row for row, reason in enumerate(refused) if reason is not None]
    held = batch.columns.take(pa.array(rows, pa.int64())).to_pylist()
    return [
        Fault(row=batch.at[row].as_py(), reason=str(refused[row]), content=readable(content))
        for row, content in zip(rows, held, strict=True)
    ]
