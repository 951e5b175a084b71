"""Sealed rows go back into a store that lost them: nothing is asked, read or imported twice."""

from __future__ import annotations

from collections.abc import Iterable

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.lock.superseded import superseded
from seedlock.schemas.seal import restore
from seedlock.schemas.store import Store


def restore_sealed(paths: StudyPaths, events: Iterable[Event], store: Store, tables: Iterable[str]) -> None:
    """Put back the rows of these tables that the ledger knows and the store has not; rows that are there stay."""
    known = [event for event in events if event.name == "data.sealed"]
    replaced = superseded(known)
    for table in tables:
        sealed = [e for e in known if e.body["table"] == table and e.body["file"] not in replaced]
        if store.rows(table) < sum(int(event.body["rows"]) for event in sealed):
            for event in sealed:
                copies = [path for path in paths.seal_places(str(event.body["file"])) if path.is_file()]
                for path in copies[:1]:
                    restore(store, table, path, sha256=str(event.body["sha256"]))
