"""The sealed parts of a study: each run's answers become files of their own as soon as the run has all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedlock.generation.sealing.restore import restore_sealed
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.errors import Finding, Incomplete, LockedFileChanged
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.lock.ledger import Event, append_event, read_ledger
from seedlock.schemas.seal import Seal, seal
from seedlock.schemas.store import Store

DESCRIBED = ("runs", "items")
"""Sealed whole, before the first part: they say what the parts' rows mean."""
PARTS = ("requests", "completions")
"""Sealed run by run in this order, so that answers in the ledger are never without their requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is sealed as one: every row of one run, or where the audit comes first, its rows of either stage.

    Parameters
    ----------
    rows
        Requests that the plan makes of it.
    items
        The items of the stage; None where there is only one.
    is_audit
        Whether they are those of the metric audit.
    """

    run_id: str
    rows: int
    items: tuple[str, ...] | None = None
    is_audit: bool = False

    def file(self, table: str) -> str:
        """Name of the sealed file that holds its rows of a table."""
        return f"{table}-{self.run_id}{'-audit' if self.is_audit else ''}.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows of some runs and items; None is all."""

    runs: tuple[str, ...] | None = None
    items: tuple[str, ...] | None = None


class Seals:
    """What the ledger has of a study's generated rows, and the one hand that adds to it.

    Open it once the store is open: a store has one writer, so nobody else adds seals meanwhile. Studies whose
    completions were sealed as one file are read as they are, and never sealed a second time.
    """

    def __init__(self, locked: LockedPlan, store: Store) -> None:
        self._locked = locked
        self._store = store
        events = (event for event in read_ledger(locked.paths.ledger) if event.name == "data.sealed")
        self._events: dict[str, Event] = {str(event.body["file"]): event for event in events}
        self._has_described = False

    def holds(self, part: Part) -> bool:
        """Whether every row of a part is sealed."""
        return all(self._event(table, part) is not None for table in PARTS)

    def restore(self) -> None:
        """Put sealed rows back into a store that lost them; nothing is asked of a model twice."""
        restore_sealed(self._locked.paths, self._events.values(), self._store, PARTS)

    def check(self, parts: Iterable[Part]) -> None:
        """Require the sealed file of every part that is sealed; one that is gone is written again from the store.

        Raises
        ------
        LockedFileChanged
            With the run of every file whose bytes are not those of its seal.
        """
        found: list[tuple[Event | None, Part | None]] = [
            (self._event(table, part), part) for part in parts for table in PARTS
        ]
        found += [(self._events.get(f"{table}.parquet"), None) for table in DESCRIBED]
        wanted = {str(event.body["file"]): (event, part) for event, part in found if event is not None}
        faults = [fault for event, part in wanted.values() for fault in self._faults(event, part)]
        if faults:
            study = self._locked.paths.name
            raise LockedFileChanged(
                f"sealed answers of {study} were changed", *faults[:20], then="restore the sealed files"
            )

    def seal(self, part: Part, made: Mapping[str, Any]) -> None:
        """Seal a part whose rows are all there, and enter it in the ledger once.

        Parameters
        ----------
        made
            Where and how the answers were made.

        Raises
        ------
        Incomplete
            A request of the part has no row.
        """
        self._describe()
        for table in PARTS:
            if (rows := self._rows(table, part)) != part.rows:
                fault = Finding(where=f"{part.run_id}: {table}", found=f"{rows} rows", promised=str(part.rows))
                then = f"seedlock generate {self._locked.paths.name}"
                raise Incomplete(f"a run of {self._locked.paths.name} lacks answers", fault, then=then)
        own: dict[str, Any] = {"run_id": part.run_id, "lock_id": self._locked.lock_id}
        answered = {"audited" if part.is_audit else "runs": {part.run_id: part.rows}}
        made_of = {"finish": self._finishes(part), "generation": dict(made)}
        told = {"requests": own, "completions": own | answered | made_of}
        for table in PARTS:
            if self._event(table, part) is None:
                self._seal(table, part.file(table), _Rows(runs=(part.run_id,), items=part.items), told[table])

    def files(self) -> tuple[str, ...]:
        """Every sealed file of what was asked and answered, where it is written, relative to the repository."""
        own = (file for file, event in self._events.items() if event.body["table"] in {*DESCRIBED, *PARTS})
        return tuple(self._locked.paths.relative(self._place(file)) for file in own)

    def _describe(self) -> None:
        """Seal what says what the rows mean, once: nothing else is written to those tables while the store is open."""
        if not self._has_described:
            for table in DESCRIBED:
                self._seal(table, f"{table}.parquet", _Rows(), {})
            self._has_described = True

    def _event(self, table: str, part: Part) -> Event | None:
        """The seal of a part's rows: its own, or that of the whole table."""
        whole, answers = (self._events.get(f"{name}.parquet") for name in (table, "completions"))
        if whole is not None and answers is not None and part.run_id in answers.body.get("runs", {}):
            return whole
        return self._events.get(part.file(table))

    def _copies(self, event: Event) -> list[Path]:
        return [path for path in self._locked.paths.seal_places(str(event.body["file"])) if path.is_file()]

    def _faults(self, event: Event, part: Part | None) -> Iterator[Finding]:
        """Copies with other bytes than the seal's, and a lost file that the store does not give again."""
        file, promised = str(event.body["file"]), str(event.body["sha256"])
        copies = self._copies(event) or [self._write(event.body["table"], file, self._rows_of(event, part)).file]
        for path in copies:
            if (found := sha256_file(path)) != promised:
                where = self._locked.paths.relative(path)
                yield Finding(where=where, found=f"sha256 {found}", promised=f"sha256 {promised} (ledger)")

    def _rows_of(self, event: Event, part: Part | None) -> _Rows:
        """The rows that a sealed file holds."""
        if part is None:
            return _Rows()
        if event.body["file"] == part.file(str(event.body["table"])):
            return _Rows(runs=(part.run_id,), items=part.items)
        return _Rows(runs=tuple(self._events["completions.parquet"].body["runs"]))

    def _write(self, table: str, file: str, rows: _Rows) -> Seal:
        return seal(self._store, table, self._place(file), runs=rows.runs, items=rows.items)

    def _seal(self, table: str, file: str, rows: _Rows, told: Mapping[str, Any]) -> None:
        found = self._write(table, file, rows)
        known = self._events.get(file)
        if known is None or known.body["sha256"] != found.sha256:
            own = {"table": table, "file": file, "sha256": found.sha256, "rows": found.rows}
            self._events[file] = append_event(self._locked.paths.ledger, "data.sealed", own | dict(told))

    def _place(self, file: str) -> Path:
        return self._locked.paths.runs / "sealed" / file

    def _rows(self, table: str, part: Part) -> int:
        where, values = _where(part)
        query = f'SELECT count(*) FROM "{table}" {where}'  # noqa: S608 - names of ours; values are bound
        return int(self._store.con.execute(query, values).fetchall()[0][0])

    def _finishes(self, part: Part) -> dict[str, int]:
        """How answers ended -> rows."""
        where, values = _where(part)
        query = f"SELECT finish, count(*) FROM requests {where} GROUP BY finish ORDER BY finish"  # noqa: S608 - as above
        found = self._store.con.execute(query, values).fetchall()
        return {str(finish): int(rows) for finish, rows in found}


def _where(part: Part) -> tuple[str, list[Any]]:
    if part.items is None:
        return "WHERE run_id = ?", [part.run_id]
    return "WHERE run_id = ? AND item_id IN (SELECT unnest(?))", [part.run_id, list(part.items)]
