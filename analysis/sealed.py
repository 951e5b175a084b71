"""The sealed tables, opened once their rows were counted: how many there are is read from the files, not the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from seedlock.analysis.row_counts import miscounted
from seedlock.prereg.errors import LockedFileChanged
from seedlock.prereg.lock.gate import LockedPlan, SealedTable, require_seals
from seedlock.schemas.seal import unseal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The sealed tables of a study, opened."""

    tables: tuple[SealedTable, ...]

    def batches(self, name: str) -> Iterator[pa.Table]:
        """Rows of every sealed table of this name, a row group at a time."""
        for table in self.tables:
            if table.table == name:
                yield from unseal(table.path, sha256=table.sha256)

    def whole(self, name: str) -> pa.Table | None:
        """All rows of a table, or None where nothing of the name is sealed."""
        found = list(self.batches(name))
        return pa.concat_tables(found) if found else None


def open_sealed(locked: LockedPlan) -> Sealed:
    """Every sealed table that speaks now, with as many rows of every run as its seal promised.

    Raises
    ------
    LockedFileChanged
        A sealed file has other bytes, or other rows, than the ledger says.
    """
    tables = tuple(require_seals(locked))
    places = {table.path.name: table.path for table in tables}
    faults = [
        fault
        for event in locked.sealed
        if (place := places.get(str(event.body["file"]))) is not None
        for fault in miscounted(event, place)
    ]
    if faults:
        study = locked.paths.name
        raise LockedFileChanged(
            f"the ledger of {study} miscounts its sealed rows", *faults[:20], then=f"seedlock verify {study}"
        )
    return Sealed(tables=tables)
