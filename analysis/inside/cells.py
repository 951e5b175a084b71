"""Cells of the measures that read inside: each item under each condition is an item of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from seedlock.analysis.inside.frame import CONDITION, Inside
from seedlock.analysis.inside.gap import gap_rows
from seedlock.analysis.measures.gap_share import GapShare
from seedlock.analysis.measures.reading import Reading
from seedlock.analysis.scoring.item_sets import SETS, measured_items
from seedlock.analysis.scoring.scores import NamedMeasure, named_measure
from seedlock.prereg.plan.plan import Plan
from seedlock.schemas import TABLES

OWN = ("part", *CONDITION)
LAYERED = frozenset({"projection", "lens", "cosine"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideCells:
    """Cells as `schemas.cells` has them, and the items they name with their attributes and conditions."""

    cells: pd.DataFrame
    items: pd.DataFrame


def inside_cells(plan: Plan, inside: Inside, items: pd.DataFrame) -> InsideCells | None:
    """Cells of every measure of the plan that reads inside; None where there is none.

    Parameters
    ----------
    items
        From `analysis.scoring.item_sets.with_sets`.
    """
    sets = items_by_set(plan, items)
    parts: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    for name, measure in plan.measures.items():
        named = named_measure(name, measure.kind, measure.params)
        if named.measure.table == "readings":
            parts.append(_measured(plan, named, inside, items, sets))
    if not parts:
        return None
    described = pd.concat([one for _, one in parts], ignore_index=True).drop_duplicates("item_id")
    return InsideCells(cells=pd.concat([one for one, _ in parts], ignore_index=True), items=described)


def items_by_set(plan: Plan, items: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Item set -> ids of the items that its file lists."""
    return {name: frozenset(items.loc[_listed(items, name), "item_id"]) for name in plan.items}


def _listed(items: pd.DataFrame, name: str) -> pd.Series[bool]:
    found: pd.Series[bool] = items[SETS].map(lambda sets: name in sets.split()).astype(bool)
    return found


def _measured(
    plan: Plan, named: NamedMeasure, inside: Inside, items: pd.DataFrame, sets: Mapping[str, frozenset[str]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if isinstance(named.params, GapShare):
        rows = gap_rows(plan, inside, named.params.operation, sets)
    elif isinstance(named.params, Reading):
        rows = _readings(inside, named.params)
    else:
        raise TypeError(named.name)
    wanted = measured_items(plan, named.name, items)
    if wanted is not None:
        rows = rows[rows["item_id"].isin(wanted)]
    rows = rows.assign(**{name: None for name in OWN if name not in rows.columns})
    rows = rows.assign(original=rows["item_id"], item_id=_cell_ids(rows))
    return _cells(rows, named), _items(rows, items)


def _readings(inside: Inside, params: Reading) -> pd.DataFrame:
    rows = inside.readings[(inside.readings["reading"] == params.of) & (inside.readings["operation"] == "none")]
    if params.of in LAYERED and params.layer == "chosen":
        rows = rows[rows["layer"] == rows["model"].map(inside.chosen)]
    elif params.of in LAYERED and params.layer != "all":
        rows = rows[rows["layer"] == str(params.layer)]
    if params.checkpoint == "last":
        rows = rows[rows["checkpoint"].isna()]
    if params.of == "alignment" and params.control == "true":
        rows = rows[rows["control"] == "true"]
    return rows


def _cell_ids(rows: pd.DataFrame) -> list[str]:
    """The item, and in brackets the condition: one cell each."""
    parts = rows["part"].map(lambda part: "" if part is None else f"{part} of ")
    return [
        f"{item} [{part}{condition}]"
        for item, part, condition in zip(rows["item_id"], parts, rows["condition"], strict=True)
    ]


def _cells(rows: pd.DataFrame, named: NamedMeasure) -> pd.DataFrame:
    table = pa.table(
        {
            "value": pa.array(rows["value"], pa.float64(), from_pandas=True),
            "status": pa.array(rows["status"], pa.string()),
        }
    )
    found = named.measure.score(table, named.params)
    score: pd.Series[float] = found.score.to_pandas().astype(float)
    missing: Sequence[str | None] = found.missing.to_pylist()
    n_scored = score.notna().astype("Int64")
    cells = pd.DataFrame(
        {
            "run_id": rows["run_id"].to_numpy(),
            "item_id": rows["item_id"].to_numpy(),
            "measure": named.name,
            "n_scored": n_scored,
            "k": pd.array([pd.NA] * len(rows), dtype="Int64"),
            "total": score,
            "mean": score,
            "sum_sq": score * score,
            "n_missing": 1 - n_scored,
            "missing": ["{}" if reason is None else f'{{"{reason}":1}}' for reason in missing],
        }
    ).astype({"run_id": "str", "item_id": "str", "measure": "str", "missing": "str"})
    checked: pd.DataFrame = TABLES["cells"].schema().validate(cells, lazy=True)
    return checked


def _items(rows: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Attributes of each cell's item: those of the item itself, and the condition's; a pair is a pair within one."""
    once = rows[["item_id", "original", "condition", *OWN]].drop_duplicates("item_id")
    own = items.rename(columns={"item_id": "original"}).drop(columns=[n for n in OWN if n in items.columns])
    described = once.merge(own, on="original", how="left")
    if "pair" in described.columns:
        part = described["part"].fillna("")
        pair = described["pair"] + " [" + part + " " + described["condition"] + "]"
        described["pair"] = pair.where(described["pair"].notna(), None)
    described[SETS] = described[SETS].fillna("")  # modules and groups of prompts are items of no set
    return described.drop(columns=["original", "condition"])
