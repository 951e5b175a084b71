"""The workbench: one DuckDB file a study, one writer, rows that are added once and never changed."""

# ruff: noqa: S608  (table and column names are our own, quoted; values are bound)

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors

from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas import TABLES
from seedlock.schemas.table import Table, quoted, to_frame

BATCH_ROWS = 16_384
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What an append did: rows that were new, and rows that were already there, word for word."""

    added: int
    already_there: int


class Store:
    """A study's rows on their way to being sealed.

    Appending the same rows twice adds nothing, so that interrupted work resumes by doing it again; the same
    key with other content is refused. Append in batches of thousands: every append scans the keys once.

    Parameters
    ----------
    con
        An open DuckDB connection this object may close. Use `Store.open` or `Store.in_memory`.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._in_transaction = False
        for table in TABLES.values():
            con.execute(table.ddl())

    @classmethod
    def open(cls, path: Path, *, memory: str = "512MB") -> Self:
        """Open or create the store at `path`.

        Raises
        ------
        BadInput
            Another process has it open, or the file is not a DuckDB database.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "temp_directory": str(path.with_suffix(".tmp")),
        }
        try:
            con = duckdb.connect(str(path), config=config)
        except (duckdb.Error, UnicodeDecodeError) as error:
            is_lock = "lock" in str(error).lower()
            found = "open in another process" if is_lock else str(error).splitlines()[0]
            raise BadInput(
                "the store cannot be opened",
                Finding(where=path.name, found=found, promised="a DuckDB file with one writer"),
                then="wait for the other command" if is_lock else "move the file away; it is rebuilt from the seals",
            ) from error
        return cls(con)

    @classmethod
    def in_memory(cls) -> Self:
        """Open a store that lives as long as this object."""
        return cls(duckdb.connect(":memory:"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The connection, for queries; rows enter by `append` only."""
        return self._con

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is appended inside, or none of it."""
        if self._in_transaction:
            yield
            return
        self._con.execute("BEGIN")
        self._in_transaction = True
        try:
            yield
        except BaseException:
            self._con.execute("ROLLBACK")
            raise
        else:
            self._con.execute("COMMIT")
        finally:
            self._in_transaction = False

    def mark(self, name: str) -> int:
        """Return the place in a table up to which rows are stored now, for `append`."""
        found = self._con.execute(f"SELECT coalesce(max(rowid) + 1, 0) FROM {quoted(name)}").fetchall()
        return int(found[0][0])

    def append(self, name: str, rows: pa.Table, *, before: int | None = None) -> Appended:
        """Add rows that are not there yet.

        Parameters
        ----------
        name
            A key of `TABLES`.
        rows
            Arrow rows with the table's columns; an open table (items, runs) may bring further text columns.
        before
            Compare with rows stored before this `mark` only: for many batches of one transaction that are known
            not to repeat each other.

        Raises
        ------
        BadInput
            A row breaks the schema, repeats a key within the batch, or contradicts a stored row.
        """
        table = TABLES[name]
        checked = validated(table, rows)
        with self.transaction():
            self._widen(table, checked.column_names)
            columns = ", ".join(map(quoted, checked.column_names))
            stored = self._stored(table, before)
            self._refuse_contradictions(table, checked, stored)
            on = ", ".join(map(quoted, table.key))
            added = self._over(
                checked,
                f"INSERT INTO {quoted(name)} ({columns})"
                f" SELECT {columns} FROM incoming ANTI JOIN {stored} USING ({on})",
            )[0][0]
        return Appended(added=added, already_there=checked.num_rows - added)

    def rows(self, name: str) -> int:
        """Count the rows of a table."""
        return int(self._con.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()[0][0])

    @contextlib.contextmanager
    def part(self, name: str, column: str, values: Sequence[str]) -> Iterator[Self]:
        """Open a store in memory that holds only a table's rows with one of these values, for a seal of its own."""
        query = f"SELECT * FROM {quoted(name)} WHERE list_contains(?, {quoted(column)})"
        rows = self._con.sql(query, params=[list(values)]).to_arrow_table()
        with type(self).in_memory() as store:
            store.append(name, rows)
            yield store

    def declared(self, name: str) -> tuple[str, ...]:
        """Return the further columns this study gave an open table."""
        described = self._con.execute(f"DESCRIBE {quoted(name)}").fetchall()
        own = set(TABLES[name].arrow().names)
        return tuple(sorted(str(row[0]) for row in described if row[0] not in own))

    def read(
        self, name: str, *, runs: Sequence[str] | None = None, items: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield a table in its sealing order, `BATCH_ROWS` rows at a time, without holding it in memory.

        Nothing else may use the store until the last batch is taken.
        """
        table = TABLES[name]
        schema = table.arrow(self.declared(name))
        columns = ", ".join(map(quoted, schema.names))
        kept = {"run_id": runs, "item_id": items}
        conditions = [f"{column} IN (SELECT unnest(?))" for column, values in kept.items() if values is not None]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        order = ", ".join(map(quoted, table.order))
        query = f"SELECT {columns} FROM {quoted(name)} {where} ORDER BY {order}"
        relation = self._con.sql(query, params=[list(v) for v in kept.values() if v is not None] or None)
        for batch in relation.to_arrow_reader(BATCH_ROWS):
            yield pa.Table.from_batches([batch]).cast(schema)

    def _widen(self, table: Table, names: Sequence[str]) -> None:
        """Give an open table the columns it meets for the first time."""
        known = {*table.arrow().names, *self.declared(table.name)}
        for name in sorted(set(names) - known):
            self._con.execute(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {quoted(name)} VARCHAR")

    def _over(self, incoming: pa.Table, query: str) -> list[Any]:
        """Run a query over Arrow rows named `incoming`; a registered view would live until the commit."""
        relation: Any = self._con.from_arrow(incoming).query("incoming", query)
        found: list[Any] = relation.fetchall()
        return found

    def _stored(self, table: Table, before: int | None) -> str:
        """The rows to compare with, as SQL."""
        name = quoted(table.name)
        if before is None:
            return name
        return f"(SELECT * FROM {name} WHERE {f'rowid < {before:d}' if before else 'false'}) AS stored"

    def _refuse_contradictions(self, table: Table, incoming: pa.Table, stored: str) -> None:
        """Refuse a stored row that shares a unique group with an incoming one and says something else."""
        for group in (table.key, *table.also_unique):
            on = " AND ".join(f"new.{quoted(name)} = old.{quoted(name)}" for name in group)
            pairs = [f"new.{quoted(name)} IS DISTINCT FROM old.{quoted(name)}" for name in incoming.column_names]
            found = self._over(
                incoming,
                f"SELECT {', '.join(f'new.{quoted(name)}' for name in group)}"
                f" FROM incoming new JOIN (FROM {stored}) old ON {on}"
                f" WHERE {' OR '.join(pairs)} ORDER BY ALL LIMIT {SHOWN}",
            )
            if found:
                named = [", ".join(f"{name} {said}" for name, said in zip(group, key, strict=True)) for key in found]
                raise BadInput(
                    f"rows contradict what the store holds in {table.name!r}",
                    *(Finding(where=key, found="other content", promised="the stored row") for key in named),
                    then="a row is written once and never changed: import to a new study, or drop these rows",
                )


def validated(table: Table, rows: pa.Table) -> pa.Table:
    """Return the rows with the table's exact Arrow types, or refuse them with every fault.

    Raises
    ------
    BadInput
        Columns, types, NaN, or any rule of the pandera model.
    """
    own = table.arrow()
    declared = [name for name in rows.column_names if name not in own.names]
    absent = [name for name in own.names if name not in rows.column_names]
    if absent or len(set(rows.column_names)) != len(rows.column_names):
        findings = [Finding(where=name, found="no such column", promised="a column") for name in absent]
        raise BadInput(f"rows for {table.name!r} lack columns, or name one twice", *findings)
    schema = table.arrow(declared)
    pandera_schema = table.schema(declared)
    try:
        typed = rows.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadInput(f"rows for {table.name!r} have another type: {error}") from error
    for field in schema:
        if pa.types.is_floating(field.type) and pc.any(pc.is_nan(typed[field.name])).as_py():
            found = Finding(where=f"{table.name}.{field.name}", found="NaN", promised="a finite number or null")
            raise BadInput("undefined is null, never NaN", found)
    try:
        pandera_schema.validate(to_frame(typed), lazy=True)
    except SchemaErrors as errors:
        raise BadInput(
            f"rows break the schema of {table.name!r}",
            *(
                Finding(where=str(case["column"]), found=str(case["failure_case"]), promised=str(case["check"]))
                for case in errors.failure_cases.head(SHOWN).to_dict("records")
            ),
        ) from errors
    return typed
