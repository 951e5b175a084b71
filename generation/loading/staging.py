"""The staging table of one import: rows wait here until repeated and conflicting ones are known."""

# ruff: noqa: S608  (table and column names are our own, quoted; values are bound)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.quarantine import PLACED
from seedlock.schemas.table import quoted

PAGE_ROWS = 65_536
SHOWN = 5
REPEATED = "repeats an earlier row word for word"
SURPLUS = "one answer more than the plan draws"
CONFLICTS = "contradicts another row of the same run, item and draw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What identifies a staged row, and what it says."""

    key: tuple[str, ...]
    said: tuple[str, ...]


GROUPINGS = {
    "completions": Grouping(key=("run_id", "item_id", "draw"), said=("text", "label", "value", "status", "reason")),
    "judgements": Grouping(key=("request_id",), said=("label", "value", "status", "reason")),
    "counts": Grouping(key=("run_id", "item_id", "measure"), said=("k", "n", "mean")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A source row on its way to quarantine; run, item and draw are None where they are not known."""

    row: int
    reasons: list[str]
    content: str
    run_id: str | None = None
    item_id: str | None = None
    draw: str | None = None


class Staging:
    """Temporary rows of one import, in file order. Attributes are columns attr0, attr1, ..."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, shape: str, *, number_draws: bool, draws: int | None = None
    ) -> None:
        self._con = con
        self._grouping = GROUPINGS[shape]
        self._number_draws = number_draws
        self._draws = draws
        self._is_empty = True
        self._names: Sequence[str] = ()

    def add(self, rows: pa.Table) -> None:
        """Put rows at the end."""
        into = "CREATE OR REPLACE TEMP TABLE staged AS" if self._is_empty else "INSERT INTO staged"
        # Not a registered view: one registered inside a transaction keeps its rows in memory until the commit.
        self._con.from_arrow(rows).query("arriving", f"{into} SELECT * FROM arriving")
        self._is_empty = False
        self._names = rows.column_names

    def judge(self) -> None:
        """Number the draws where the plan says so, and find rows that repeat or contradict others of their key.

        Rows of draws beyond those that the plan makes, in their order, are surplus.
        """
        self._judge()
        self._con.execute("CREATE OR REPLACE TEMP TABLE surplus (row BIGINT)")
        if self._draws is not None:
            rows = "SELECT staged.* REPLACE (numbered.draw AS draw) FROM staged JOIN numbered USING (row)"
            place = "dense_rank() OVER (PARTITION BY run_id, item_id ORDER BY draw)"
            self._con.execute(
                f"INSERT INTO surplus SELECT row FROM ({rows if self._number_draws else 'FROM staged'})"
                f" QUALIFY {place} > ?",
                [self._draws],
            )

    def _judge(self) -> None:
        if self._number_draws:
            draw = "row_number() OVER (PARTITION BY run_id, item_id ORDER BY row) - 1"
            self._con.execute(f"CREATE OR REPLACE TEMP TABLE numbered AS SELECT row, {draw} AS draw FROM staged")
            self._con.execute("CREATE OR REPLACE TEMP TABLE verdict (row BIGINT, nth BIGINT, conflicts BOOLEAN)")
            return
        key = ", ".join(self._grouping.key)
        said = ", ".join(f"{name} := {name}" for name in self._grouping.said)
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE verdict AS"
            f" WITH twice AS (SELECT {key} FROM staged GROUP BY {key} HAVING count(*) > 1),"
            f" keyed AS (SELECT row, {key}, md5(to_json(struct_pack({said}))) AS said"
            f" FROM staged SEMI JOIN twice USING ({key}))"
            " SELECT row, row_number() OVER (same ORDER BY row) AS nth,"
            " min(said) OVER same <> max(said) OVER same AS conflicts"
            f" FROM keyed WINDOW same AS (PARTITION BY {key})"
        )

    def refused(self) -> Iterator[list[Refused]]:
        """Yield pages of repeated or conflicting rows, in file order; their content is JSON."""
        place = [name if name in self._names else "NULL" for name in PLACED]
        why = f"CASE WHEN conflicts THEN '{CONFLICTS}' WHEN nth > 1 THEN '{REPEATED}' ELSE '{SURPLUS}' END"
        for between in self._pages("staged"):
            found = self._con.execute(
                f"SELECT staged.row, {why}, to_json(staged), {', '.join(place)}"
                f" FROM staged LEFT JOIN verdict USING (row) WHERE {between}"
                " AND (conflicts OR nth > 1 OR staged.row IN (FROM surplus)) ORDER BY staged.row"
            ).fetchall()
            yield [
                Refused(row=row, reasons=[why], content=content, **dict(zip(PLACED, map(_text, at), strict=True)))
                for row, why, content, *at in found
            ]

    def accepted(self) -> Iterator[pa.Table]:
        """Yield the rows that stand, in file order, by pages; other statements may run in between."""
        draw = "REPLACE (numbered.draw AS draw)" if self._number_draws else ""
        join = "JOIN numbered USING (row)" if self._number_draws else ""
        for between in self._pages("staged"):
            yield self._con.sql(
                f"SELECT staged.* {draw} FROM staged {join} LEFT JOIN verdict USING (row)"
                f" WHERE {between} AND coalesce(nth = 1 AND NOT conflicts, true)"
                " AND staged.row NOT IN (FROM surplus) ORDER BY staged.row"
            ).to_arrow_table()

    def _pages(self, table: str) -> Iterator[str]:
        """Yield conditions that cut a table's rows into pages."""
        first, last = self._con.execute(f"SELECT min(row), max(row) FROM {table}").fetchall()[0]
        if first is not None:
            for start in range(first, last + 1, PAGE_ROWS):
                yield f"{table}.row BETWEEN {start} AND {start + PAGE_ROWS - 1}"

    def items(self, names: Sequence[str]) -> pa.Table:
        """Return the distinct items of all staged rows, with their attributes under the given names.

        Raises
        ------
        BadInput
            Rows of one item disagree on an attribute.
        """
        attributes = [f"attr{index}" for index in range(len(names))]
        differs = " OR ".join(f"count(DISTINCT coalesce('=' || {a}, '')) > 1" for a in attributes)
        if differs:
            clashes = self._con.execute(
                f"SELECT item_id FROM staged GROUP BY item_id HAVING {differs} ORDER BY item_id LIMIT {SHOWN}"
            ).fetchall()
            if clashes:
                promised = f"one value of each of {', '.join(names)} an item"
                raise BadInput(
                    "an item has two values of one attribute",
                    *(
                        Finding(where=f"item {item}", found="rows that disagree", promised=promised)
                        for (item,) in clashes
                    ),
                    then="make the column part of the item, or leave it out of the attributes",
                )
        named = "".join(f", any_value({a}) AS {quoted(n)}" for a, n in zip(attributes, names, strict=True))
        return self._con.sql(f"SELECT item_id{named} FROM staged GROUP BY item_id ORDER BY item_id").to_arrow_table()

    def drop(self) -> None:
        """Remove the temporary tables."""
        for name in ("staged", "numbered", "verdict", "surplus"):
            self._con.execute(f"DROP TABLE IF EXISTS temp.{name}")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
