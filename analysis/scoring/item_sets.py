"""Which items a measure scores, which sets an item stands in, and the two orders of a question as one item."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.scoring.scores import Kept, NamedMeasure, Verdicts, named_measure
from seedlock.prereg.errors import BadInput, Finding, Incomplete
from seedlock.prereg.plan.filters import filtered_measures
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import Where, listed

SETS = "item_sets"
"""Column of described cells: names of the item sets that the item stands in, with spaces between."""
ORDERS = ("pro first", "con first")
OWN_OF_AN_ORDER = ("order", "pro", "con")
SHOWN = 20


def unit_of(plan: Plan, measure: str) -> str:
    """The unit of a measure's scores: the plan's words for it, else its kind's."""
    written = plan.measures[measure]
    return written.unit or MEASURES[written.kind].unit


def with_sets(items: pd.DataFrame) -> pd.DataFrame:
    """One row an item, with its attributes and the sets it stands in, from one row an item and set.

    A question that is asked in both orders in two sets, each with items of its own, is two pairs: the set is then part
    of the pair's name.
    """
    sets: dict[str, set[str]] = {}
    for item, name in zip(items["item_id"], items["items"], strict=True):
        sets.setdefault(item, set()).add(name)
    once = items.drop(columns=["items"]).drop_duplicates("item_id")
    described = once.assign(item_sets=[" ".join(sorted(sets[item])) for item in once["item_id"]])
    if "pair" not in described:
        return described
    is_twice = described.groupby("pair")["item_sets"].transform("nunique").gt(1) & described["pair"].notna()
    told_apart = described["pair"] + " | " + described["item_sets"]
    return described.assign(pair=described["pair"].mask(is_twice, told_apart))


def in_set(rows: pd.DataFrame, plan: Plan, name: str) -> pd.Series[bool]:
    """Whether each row's item belongs to a set of the plan: listed in its file, where it names one, and as it filters.

    Raises
    ------
    BadInput
        The filter names an attribute that the data do not have, or compares with a factor that the runs do not have.
    """
    item_set = plan.items[name]
    found = matching(rows, item_set.where, named=f"items.{name}.where")
    for key, pairs, wanted in (("same", item_set.same, True), ("differs", item_set.differs, False)):
        for attribute, factor in pairs.items():
            _require_columns(rows, (attribute, factor), named=f"items.{name}.{key}")
            both = rows[attribute].notna() & rows[factor].notna()
            found &= both & ((rows[attribute] == rows[factor]) == wanted)
    if item_set.file is None:
        return found
    if SETS not in rows.columns:
        return found & False
    return found & rows[SETS].map(lambda sets: name in sets.split()).astype(bool)


def matching(rows: pd.DataFrame, where: Where, *, named: str) -> pd.Series[bool]:
    """Rows whose columns have the wanted values, compared as text.

    Raises
    ------
    BadInput
        A column that the data do not have.
    """
    found = pd.Series(True, index=rows.index)
    _require_columns(rows, where, named=named)
    for factor, wanted in where.items():
        found &= rows[factor].isin(listed(wanted))
    return found


def _require_columns(rows: pd.DataFrame, names: Iterable[str], *, named: str) -> None:
    absent = [name for name in names if name not in rows.columns]
    if absent:
        raise BadInput(
            "the plan names an attribute that the items do not have",
            *(Finding(where=f"{named}.{name}", found="no such column", promised=_known(rows)) for name in absent),
        )


def _known(rows: pd.DataFrame) -> str:
    return f"one of: {', '.join(sorted(set(map(str, rows.columns)) - {'item_id', SETS}))}"


def measured_items(plan: Plan, name: str, items: pd.DataFrame) -> frozenset[str] | None:
    """Ids of the items that a measure of the plan scores; None where it scores all.

    Those that its kind reads, of the sets that its `items` names, as its `where` filters. Data made elsewhere do not
    say how an item was asked: there `items` and `where` alone decide.

    Parameters
    ----------
    items
        From `with_sets`.

    Raises
    ------
    BadInput
        An attribute that the items do not have.
    """
    measure = plan.measures[name]
    reads = MEASURES[measure.kind].reads
    asks = "asked" in items.columns and plan.import_ is None
    if not measure.items and not measure.where and not (reads and asks):
        return None
    chosen = matching(items, measure.where, named=f"measures.{name}.where")
    if measure.items:
        chosen &= pd.concat([in_set(items, plan, one) for one in measure.items], axis=1).any(axis=1)
    if reads and asks:
        chosen &= items["asked"].isin(reads)
    return frozenset(items.loc[chosen, "item_id"])


