"""A level that the plan does not have, in rows of a study that promises every run: nothing is sealed."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from seedlock.generation.intake.match import not_planned
from seedlock.generation.intake.request import RUN_ROLES, ImportRequest, Role
from seedlock.prereg.english import counted
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.document import LockedRun
from seedlock.prereg.lock.due_runs import due_of
from seedlock.prereg.plan.plan import Plan
from seedlock.schemas.store import Store

SHOWN = 8
PAGE_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownLevel:
    """A value of the rows that is no level of the plan: where it first stands, and how many rows have it."""

    role: Role
    value: str
    file: str
    row: int
    n_rows: int

    def finding(self, planned: Collection[str], absent: Collection[str]) -> Finding:
        """With the nearest level, of the runs without any row where there is one."""
        near = [close[0] for levels in (absent, planned) if (close := difflib.get_close_matches(self.value, levels, 1))]
        guess = f"; did you mean {near[0]!r}?" if near else ""
        return Finding(
            where=f"{self.file}, row {self.row}: {self.role}",
            found=f"{self.value!r}, in {counted(self.n_rows, 'row')}{guess}",
            promised=f"one of: {', '.join(sorted(planned))}",
        )


def absent_runs(plan: Plan, runs: Sequence[LockedRun], store: Store, shape: str) -> list[str]:
    """Runs that are due and have no row in the store, where the plan refuses to be analysed without one."""
    if plan.missing.runs != "refuse":
        return []
    found = store.con.execute(f"SELECT DISTINCT run_id FROM {shape}").fetchall()  # noqa: S608 - a table of ours
    here = {str(run) for (run,) in found}
    return [run.run_id for run in due_of(plan, runs, here) if run.run_id not in here]


def require_levels(plan: Plan, study: str, runs: Sequence[LockedRun], request: ImportRequest, store: Store) -> None:
    """Refuse rows of unknown levels where planned runs have no row and `missing.runs` is "refuse".

    Raises
    ------
    BadInput
        With every such value, the row where it first stands and the nearest level.
    """
    absent = absent_runs(plan, runs, store, request.shape)
    found = unknown_levels(request, store) if absent else []
    if not found:
        return
    faults = levels_named(request, found, absent)
    shown = ", ".join(absent[:SHOWN]) + (", ..." if len(absent) > SHOWN else "")
    runs_gone = Finding(where="missing.runs", found=f"no row of {shown}", promised='a row of every run ("refuse")')
    raise BadInput(
        f"rows name a level that the plan does not have, and {counted(len(absent), 'planned run')} without a row",
        *faults,
        runs_gone,
        then=f'mend the values in the file; or set  missing.runs = "analyse and bound"  in plan.toml and  '
        f"seedlock amend {study} --reason design-change --note 'these runs were lost';  nothing was sealed",
    )


def levels_named(request: ImportRequest, found: Sequence[UnknownLevel], absent: Collection[str] = ()) -> list[Finding]:
    """The commonest of these values, with the levels that the plan has; the nearest is an absent run's where one is."""
    return [one.finding(_levels(request, one.role, None), _levels(request, one.role, absent)) for one in found[:SHOWN]]


def _levels(request: ImportRequest, role: Role, runs: Collection[str] | None) -> list[str]:
    """The planned values of a role: of all runs, or of these."""
    name = "run_id" if role == "run" else role
    told = {getattr(run, name) for run in request.runs if runs is None or run.run_id in runs}
    return sorted(str(value) for value in told if value is not None)


def unknown_levels(request: ImportRequest, store: Store) -> list[UnknownLevel]:
    """Every value of a role of the runs for which a row was refused, the commonest first."""
    return sorted(_unknown_levels(request, store), key=lambda one: -one.n_rows)


def _unknown_levels(request: ImportRequest, store: Store) -> Iterator[UnknownLevel]:
    """The values, role by role."""
    for role in ("run", *RUN_ROLES):
        column = request.column(role)
        query = "SELECT file, row, content FROM quarantine WHERE contains(reasons, ?) ORDER BY file, row"
        rows = store.con.execute(query, [not_planned(role)])
        first: dict[str, tuple[str, int]] = {}
        count: Counter[str] = Counter()
        while page := rows.fetchmany(PAGE_ROWS):
            for file, row, content in page:
                value = request.constants.get(role) if column is None else _value(content, column)
                if value is not None:
                    first.setdefault(value, (str(file), int(row)))
                    count[value] += 1
        for value, (file, row) in first.items():
            yield UnknownLevel(role=role, value=value, file=file, row=row, n_rows=count[value])


def _value(content: str, column: str) -> str | None:
    """A column of a refused row; None where the row could not be read, or is empty there."""
    try:
        held = json.loads(content)
    except ValueError:
        return None
    value = held.get(column) if isinstance(held, dict) else None
    return None if value is None else str(value)
