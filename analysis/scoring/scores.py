"""From rows to scores to cells: one pass, exact counts, and sums that no thread or row order can change."""

# ruff: noqa: S608  (column names are our own, quoted; values are bound)

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.measure import Measure, Params, Scored, flat, scored
from seedlock.prereg.errors import BadInput, Finding, NotFinite
from seedlock.prereg.plan.filters import RowFilter
from seedlock.schemas import TABLES
from seedlock.schemas.table import to_frame

# Beyond this a square or a sum of squares overflows; no measure of a completion comes near it.
LARGEST = 1e150
CELL = ("run_id", "item_id", "measure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What one judge said.

    Parameters
    ----------
    judgements
        Rows of `judgements`, this judge's among them.
    is_choice
        The judge was given the completions that the plan chose and has a row for each: the others are not missing.
    """

    judge: str
    judgements: pa.Table
    is_choice: bool

    def on(self, batch: pa.Table) -> pa.Table:
        """Completions with the judge's label and value."""
        if self.is_choice:
            batch = batch.filter(pc.is_in(batch["request_id"], value_set=flat(self.judgements["request_id"])))
        return next(judged([batch], self.judgements, judge=self.judge))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A row filter with the measure whose scores it compares.

    A row without a score is left out too: nobody knows on which side it lies.
    """

    named: NamedMeasure
    by: RowFilter

    def applied(self, found: Scored, rows: pa.Table, batch: pa.Table) -> Scored:
        """Blank the scores of rows that it leaves out, each with the reason."""
        other = self.named.rows(batch)
        own = self.named.measure.score(other, self.named.params)
        at = pc.index_in(flat(rows["request_id"]), value_set=flat(other["request_id"]))
        score = own.score.take(at)
        why = pc.coalesce(own.missing.take(at), pa.scalar("not scored"))
        unknown = pc.binary_join_element_wise(self.by.measure, why, ": ")
        reason = pc.if_else(_COMPARE[self.by.sign](score, self.by.bound), None, self.by.lost_as)
        outside = pc.if_else(pc.is_valid(score), reason, unknown).cast(pa.string())
        return scored(found.score, pc.coalesce(found.missing, outside))


_COMPARE = {">=": pc.greater_equal, "<=": pc.less_equal, ">": pc.greater, "<": pc.less}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedMeasure:
    """A measure as one plan uses it: its name there, its kind, its checked settings, and the items it scores.

    Rows of other items have no score, and are not missing. `items` is None where it scores all. With `verdicts` it
    scores what a judge said of the rows in place of their own label and value. `expected` is item -> the label that its
    own attribute asks for, `kept` the row filters of a hypothesis.
    """

    name: str
    measure: Measure[Any]
    params: Params
    items: frozenset[str] | None = None
    verdicts: Verdicts | None = None
    expected: Mapping[str, str] | None = None
    kept: tuple[Kept, ...] = ()

    def rows(self, batch: pa.Table) -> pa.Table:
        """The rows of a batch that this measure scores."""
        if self.items is not None:
            batch = batch.filter(pc.is_in(batch["item_id"], value_set=pa.array(sorted(self.items), pa.string())))
        batch = batch if self.verdicts is None else self.verdicts.on(batch)
        if self.expected is not None:
            labels = [self.expected.get(item) for item in flat(batch["item_id"]).to_pylist()]
            batch = batch.append_column("expected", pa.array(labels, pa.string()))
        return batch

    def score(self, rows: pa.Table, batch: pa.Table) -> Scored:
        """Score its `rows` of a batch, those that a filter leaves out with their reason."""
        found = self.measure.score(rows, self.params)
        for one in self.kept:
            found = one.applied(found, rows, batch)
        return found


def named_measure(
    name: str,
    kind: str,
    settings: Mapping[str, Any],
    *,
    items: frozenset[str] | None = None,
    verdicts: Verdicts | None = None,
    expected: Mapping[str, str] | None = None,
) -> NamedMeasure:
    """Check one `[measures.NAME]` of a plan.

    Parameters
    ----------
    items
        Ids of the items it scores (`analysis.scoring.item_sets.measured_items`); None for all.
    verdicts
        Of the judge that the measure names; None where it scores the completions themselves.
    expected
        Item -> label that its own attribute asks for; None where the measure compares with none.

    Raises
    ------
    BadInput
        Unknown kind, or settings that this kind does not take.
    """
    if kind not in MEASURES:
        found = Finding(where=f"measures.{name}.kind", found=kind, promised=", ".join(MEASURES))
        raise BadInput("unknown measure", found)
    measure = MEASURES[kind]
    params = measure.configure(settings, where=f"measures.{name}")
    return NamedMeasure(name=name, measure=measure, params=params, items=items, verdicts=verdicts, expected=expected)


def score_rows(rows: Iterable[pa.Table], measures: Sequence[NamedMeasure]) -> Iterator[pa.Table]:
    """Score completions batch by batch: one table of `scores` a batch and measure.

    Parameters
    ----------
    rows
        Batches with the columns of `completions` (`schemas.seal.unseal` gives them), or what `judged` makes of them.
    """
    schema = TABLES["scores"].arrow()
    for batch in rows:
        for named in measures:
            rows_in = named.rows(batch)
            found = named.score(rows_in, batch)
            columns = {name: rows_in[name] for name in ("request_id", "run_id", "item_id", "draw")}
            columns["measure"] = pa.repeat(pa.scalar(named.name), rows_in.num_rows)
            yield pa.table({**columns, "score": found.score, "missing": found.missing}, schema=schema)


def judged(rows: Iterable[pa.Table], judgements: pa.Table, *, judge: str) -> Iterator[pa.Table]:
    """Put one judge's label and value in place of the completions' own.

    A completion that is no answer keeps its status; an answer that this judge never saw has status "not judged";
    a failed judgement passes its status on. None of them is scored.

    Parameters
    ----------
    judgements
        The whole table of `judgements`; held in memory.
    """
    by_judge = judgements.filter(pc.equal(judgements["judge"], judge))
    known = flat(by_judge["request_id"])
    for batch in rows:
        at = pc.index_in(flat(batch["request_id"]), value_set=known)
        own = flat(batch["status"])
        said = pc.coalesce(flat(by_judge["status"]).take(at), pa.scalar("not judged"))
        replaced = {name: flat(by_judge[name]).take(at) for name in ("label", "value")}
        is_answer = pc.equal(own, "ok")
        replaced["status"] = pc.if_else(is_answer, said, own)
        if "reason" in batch.column_names:
            replaced["reason"] = pc.if_else(is_answer, flat(by_judge["reason"]).take(at), flat(batch["reason"]))
        yield pa.table({name: replaced.get(name, batch[name]) for name in batch.column_names})


def cells_of_scores(scores: Iterable[pa.Table], measures: Sequence[NamedMeasure]) -> pd.DataFrame:
    """Reduce scores to sufficient statistics, run by item by measure.

    Counts are exact integers; `total` and `sum_sq` are correctly rounded sums (`math.fsum`), so that row order,
    batch size and threads change no bit.

    Returns
    -------
    pandas.DataFrame
        `schemas.cells`, sorted by run, item and measure. `k` is given for yes/no measures.

    Raises
    ------
    NotFinite
        A score too large to square.
    """
    con = duckdb.connect(":memory:")
    try:
        for number, batch in enumerate(scores):
            _refuse_too_large(batch)
            con.register("batch", batch)
            con.execute(f"{'INSERT INTO part' if number else 'CREATE TABLE part AS'} {_PART}")
            con.execute(f"{'INSERT INTO gone' if number else 'CREATE TABLE gone AS'} {_GONE}")
            con.unregister("batch")
        proportions = frozenset(named.name for named in measures if named.measure.is_proportion)
        try:
            found = con.sql(_WHOLE).to_arrow_table()
        except duckdb.CatalogException as error:
            raise BadInput("there is no score to aggregate") from error
    finally:
        con.close()
    return _validated(_with_sums(found, proportions))


_KEY = ", ".join(CELL)
_PART = (
    f"SELECT {_KEY}, count(score) AS n, count(*) FILTER (score = 1) AS ones,"
    f" coalesce(list(score) FILTER (score NOT IN (0, 1)), []) AS others FROM batch GROUP BY {_KEY}"
)
_GONE = f"SELECT {_KEY}, missing, count(*) AS n FROM batch WHERE missing IS NOT NULL GROUP BY {_KEY}, missing"
_WHOLE = (
    f"WITH summed AS (SELECT {_KEY}, missing, sum(n) AS n FROM gone GROUP BY {_KEY}, missing),"
    f" lost AS (SELECT {_KEY}, sum(n)::BIGINT AS n_missing,"
    f" list(missing ORDER BY missing) AS reasons, list(n::BIGINT ORDER BY missing) AS times"
    f" FROM summed GROUP BY {_KEY}),"
    f" kept AS (SELECT {_KEY}, sum(n)::BIGINT AS n, sum(ones)::BIGINT AS ones, flatten(list(others)) AS others"
    f" FROM part GROUP BY {_KEY})"
    f" SELECT {_KEY}, n, ones, others, coalesce(n_missing, 0) AS n_missing, reasons, times"
    f" FROM kept LEFT JOIN lost USING ({_KEY}) ORDER BY {_KEY}"
)


def _refuse_too_large(scores: pa.Table) -> None:
    """Refuse a score whose square would overflow."""
    largest = pc.max(pc.abs(scores["score"])).as_py()
    if largest is not None and not largest <= LARGEST:
        raise NotFinite(
            "a score is too large to square", Finding(where="score", found=str(largest), promised="<= 1e150")
        )


def _with_sums(found: pa.Table, proportions: frozenset[str]) -> pa.Table:
    """Add the exact sums, the mean, and k where every score is 0 or 1."""
    columns: dict[str, list[Any]] = {name: [] for name in ("k", "total", "mean", "sum_sq", "missing")}
    for row in found.to_pylist():
        n, ones, others = row["n"], row["ones"], row["others"]
        total = math.fsum((ones, *others))
        columns["k"].append(ones if row["measure"] in proportions and not others else None)
        columns["total"].append(total if n else None)
        columns["mean"].append(total / n if n else None)
        columns["sum_sq"].append(math.fsum((ones, *(x * x for x in others))) if n else None)
        reasons = dict(zip(row["reasons"] or (), row["times"] or (), strict=True))
        columns["missing"].append(json.dumps(reasons, sort_keys=True, ensure_ascii=False, separators=(",", ":")))
    kept = {name: found[name] for name in (*CELL, "n_missing")} | {"n_scored": found["n"]}
    schema = TABLES["cells"].arrow()
    return pa.table({name: kept.get(name, columns.get(name)) for name in schema.names}, schema=schema)


def cells_of_counts(counts: pa.Table) -> pd.DataFrame:
    """Turn imported counts into cells: k of n, or a published mean whose n is unknown (`n_scored` null)."""
    k, n = flat(counts["k"]), flat(counts["n"])
    ones = k.cast(pa.float64())
    mean = pc.coalesce(flat(counts["mean"]), pc.divide(ones, n.cast(pa.float64())))
    none = pa.repeat(pa.scalar(0, pa.int64()), counts.num_rows)
    columns = {name: counts[name] for name in CELL}
    columns |= {"n_scored": n, "k": k, "total": ones, "mean": mean, "sum_sq": ones}
    columns |= {"n_missing": none, "missing": pa.repeat(pa.scalar("{}"), counts.num_rows)}
    schema = TABLES["cells"].arrow()
    return _validated(pa.table(columns, schema=schema).sort_by([(name, "ascending") for name in CELL]))


def describe_cells(cells: pd.DataFrame, *, runs: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Put the run's model, arm, seed and factors, and the item's attributes, beside every cell.

    Raises
    ------
    BadInput
        A cell of a run or item that the tables do not have, or a name that both tables use.
    """
    names = [set(map(str, frame.columns)) for frame in (cells, runs, items)]
    both = sorted((names[1] & names[2]) | (names[0] & (names[1] | names[2])) - {"run_id", "item_id"})
    if both:
        raise BadInput("a factor and an attribute share a name", *(_clash(name) for name in both))
    findings = [
        Finding(where=f"{table} {unknown}", found="cells of it", promised=f"a row of the {table}s table")
        for table, known in (("run", runs["run_id"]), ("item", items["item_id"]))
        for unknown in sorted(set(cells[f"{table}_id"]) - set(known))
    ]
    if findings:
        raise BadInput("cells of runs or items that are not in the tables", *findings)
    described = cells.merge(runs, on="run_id", how="left", validate="many_to_one")
    return described.merge(items, on="item_id", how="left", validate="many_to_one")


def _clash(name: str) -> Finding:
    return Finding(where=name, found="a column of two tables", promised="one meaning a name")


def _validated(cells: pa.Table) -> pd.DataFrame:
    """Cells through their own schema: nothing leaves unchecked."""
    frame: pd.DataFrame = TABLES["cells"].schema().validate(to_frame(cells), lazy=True)
    return frame