def plan_measures(plan: Plan, items: pd.DataFrame, judgements: pa.Table | None = None) -> list[NamedMeasure]:
    """Every measure of completions in a plan, with its items and its judge's verdicts; then those of row filters.

    Parameters
    ----------
    items
        From `with_sets`.
    judgements
        The whole sealed table; None where no judge has spoken.

    Raises
    ------
    Incomplete
        A measure rests on a judge that has not spoken.
    """
    found = {
        name: named_measure(
            name,
            m.kind,
            m.params,
            items=measured_items(plan, name, items),
            verdicts=None if m.judge is None else _verdicts(plan, m.judge, judgements),
            expected=_expected(m.params.get("match"), items),
        )
        for name, m in plan.measures.items()
        if MEASURES[m.kind].table == "completions"
    }
    filtered = [
        replace(found[measure], name=name, kept=tuple(Kept(named=found[one.measure], by=one) for one in filters))
        for name, (measure, filters) in filtered_measures(plan).items()
        if {measure, *(one.measure for one in filters)} <= found.keys()
    ]
    return [*found.values(), *filtered]


def _expected(match: object, items: pd.DataFrame) -> dict[str, str] | None:
    """Item -> what its attribute says, for a measure that compares labels with it."""
    if not isinstance(match, str):
        return None
    attribute = match.removeprefix("item.")
    _require_columns(items, (attribute,), named="match")
    known = items[items[attribute].notna()]
    return dict(zip(known["item_id"].astype(str), known[attribute].astype(str), strict=True))


def _verdicts(plan: Plan, judge: str, judgements: pa.Table | None) -> Verdicts:
    own = None if judgements is None else judgements.filter(pc.equal(judgements["judge"], judge))
    if own is None or not own.num_rows:
        fault = Finding(where=f"judge {judge}", found="no judgements", promised="sealed judgements")
        raise Incomplete("a measure rests on a judge that has not spoken", fault, then="seedlock judge STUDY")
    return Verdicts(judge=judge, judgements=own, is_choice=judge in plan.judges)


def average_orders(cells: pd.DataFrame) -> pd.DataFrame:
    """Make one cell of the two orders of a question: their mean; none where either order has no score.

    The cell is named by the `pair` of its items; what differs between orders is null in it. `n_scored` and `n_missing`
    count both orders, so that bounds fill in the order that is missing.

    Parameters
    ----------
    cells
        Described cells; those without a `pair` are left as they are.

    Raises
    ------
    BadInput
        A pair that is not one item in each order.
    """
    if "pair" not in cells.columns or not cells["pair"].notna().any():
        return cells
    is_pair = cells["pair"].notna()
    _require_orders(cells[is_pair])
    key = ["run_id", "measure", "pair"]
    first, second = (cells[is_pair & (cells["order"] == order)].set_index(key) for order in ORDERS)
    both = first.index.union(second.index)
    one, other = first.reindex(both), second.reindex(both)
    merged = one.where(one["item_id"].notna(), other)
    absent = one["item_id"].isna().astype("Int64") + other["item_id"].isna().astype("Int64")
    merged["mean"] = (one["mean"] + other["mean"]) / 2
    for name in ("n_scored", "n_missing", "total", "sum_sq"):
        merged[name] = one[name].fillna(0) + other[name].fillna(0)
    merged["n_missing"] += absent
    merged["k"] = (one["k"] + other["k"]).where((one["n_scored"] == other["n_scored"]).fillna(False))
    merged["missing"] = _merged_reasons(one["missing"], other["missing"], absent)
    for name in OWN_OF_AN_ORDER:
        if name in merged:
            merged[name] = None
    merged = merged.reset_index().assign(item_id=lambda rows: rows["pair"])
    return pd.concat([cells[~is_pair], merged[list(cells.columns)]], ignore_index=True).astype(
        {name: cells[name].dtype for name in ("n_scored", "n_missing", "k", "mean", "total", "sum_sq")}
    )


def _require_orders(cells: pd.DataFrame) -> None:
    """Each pair is two items, one in each order."""
    if "order" not in cells.columns:
        fault = Finding(where="order", found="no such attribute", promised=" and ".join(ORDERS))
        raise BadInput("items name their pair and not their order", fault)
    orders: dict[str, list[str]] = {}
    found = cells[["pair", "item_id", "order"]].drop_duplicates()
    for pair, order in zip(found["pair"], found["order"], strict=True):
        orders.setdefault(str(pair), []).append(str(order))
    wrong = {p: o for p, o in sorted(orders.items()) if len(o) != len(set(o)) or not set(o) <= set(ORDERS)}
    if wrong:
        faults = [Finding(where=p, found=", ".join(o), promised=", ".join(ORDERS)) for p, o in wrong.items()]
        raise BadInput("pairs that are not one item in each order", *faults[:SHOWN])


def _merged_reasons(one: Iterable[object], other: Iterable[object], absent: Iterable[int]) -> list[str]:
    """Reasons of both orders with their rows; an order without any row is one missing answer."""
    found = []
    for first, second, gone in zip(one, other, absent, strict=True):
        if first == second == "{}":
            found.append("{}")
            continue
        total: Counter[str] = Counter({"no row": int(gone)} if gone else {})
        for reasons in (first, second):
            held: Mapping[str, int] = json.loads(reasons) if isinstance(reasons, str) else {}
            total.update(held)
        found.append(json.dumps(dict(total), sort_keys=True, ensure_ascii=False, separators=(",", ":")))
    return found
