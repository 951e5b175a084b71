"""An import without a seal: the same rows through the same checks, before the lock or after it, and nothing is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from seedlock.generation.import_completions import (
    Imported,
    Into,
    declared_file,
    declared_import,
    import_files,
    import_request,
    require_fit,
)
from seedlock.generation.importers import importer
from seedlock.generation.sealing.run_and_item_tables import runs_table
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.document import LockedRun
from seedlock.prereg.lock.lock import run_id
from seedlock.prereg.plan.plan import Plan
from seedlock.schemas import TABLES
from seedlock.schemas.store import Store

MOST_BYTES_IN_MEMORY = 64 * 2**20


def planned_import(paths: StudyPaths, plan: Plan) -> Into:
    """Where rows would go if this plan were locked as it is."""
    runs = tuple(
        LockedRun(
            run_id=run_id(plan, run),
            model=run.model,
            arm=run.arm,
            seed=run.seed,
            factors=dict(run.factors),
            n_expected=None,
        )
        for run in plan.runs()
    )
    return Into(paths=paths, plan=plan, runs=runs)


def require_maps(paths: StudyPaths, plan: Plan) -> None:
    """Refuse what no file is needed to see in `[import]` and `[judgements.NAME]`: roles, formats, rules of reading.

    Raises
    ------
    BadInput
        With every fault of the first such table.
    """
    into = planned_import(paths, plan)
    nowhere = paths.study / "FILE"
    if plan.import_ is not None:
        importer(plan.import_.format)
        import_request(into, plan.import_, nowhere, None)
    for name, judged in plan.judgements.items():
        importer(judged.format)
        import_request(into, judged, nowhere, None, judge=name)


@contextmanager
def rehearsed(into: Into, files: Sequence[Path], format: str | None) -> Iterator[tuple[Imported, Store]]:
    """Import into a store that lives as long as the context: in memory, or for large files beside it.

    Raises
    ------
    BadInput
        Whatever would stop the import itself.
    """
    declared = declared_import(into)
    named = files or [declared_file(declared, into, "import")]
    requests = [import_request(into, declared, file, format) for file in named]
    with _store_for(named) as store:
        store.append("runs", runs_table(into.runs))
        imported = Imported(reports=tuple(import_files(requests, store)), sealed=(), predates_lock=False)
        require_fit(into, requests, imported, store)
        yield imported, store


@contextmanager
def _store_for(files: Sequence[Path]) -> Iterator[Store]:
    """A store for these files: in memory, or in a temporary folder with a bound on memory where they are large."""
    size = sum(file.stat().st_size for file in files if file.is_file())
    if size <= MOST_BYTES_IN_MEMORY:
        with Store.in_memory() as store:
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="seedlock-") as folder, Store.open(Path(folder) / "rows.duckdb") as store:
        yield store


def columns_met(into: Into, store: Store) -> Iterator[str]:
    """What each mapped role came from, and the levels found: of the arms, seeds and item attributes."""
    declared = declared_import(into)
    columns = ", ".join(f"{role} = {_named(column)}" for role, column in declared.columns.items())
    constants = ", ".join(f"{role} = {value!r}" for role, value in declared.constants.items())
    yield f"columns   {columns}" + (f"; constants {constants}" if constants else "")
    for attribute in store.declared("items"):
        query = f'SELECT DISTINCT "{attribute}" FROM items ORDER BY ALL'  # noqa: S608 - a column of the store
        levels = [str(level) for (level,) in store.con.execute(query).fetchall()]
        shown = ", ".join(levels[:6]) + (", ..." if len(levels) > 6 else "")
        yield f"levels    {attribute}: {len(levels)} ({shown})"


def _named(column: str | Sequence[str]) -> str:
    return column if isinstance(column, str) else " + ".join(column)


def tables_of(into: Into, store: Store) -> dict[str, pa.Table]:
    """What the import would seal, in memory."""
    return {name: pa.concat_tables(_whole(store, name)) for name in ("runs", "quarantine", shape_of(into))}


def shape_of(into: Into) -> str:
    """The table that the import would fill."""
    return "counts" if {"k", "n", "mean"} & declared_import(into).columns.keys() else "completions"


def _whole(store: Store, table: str) -> list[pa.Table]:
    empty = TABLES[table].arrow(store.declared(table)).empty_table()
    return [empty, *store.read(table)]
