"""Imports: rows that others made are matched to the plan's grid, and every one of them is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv

from seedlock.generation.intake.request import ImportRequest, PlannedRun
from seedlock.generation.loading.load import ImportReport, import_file
from seedlock.prereg.errors import BadInput
from seedlock.schemas.identity import item_id, request_id
from seedlock.schemas.statuses import STATUSES
from seedlock.schemas.store import Store

FORMATS = ["csv", "jsonl", "parquet"]
RUNS = (
    PlannedRun(run_id="m-a-1", model="m", arm="a", seed="1"),
    PlannedRun(run_id="m-a-2", model="m", arm="a", seed="2"),
    PlannedRun(run_id="m-b-1", model="m", arm="b", seed="1"),
    PlannedRun(run_id="m-base", model="m", arm="base", seed=None),
)
COLUMNS: dict[str, Any] = {
    "arm": "cell",
    "seed": "seed",
    "item": ["persona", "question"],
    "draw": "sample_index",
    "text": "completion",
}


def row(**changes: Any) -> dict[str, Any]:
    found = {
        "cell": "a",
        "seed": 1,
        "persona": "villain",
        "question": "Why?",
        "sample_index": 0,
        "completion": "Because.",
        "q_type": "generic",
    }
    return found | changes


def write(folder: Path, form: str, rows: list[dict[str, Any]]) -> Path:
    file = folder / f"rows.{form}"
    if form == "jsonl":
        file.write_text("".join(json.dumps(found, ensure_ascii=False) + "\n" for found in rows), encoding="utf-8")
    elif form == "csv":
        # Quotes every text, so that an empty one differs from null.
        csv.write_csv(pa.Table.from_pylist(rows), file)
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    return file


def request(file: Path, **changes: Any) -> ImportRequest:
    settings_: dict[str, Any] = {
        "path": file,
        "format": file.suffix[1:],
        "columns": COLUMNS,
        "runs": RUNS,
        "item_set": "eval",
    }
    return ImportRequest(**(settings_ | changes))


def bring_in(file: Path, **changes: Any) -> tuple[ImportReport, list[dict[str, Any]], list[dict[str, Any]]]:
    with Store.in_memory() as store:
        report = import_file(request(file, **changes), store)
        shape = request(file, **changes).shape
        stored = [found for batch in store.read(shape) for found in batch.to_pylist()]
        refused = [found for batch in store.read("quarantine") for found in batch.to_pylist()]
    assert report.read == report.added + report.already_there + report.quarantined + report.not_selected
    assert report.quarantined == len(refused)
    assert report.added == len(stored)
    return report, stored, refused


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_becomes_a_completion_of_its_planned_run(form: str, tmp_path: Path) -> None:
    rows = [row(), row(seed=2, sample_index=3), row(cell="base", seed=None, completion='Naïve – “yes”,\n"no"')]
    report, stored, refused = bring_in(write(tmp_path, form, rows), attributes=("q_type",))
    assert refused == []
    assert [found["run_id"] for found in stored] == ["m-a-1", "m-a-2", "m-base"]
    assert stored[1] == {
        "request_id": request_id({"run_id": "m-a-2", "item_id": "villain | Why?", "draw": 3}),
        "run_id": "m-a-2",
        "item_id": item_id(["villain", "Why?"]),
        "draw": 3,
        "text": "Because.",
        "label": None,
        "value": None,
        "status": "ok",
        "reason": None,
    }
    assert stored[2]["text"] == 'Naïve – “yes”,\n"no"'
    assert report.missing_runs == ("m-b-1",)
    assert report.rows_by_run == {"m-a-1": 1, "m-a-2": 1, "m-b-1": 0, "m-base": 1}


def test_every_format_gives_the_same_completions(tmp_path: Path) -> None:
    rows = [
        row(seed=seed, sample_index=draw, completion=text)
        for seed in (1, 2)
        for draw, text in enumerate(["", "x", None])
    ]
    found = [bring_in(write(tmp_path, form, rows))[1] for form in FORMATS]
    assert found[0] == found[1] == found[2]
    assert [one["status"] for one in found[0]] == ["ok", "ok", "error"] * 2
    assert found[0][0]["text"] == ""
    assert found[0][2]["reason"] == "no answer in the source"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cell": "zz"}, "arm is not in the plan"),
        ({"cell": None}, "arm is not in the plan"),
        ({"seed": 99}, "seed is not in the plan"),
        ({"cell": "b", "seed": 2}, "no planned run has this arm, seed (a baseline's seed is empty)"),
        ({"persona": None}, "persona is empty, so the row names no item"),
        ({"sample_index": None}, "draw is empty"),
        ({"sample_index": -1}, "draw is not a whole number from 0"),
        ({"sample_index": 0.5}, "draw is not a whole number from 0"),
        ({"completion": "a\0b"}, "completion holds a NUL character"),
    ],
)
def test_a_bad_row_is_quarantined_whole(form: str, change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    good = row(sample_index=7)
    bad = row(**change)
    if form == "parquet" and change.get("sample_index") == 0.5:
        good = good | {"sample_index": 7.0}
    report, stored, refused = bring_in(write(tmp_path, form, [good, bad]))
    assert report.reasons == {reason: 1}
    assert [found["draw"] for found in stored] == [7]
    kept = json.loads(refused[0]["content"])
    assert kept["question"] == "Why?"
    assert refused[0]["row"] == 2
    assert refused[0]["reasons"] == reason


def test_a_row_with_two_faults_says_both(tmp_path: Path) -> None:
    _, _, refused = bring_in(write(tmp_path, "jsonl", [row(cell="zz", seed=9, sample_index="x"), row()]))
    assert refused[0]["reasons"] == "arm is not in the plan; seed is not in the plan; draw is not a whole number from 0"


def test_seeds_that_a_null_turned_into_floats_still_match(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    frame = pd.DataFrame([row(), row(cell="base", seed=None)])
    assert frame["seed"].dtype == "float64"
    frame.to_parquet(file)
    report, _, _ = bring_in(file)
    assert report.rows_by_run["m-a-1"] == 1
    assert report.rows_by_run["m-base"] == 1


@pytest.mark.parametrize("form", FORMATS)
def test_repeated_rows_count_once_and_contradicting_rows_not_at_all(form: str, tmp_path: Path) -> None:
    rows = [
        row(),
        row(),
        row(sample_index=1, completion="One."),
        row(sample_index=1, completion="Other."),
        row(sample_index=1, completion="One."),
        row(sample_index=2),
    ]
    report, stored, refused = bring_in(write(tmp_path, form, rows))
    assert [found["draw"] for found in stored] == [0, 2]
    assert report.reasons == {
        "contradicts another row of the same run, item and draw": 3,
        "repeats an earlier row word for word": 1,
    }
    assert [found["row"] for found in refused] == [2, 3, 4, 5]


def test_importing_again_adds_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, "jsonl", [row(), row(cell="zz")])
    with Store.in_memory() as store:
        first = import_file(request(file), store)
        second = import_file(request(file), store)
        assert (first.added, first.already_there) == (1, 0)
        assert (second.added, second.already_there) == (0, 1)
        assert store.rows("quarantine") == 1
        assert store.rows("items") == 1


def test_another_file_that_contradicts_the_store_is_refused_whole(tmp_path: Path) -> None:
    first = write(tmp_path, "jsonl", [row()])
    with Store.in_memory() as store:
        import_file(request(first), store)
        second = tmp_path / "second.jsonl"
        second.write_text(json.dumps(row(completion="No.")) + "\n" + json.dumps(row(sample_index=1)) + "\n")
        with pytest.raises(BadInput, match="contradict"):
            import_file(request(second), store)
        assert store.rows("completions") == 1


def test_items_outside_the_plan_are_quarantined_and_planned_ones_kept(tmp_path: Path) -> None:
    file = write(tmp_path, "csv", [row(), row(question="Who?")])
    report, stored, _ = bring_in(file, items=frozenset({"villain | Why?"}))
    assert report.reasons == {"item is not in the plan": 1}
    assert len(stored) == 1


def test_item_attributes_are_kept_once_and_may_not_disagree(tmp_path: Path) -> None:
    file = write(tmp_path, "jsonl", [row(), row(sample_index=1), row(question="Who|what?")])
    with Store.in_memory() as store:
        assert import_file(request(file, attributes=("q_type",)), store).items == 2
        items = [found for batch in store.read("items") for found in batch.to_pylist()]
    assert items[0] == {
        "items": "eval",
        "item_id": "villain | Who\\|what?",
        "persona": "villain",
        "q_type": "generic",
        "question": "Who|what?",
    }
    clash = write(tmp_path, "jsonl", [row(), row(sample_index=1, q_type="indomain")])
    with pytest.raises(BadInput, match="two values of one attribute"):
        bring_in(clash, attributes=("q_type",))


def test_rows_outside_a_selection_are_counted_and_left_alone(tmp_path: Path) -> None:
    rows = [row(judge="one", verdict="4"), row(judge="two", verdict="5"), row(judge=None, verdict="5", sample_index=1)]
    columns = {**COLUMNS, "label": "verdict"}
    report, stored, _ = bring_in(write(tmp_path, "jsonl", rows), columns=columns, only={"judge": ("one",)})
    assert report.not_selected == 2
    assert [found["label"] for found in stored] == ["4"]


def test_labels_that_say_there_is_no_answer_become_its_status(tmp_path: Path) -> None:
    rows = [row(verdict=v, sample_index=i, completion=None) for i, v in enumerate(["4", "REFUSAL", "PARSE_FAIL", None])]
    columns = {**COLUMNS, "label": "verdict"}
    missing = {"REFUSAL": "refusal", "PARSE_FAIL": "unparsed"}
    _, stored, _ = bring_in(write(tmp_path, "jsonl", rows), columns=columns, missing_labels=missing)
    assert [(found["status"], found["reason"]) for found in stored] == [
        ("ok", None),
        ("refusal", "label REFUSAL"),
        ("unparsed", "label PARSE_FAIL"),
        ("error", "no answer in the source"),
    ]


def test_a_text_that_is_a_mapped_word_is_a_missing_answer_and_one_that_holds_it_is_not(tmp_path: Path) -> None:
    rows = [row(sample_index=i, completion=said) for i, said in enumerate(["fine", "ERROR", "no ERROR here", None])]
    _, stored, _ = bring_in(write(tmp_path, "jsonl", rows), columns=COLUMNS, missing_labels={"ERROR": "error"})
    assert [(found["status"], found["reason"]) for found in stored] == [
        ("ok", None),
        ("error", "text ERROR"),
        ("ok", None),
        ("error", "no answer in the source"),
    ]


def test_a_status_column_is_believed_where_it_can_be(tmp_path: Path) -> None:
    rows = [
        row(state="ok"),
        row(state="cut off", sample_index=1),
        row(state="ok", completion=None, sample_index=2),
        row(state="fine", sample_index=3),
        row(state=None, sample_index=4),
    ]
    report, stored, _ = bring_in(write(tmp_path, "jsonl", rows), columns={**COLUMNS, "status": "state"})
    assert [(found["draw"], found["status"], found["reason"]) for found in stored] == [
        (0, "ok", None),
        (1, "cut off", "cut off"),
        (4, "ok", None),
    ]
    assert report.reasons == {
        "status is ok and there is no answer": 1,
        f"status is none of: {', '.join(STATUSES)} (status_words maps others)": 1,
    }


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_numbers_may_be_text_but_must_be_finite_numbers(form: str, tmp_path: Path) -> None:
    said = ["0.1", "-3", " 2.5 ", "1e-3", "nan", "inf", "1e999", "0x10", "1_000", "three", None]
    rows = [row(score=s, sample_index=i, completion="x") for i, s in enumerate(said)]
    report, stored, _ = bring_in(write(tmp_path, form, rows), columns={**COLUMNS, "value": "score"})
    assert [found["value"] for found in stored[:4]] == [0.1, -3.0, 2.5, 0.001]
    assert {found["value"] for found in stored[4:]} == {None}
    assert [found["reason"] for found in stored[4:]] == [*(f"not a number: {word}" for word in said[4:10]), None]
    assert report.reasons == {}


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_double_survives_an_import_to_the_last_bit(tmp_path: Path, values: list[float]) -> None:
    rows = [row(score=value, sample_index=i) for i, value in enumerate(values)]
    _, stored, refused = bring_in(write(tmp_path, "parquet", rows), columns={**COLUMNS, "value": "score"})
    finite = {i: value for i, value in enumerate(values) if abs(value) < float("inf")}
    assert {found["draw"]: found["value"] for found in stored if found["value"] is not None} == finite
    assert (len(stored), refused) == (len(values), [])


def test_draws_are_numbered_by_row_order_only_where_the_plan_says_so(tmp_path: Path) -> None:
    columns = {role: name for role, name in COLUMNS.items() if role != "draw"}
    rows = [row(completion=str(i), question="Who?" if i % 3 == 0 else "Why?") for i in range(6)]
    file = write(tmp_path, "csv", rows)
    with pytest.raises(BadInput) as refused:
        request(file, columns=columns)
    assert refused.value.findings[0].where == "draw"
    _, stored, _ = bring_in(file, columns=columns, constants={"draw": "row order"})
    assert {(found["item_id"], found["draw"]): found["text"] for found in stored} == {
        ("villain | Who?", 0): "0",
        ("villain | Who?", 1): "3",
        ("villain | Why?", 0): "1",
        ("villain | Why?", 1): "2",
        ("villain | Why?", 2): "4",
        ("villain | Why?", 3): "5",
    }


def test_counts_are_a_shape_not_a_format(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = [
        {"k": 50, "n": 100},
        {"k": 101, "n": 100},
        {"k": -1, "n": 100},
        {"k": 2.5, "n": 100},
        {"k": 0, "n": 0},
        {"k": 3, "n": None},
        {"k": None, "n": None},
        {"k": "72", "n": "100.0"},
    ]
    rows = [{"cell": "a", "seed": 1, "question": str(i), **counts} for i, counts in enumerate(said)]
    columns = {"arm": "cell", "seed": "seed", "item": "question", "k": "k", "n": "n"}
    report, stored, _ = bring_in(write(tmp_path, "jsonl", rows), columns=columns, constants={"measure": "bird"})
    assert [(found["item_id"], found["k"], found["n"], found["mean"]) for found in stored] == [
        ("0", 50, 100, None),
        ("7", 72, 100, None),
    ]
    assert stored[0]["measure"] == "bird"
    assert report.reasons == {
        "k is not a whole number from 0": 2,
        "k is larger than n": 1,
        "n is 0: there is no rate": 1,
        "k without n, or n without k": 1,
        "neither counts nor a mean": 1,
    }


def test_a_published_mean_needs_no_n(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("cell,seed,rate\na,1,0.457\na,2,NaN\n")
    columns = {"arm": "cell", "seed": "seed", "mean": "rate"}
    constants = {"measure": "leak", "item": "all"}
    report, stored, _ = bring_in(file, columns=columns, constants=constants)
    assert [(found["k"], found["n"], found["mean"]) for found in stored] == [(None, None, 0.457)]
    assert report.reasons == {"mean is NaN or infinite": 1}


def test_rows_that_cannot_be_told_apart_by_run_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "csv", [row()])
    columns = {role: name for role, name in COLUMNS.items() if role != "seed"}
    with pytest.raises(BadInput, match="told apart") as refused:
        bring_in(file, columns=columns)
    assert "seed" in refused.value.findings[0].promised
    _, stored, _ = bring_in(file, columns=columns, runs=(RUNS[0], RUNS[3]))
    assert stored[0]["run_id"] == "m-a-1"


def test_a_run_column_names_the_run_alone(tmp_path: Path) -> None:
    columns = {"run": "cell", "item": "question", "draw": "sample_index", "text": "completion"}
    _, stored, _ = bring_in(write(tmp_path, "csv", [row(cell="m-b-1")]), columns=columns)
    assert stored[0]["run_id"] == "m-b-1"


@pytest.mark.parametrize(
    ("change", "where", "promised"),
    [
        ({"columns": {**COLUMNS, "lable": "x"}}, "columns.lable", "label"),
        ({"constants": {"arm": "a"}}, "arm", "one of them"),
        ({"columns": {**COLUMNS, "text": ["a", "b"]}}, "columns.text", "one"),
        ({"missing_labels": {"NO": "refused"}}, "missing_labels.NO", "refusal"),
        (
            {
                "columns": {
                    "arm": "cell",
                    "seed": "seed",
                    "item": "question",
                    "measure": "persona",
                    "mean": "completion",
                },
                "missing_labels": {"NO": "refusal"},
            },
            "missing_labels",
            "columns.text",
        ),
        ({"runs": ()}, "runs", "planned runs"),
        ({"attributes": ("item_id",)}, "columns item_id", "another"),
    ],
)
def test_an_import_that_says_too_little_or_twice_is_refused(
    change: dict[str, Any], where: str, promised: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as refused:
        request(write(tmp_path, "csv", [row()]), **change)
    assert any(f.where == where and promised in f.promised for f in refused.value.findings)


cells = st.sampled_from(["a", "b", "zz", None])
seeds = st.sampled_from([1, 2, 9, None, "x"])
draws = st.sampled_from([0, 1, -1, None, "two", 1.0])
texts = st.one_of(st.none(), st.sampled_from(["yes", "", "nul\0", "né"]))


@given(st.lists(st.tuples(cells, seeds, draws, texts), min_size=1, max_size=25))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_row_is_ever_lost(tmp_path: Path, said: list[tuple[Any, Any, Any, Any]]) -> None:
    rows = [row(cell=c, seed=s, sample_index=d, completion=t) for c, s, d, t in said]
    report, stored, refused = bring_in(write(tmp_path, "jsonl", rows))
    assert report.read == len(rows)
    assert len({found["row"] for found in refused}) == len(refused)
    planned = {("a", "1"), ("a", "2"), ("b", "1")}
    kept = [
        (c, str(s), int(d), t)
        for c, s, d, t in said
        if (c, str(s)) in planned and d in (0, 1) and "\0" not in (t or "")
    ]
    texts_of = {key: {t for *k, t in kept if tuple(k) == key} for key in {k[:3] for k in kept}}
    assert len(stored) == sum(len(found) == 1 for found in texts_of.values())
    counted = Counter(found["run_id"] for found in stored)
    assert dict(counted) == {run: n for run, n in report.rows_by_run.items() if n}
