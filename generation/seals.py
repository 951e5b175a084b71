"""The sealed parts of a study: each run's answers become files of their own as soon as the run has all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prereg.canonical import sha256_file
from prereg.errors import Finding, Incomplete, LockedFileChanged
from prereg.gate import LockedPlan
from prereg.ledger import Event, append_event, read_ledger
from schemas.seal import restore, seal
from schemas.store import Store

DESCRIBED = ("runs", "items")
"""Sealed whole, before the first part: they say what the parts' rows mean."""
PARTS = ("requests", "completions")
"""Sealed run by run in this order, so that answers in the ledger are never without their requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is sealed as one: every row of one run.

    Parameters
    ----------
    rows
        Requests that the plan makes of the run.
    """

    run_id: str
    rows: int

    def file(self, table: str) -> str:
        """Name of the sealed file that holds its rows of a table."""
        return f"{table}-{self.run_id}.parquet"


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

    def holds(self, part: Part) -> bool:
        """Whether every row of a part is sealed."""
        return all(self._event(table, part) is not None for table in PARTS)

    def restore(self) -> None:
        """Put sealed rows back into a store that lost them; nothing is asked of a model twice."""
        for table in PARTS:
            events = [event for event in self._events.values() if event.body["table"] == table]
            if self._store.rows(table) < sum(int(event.body["rows"]) for event in events):
                for event in events:
                    if found := self._copies(event):
                        restore(self._store, table, found[0], sha256=str(event.body["sha256"]))

    def check(self, parts: Iterable[Part]) -> None:
        """Require the sealed file of every part that is sealed; one that is gone is written again from the store.

        Raises
        ------
        LockedFileChanged
            With the run of every file whose bytes are not those of its seal.
        """
        wanted = {str(e.body["file"]): e for p in parts for table in PARTS if (e := self._event(table, p)) is not None}
        wanted |= {file: e for table in DESCRIBED if (e := self._events.get(file := f"{table}.parquet")) is not None}
        faults = [fault for event in wanted.values() for fault in self._faults(event)]
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
        for table in DESCRIBED:
            self._seal(table, f"{table}.parquet", None, {})
        for table in PARTS:
            if (rows := self._rows(table, part)) != part.rows:
                fault = Finding(where=f"{part.run_id}: {table}", found=f"{rows} rows", promised=str(part.rows))
                then = f"seedlock generate {self._locked.paths.name}"
                raise Incomplete(f"a run of {self._locked.paths.name} lacks answers", fault, then=then)
        own: dict[str, Any] = {"run_id": part.run_id, "lock_id": self._locked.lock_id}
        told = {
            "requests": own,
            "completions": own
            | {"runs": {part.run_id: part.rows}, "finish": self._finishes(part), "generation": dict(made)},
        }
        for table in PARTS:
            if self._event(table, part) is None:
                self._seal(table, part.file(table), part, told[table])

    def files(self) -> tuple[str, ...]:
        """Every sealed file of what was asked and answered, where it is written, relative to the repository."""
        own = (file for file, event in self._events.items() if event.body["table"] in {*DESCRIBED, *PARTS})
        return tuple(self._locked.paths.relative(self._place(file)) for file in own)

    def _event(self, table: str, part: Part) -> Event | None:
        """The seal of a part's rows: its own, or that of the whole table."""
        whole, answers = (self._events.get(f"{name}.parquet") for name in (table, "completions"))
        if whole is not None and answers is not None and part.run_id in answers.body.get("runs", {}):
            return whole
        return self._events.get(part.file(table))

    def _copies(self, event: Event) -> list[Path]:
        return [path for path in self._locked.paths.seal_places(str(event.body["file"])) if path.is_file()]

    def _faults(self, event: Event) -> Iterator[Finding]:
        """Copies with other bytes than the seal's, and a lost file that the store does not give again."""
        promised, table = str(event.body["sha256"]), str(event.body["table"])
        copies = self._copies(event) or [
            seal(self._store, table, self._place(str(event.body["file"])), runs=self._runs(event)).file
        ]
        for path in copies:
            if (found := sha256_file(path)) != promised:
                where = self._locked.paths.relative(path)
                yield Finding(where=where, found=f"sha256 {found}", promised=f"sha256 {promised} (ledger)")

    def _runs(self, event: Event) -> list[str] | None:
        """The runs whose rows a sealed file holds; None where it holds all of a table."""
        if event.body["table"] in DESCRIBED:
            return None
        return (
            [str(event.body["run_id"])]
            if "run_id" in event.body
            else list(self._events["completions.parquet"].body["runs"])
        )

    def _seal(self, table: str, file: str, part: Part | None, told: Mapping[str, Any]) -> None:
        found = seal(self._store, table, self._place(file), runs=None if part is None else [part.run_id])
        known = self._events.get(file)
        if known is None or known.body["sha256"] != found.sha256:
            own = {"table": table, "file": file, "sha256": found.sha256, "rows": found.rows}
            self._events[file] = append_event(self._locked.paths.ledger, "data.sealed", own | dict(told))

    def _place(self, file: str) -> Path:
        return self._locked.paths.runs / "sealed" / file

    def _rows(self, table: str, part: Part) -> int:
        query = f'SELECT count(*) FROM "{table}" WHERE run_id = ?'  # noqa: S608 - a name of ours
        return int(self._store.con.execute(query, [part.run_id]).fetchall()[0][0])

    def _finishes(self, part: Part) -> dict[str, int]:
        """How answers ended -> rows."""
        query = "SELECT finish, count(*) FROM requests WHERE run_id = ? GROUP BY finish ORDER BY finish"
        found = self._store.con.execute(query, [part.run_id]).fetchall()
        return {str(finish): int(rows) for finish, rows in found}
