"""What an import of files would bring, told without keeping anything: `import --dry-run` and `check STUDY FILE`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedlock.cli.common import gate, progress
from seedlock.prereg.english import counted
from seedlock.prereg.errors import Finding, Incomplete

if TYPE_CHECKING:
    from seedlock.prereg.base.paths import StudyPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """The account of a rehearsed import, as lines and as plain data."""

    lines: tuple[str, ...]
    as_json: dict[str, Any]
    absent: tuple[str, ...]
    """Runs without which the plan refuses to be analysed."""

    def require_analysable(self, study: str) -> None:
        """Refuse what `import` would take and `analyze` would not.

        Raises
        ------
        Incomplete
            Planned runs have no row, and `missing.runs` is "refuse".
        """
        if self.absent:
            raise Incomplete(
                f"import would seal these files; analyze would refuse: {counted(len(self.absent), 'planned run')} "
                "without a row",
                *(Finding(where=run, found="no row", promised="a run of the plan") for run in self.absent[:20]),
                then='add the files of these runs; or set  missing.runs = "analyse and bound"  in plan.toml, then  '
                f"seedlock check {study}",
            )


def rehearse(paths: StudyPaths, files: Sequence[Path], format: str | None = None) -> Rehearsal:
    """Import under the lock or, before there is one, under the plan as it stands, into memory.

    Raises
    ------
    BadInput
        Whatever would stop the import itself.
    """
    from seedlock.analysis.scoring.coverage import coverage
    from seedlock.generation.import_completions import Into
    from seedlock.generation.import_rehearsal import columns_met, planned_import, rehearsed, shape_of, tables_of
    from seedlock.generation.loading.unknown_levels import absent_runs
    from seedlock.prereg.lock.document import lock_paths
    from seedlock.prereg.plan.read import read_plan

    is_locked = bool(lock_paths(paths))
    into = Into.locked(gate(paths.name, paths.root)) if is_locked else planned_import(paths, read_plan(paths.plan))
    with progress("rehearsing the import"), rehearsed(into, files, format) as (imported, store):
        columns = tuple(columns_met(into, store))
        found = coverage(into.plan, tables_of(into, store))
        absent = tuple(absent_runs(into.plan, into.runs, store, shape_of(into)))
    told = {
        **imported.as_json(),
        "absent": list(absent),
        "columns": list(columns),
        "coverage": found.as_json(),
        "kept": False,
    }
    kept = "kept      nothing: this was a rehearsal"
    return Rehearsal(lines=(*imported.lines(), *columns, *found.lines(), kept), as_json=told, absent=absent)
