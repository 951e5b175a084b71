"""Sealed runs, items and completions as a judge's conditions select them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan, SealedTable, require_generated, require_seals
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import Where, listed
from seedlock.schemas.seal import unseal


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedStudy:
    """The sealed tables that judging reads, each checked against the ledger.

    Parameters
    ----------
    runs, items
        Run id -> its columns; item id -> its attributes.
    sets
        Item id -> names of the item sets it stands in.
    """

    tables: tuple[SealedTable, ...]
    runs: Mapping[str, Mapping[str, str | None]]
    items: Mapping[str, Mapping[str, str | None]]
    sets: Mapping[str, frozenset[str]]

    def completions(self) -> Iterator[pa.Table]:
        """Every sealed completion, a row group at a time."""
        for table in self.tables:
            if table.table == "completions":
                yield from unseal(table.path, sha256=table.sha256)

    def pairs(self, where: Where, plan: Plan, sets: Sequence[str], *, at: str) -> dict[str, frozenset[str]]:
        """Run id -> its answered items that meet `where` and stand in one of `sets` (in any, where none is named).

        Raises
        ------
        BadInput
            A condition names neither a factor of the runs nor an attribute of the items.
        """
        own = {name: value for name, value in where.items() if name not in self.factors}
        self._require(own, at)
        runs = _matching(self.runs, {name: value for name, value in where.items() if name in self.factors})
        items = frozenset(
            item for item in _matching(self.items, own) if self.items[item].get("asked") in {None, "answer"}
        )
        within = {name: self._set(plan, name) for name in sets}
        return {
            run: items
            if not sets
            else items & frozenset().union(*(self._of_run(plan, n, within[n], run) for n in sets))
            for run in runs
        }

    @property
    def factors(self) -> frozenset[str]:
        """Names of the runs' columns."""
        return frozenset(name for row in self.runs.values() for name in row)

    def _set(self, plan: Plan, name: str) -> frozenset[str]:
        """Items of a set: listed in its file, where it names one, and as it filters."""
        found = _matching(self.items, plan.items[name].where)
        if plan.items[name].file is None:
            return found
        return frozenset(item for item in found if name in self.sets[item])

    def _of_run(self, plan: Plan, name: str, items: frozenset[str], run: str) -> frozenset[str]:
        """Items of a set in one run: those whose attribute is, or is not, the run's factor."""
        item_set, factors = plan.items[name], self.runs[run]
        for pairs, wanted in ((item_set.same, True), (item_set.differs, False)):
            for attribute, factor in pairs.items():
                value = factors.get(factor)
                said = {item: self.items[item].get(attribute) for item in items}
                items = frozenset(
                    i for i, v in said.items() if value is not None and v is not None and (v == value) == wanted
                )
        return items

    def _require(self, names: Iterable[str], at: str) -> None:
        known = {name for row in self.items.values() for name in row}
        if absent := sorted(set(names) - known):
            promised = f"one of: {', '.join(sorted(known | self.factors))}"
            faults = (
                Finding(where=f"{at}.{n}", found="no such attribute or factor", promised=promised) for n in absent
            )
            raise BadInput(
                "a judge is told to choose by what the data do not have", *faults, then="edit the plan, and amend"
            )


def sealed_study(locked: LockedPlan) -> SealedStudy:
    """Open what a judge reads.

    Raises
    ------
    OutOfOrder
        No completion is sealed yet.
    LockedFileChanged, Incomplete
        Sealed bytes changed, or are gone; or runs are left that could be asked.
    """
    study = locked.paths.name
    tables = tuple(require_seals(locked))
    if not any(table.table == "completions" for table in tables):
        fault = Finding(where="data", found="no sealed completions", promised="texts to judge")
        raise OutOfOrder(f"{study} has nothing to judge", fault, then=f"seedlock generate {study}")
    require_generated(locked)
    rows: dict[str, list[dict[str, Any]]] = {"runs": [], "items": []}
    for table in tables:
        if table.table in rows:
            for batch in unseal(table.path, sha256=table.sha256):
                rows[table.table] += batch.to_pylist()
    sets: dict[str, set[str]] = {}
    for row in rows["items"]:
        sets.setdefault(row["item_id"], set()).add(row["items"])
    return SealedStudy(
        tables=tables,
        runs={row["run_id"]: {k: v for k, v in row.items() if k != "run_id"} for row in rows["runs"]},
        items={
            row["item_id"]: {k: v for k, v in row.items() if k not in {"item_id", "items"}} for row in rows["items"]
        },
        sets={item: frozenset(names) for item, names in sets.items()},
    )


def _matching(rows: Mapping[str, Mapping[str, str | None]], where: Where) -> frozenset[str]:
    """Keys of the rows whose columns have the wanted values, compared as text."""
    wanted = {name: frozenset(listed(value)) for name, value in where.items()}
    return frozenset(
        key for key, row in rows.items() if all(str(row.get(name)) in levels for name, levels in wanted.items())
    )
