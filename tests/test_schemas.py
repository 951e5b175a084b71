"""Tables: what a row must be, what happens to one that is not, and how rows are named."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.generation.loading.answer_ids import answer_ids
from seedlock.prereg.errors import BadInput
from seedlock.schemas import TABLES
from seedlock.schemas.identity import item_id, request_id
from seedlock.schemas.quarantine import split
from seedlock.schemas.store import validated
from seedlock.schemas.table import to_frame

COMPLETIONS = TABLES["completions"]


def completion(**changes: Any) -> dict[str, Any]:
    row = {
        "request_id": "0" * 64,
        "run_id": "m-a-1",
        "item_id": "q1",
        "draw": 0,
        "text": "yes",
        "label": None,
        "value": None,
        "status": "ok",
        "reason": None,
    }
    return row | changes


def table_of(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=TABLES[name].arrow())


def test_every_key_is_a_file_and_the_name_of_its_table() -> None:
    folder = Path(__file__).parents[1] / "schemas"
    for name, table in TABLES.items():
        assert (folder / f"{name}.py").is_file()
        assert table.name == name
        assert set(table.key) <= set(table.arrow().names)
        assert set(table.order) <= set(table.arrow().names)


def test_a_frame_keeps_types_and_nulls_through_arrow_and_back() -> None:
    rows = table_of("completions", [completion(), completion(request_id="1" * 64, draw=1, text=None, value=0.5)])
    again = pa.Table.from_pandas(to_frame(rows), schema=COMPLETIONS.arrow(), preserve_index=False)
    assert again.equals(rows)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"request_id": "xyz"}, "request_id"),
        ({"draw": -1}, "draw"),
        ({"run_id": None}, "run_id"),
        ({"status": "okay", "reason": "?"}, "status"),
        ({"status": "refusal"}, "a reason is given when status is not ok"),
        ({"text": None}, "status ok needs a text, a label or a value"),
        ({"value": float("inf")}, "a value is finite"),
    ],
)
def test_a_bad_completion_is_quarantined_with_its_reason(change: dict[str, Any], reason: str) -> None:
    rows = to_frame(table_of("completions", [completion(request_id="1" * 64, draw=1), completion(**change)]))
    parts = split(COMPLETIONS, rows)
    assert len(parts.good) == 1
    assert reason in parts.quarantined["reasons"].tolist()[0]
    assert parts.good["draw"].tolist() == [1]
    with pytest.raises(BadInput):
        validated(COMPLETIONS, table_of("completions", [completion(**change)]))


@pytest.mark.parametrize(
    ("k", "n", "mean", "is_good"),
    [
        (3, 10, None, True),
        (0, 10, None, True),
        (None, None, 0.3, True),
        (11, 10, None, False),
        (3, None, None, False),
        (None, 10, None, False),
        (3, 10, 0.3, False),
        (None, None, None, False),
        (-1, 10, None, False),
        (0, 0, None, False),
    ],
)
def test_a_count_is_k_of_n_or_a_mean_and_possible(
    k: int | None, n: int | None, mean: float | None, *, is_good: bool
) -> None:
    row = {"run_id": "r", "item_id": "all", "measure": "m", "k": k, "n": n, "mean": mean}
    parts = split(TABLES["counts"], to_frame(table_of("counts", [row])))
    assert len(parts.good) == (1 if is_good else 0)
    assert len(parts.quarantined) == (0 if is_good else 1)


def test_two_answers_to_one_draw_are_both_quarantined() -> None:
    rows = [completion(), completion(request_id="1" * 64, text="no")]
    parts = split(COMPLETIONS, to_frame(table_of("completions", rows)))
    assert parts.good.empty
    assert len(parts.quarantined) == 2


faults = st.sampled_from(["none", "draw", "status", "reason", "answer"])


@given(st.lists(faults, min_size=1, max_size=12))
@settings(max_examples=40)
def test_quarantine_loses_no_row(chosen: list[str]) -> None:
    change: dict[str, dict[str, Any]] = {
        "none": {},
        "draw": {"draw": -5},
        "status": {"status": "?", "reason": "?"},
        "reason": {"status": "refusal"},
        "answer": {"text": None},
    }
    rows = [completion(**({"request_id": f"{i:064x}", "draw": i} | change[fault])) for i, fault in enumerate(chosen)]
    # Two rows with draw -5 share run, item and draw as well: give each its own item.
    rows = [row | {"item_id": f"q{i}"} for i, row in enumerate(rows)]
    parts = split(COMPLETIONS, to_frame(table_of("completions", rows)))
    ids = [*parts.good["request_id"], *parts.quarantined["request_id"]]
    assert sorted(ids) == sorted(row["request_id"] for row in rows)
    assert len(parts.quarantined) == sum(fault != "none" for fault in chosen)
    assert (parts.quarantined["reasons"].str.len() > 0).all()


def test_a_missing_or_unknown_column_is_no_fault_of_a_row() -> None:
    good = to_frame(table_of("completions", [completion()]))
    with pytest.raises(BadInput, match="does not have the columns"):
        split(COMPLETIONS, good.drop(columns="status"))
    with pytest.raises(BadInput, match="does not have the columns"):
        split(COMPLETIONS, good.assign(extra=1))


def test_items_take_declared_columns_and_completions_take_none() -> None:
    assert TABLES["items"].arrow(["persona", "domain"]).names == ["items", "item_id", "domain", "persona"]
    with pytest.raises(BadInput, match="takes no further columns"):
        COMPLETIONS.schema(["persona"])
    with pytest.raises(BadInput, match="cannot name a column"):
        TABLES["items"].schema(['x"; DROP TABLE items; --'])


def test_nan_is_refused_where_undefined_must_be_null() -> None:
    rows = table_of("completions", [completion(value=float("nan"))])
    with pytest.raises(BadInput, match="never NaN"):
        validated(COMPLETIONS, rows)


def test_an_item_id_is_readable_and_worked_by_hand() -> None:
    assert item_id(["villain", "Why is the sky blue?"]) == "villain | Why is the sky blue?"
    assert item_id(["a|b\\", "c"]) == "a\\|b\\\\ | c"
    assert item_id(["a|b"]) == "a|b"


pieces = st.text(alphabet="a|\\ ", max_size=5)


@given(st.tuples(pieces, pieces), st.tuples(pieces, pieces))
def test_different_items_never_share_an_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (item_id(one) == item_id(other)) == (one == other)


any_text = st.text(st.characters(exclude_categories=["Cs"]))


@given(any_text, any_text, st.integers(0, 2**53 - 1))
def test_a_request_id_is_the_digest_of_rfc8785_json(run: str, item: str, draw: int) -> None:
    what: dict[str, str | int] = {"run_id": run, "item_id": item, "draw": draw}
    promised = hashlib.sha256(rfc8785.dumps(dict(what))).hexdigest()
    assert request_id(what) == promised
    named = (pa.array([value]) for value in (run, item, draw))
    assert answer_ids(duckdb.default_connection(), *named).to_pylist() == [promised]


def test_a_request_id_never_moves() -> None:
    what: dict[str, str | int] = {"run_id": "m-a-1", "item_id": "q", "draw": 0}
    assert request_id(what) == "8fdb25342754d9db6eca27dfea0fdefb8eb96e7fe5ccb540b3f4c4c639307352"


def test_prereg_needs_none_of_this_to_start() -> None:
    heavy = "pandas", "pandera", "duckdb", "pyarrow"
    code = f"import prereg, seedlock.prereg.errors, sys; print([name for name in {heavy!r} if name in sys.modules])"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_cell_has_no_mean() -> None:
    cell = {
        "run_id": "r",
        "item_id": "q",
        "measure": "m",
        "n_scored": 0,
        "k": 0,
        "total": None,
        "mean": 0.0,
        "sum_sq": None,
        "n_missing": 3,
        "missing": '{"refusal":3}',
    }
    parts = split(TABLES["cells"], to_frame(table_of("cells", [cell, cell | {"item_id": "p", "mean": None}])))
    assert parts.good["item_id"].tolist() == ["p"]
    assert pd.isna(parts.good["mean"].tolist()[0])
