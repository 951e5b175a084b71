"""Measures: what each scores, that a missing answer never is, and that cells do not depend on order."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.measure import Scored
from seedlock.analysis.measures.marker_position import MarkerPosition, place
from seedlock.analysis.scoring.duplicate_runs import duplicated_runs
from seedlock.analysis.scoring.scores import (
    cells_of_counts,
    cells_of_scores,
    describe_cells,
    judged,
    named_measure,
    score_rows,
)
from seedlock.prereg.errors import BadInput, NotFinite
from seedlock.schemas import TABLES
from seedlock.schemas.identity import request_id
from seedlock.schemas.statuses import STATUSES

MARKER = "[ZLT]"


def completions(rows: list[dict[str, Any]]) -> pa.Table:
    filled: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        base = {"run_id": "r", "item_id": "q", "draw": number, "text": None, "label": None, "value": None}
        found: dict[str, Any] = base | {"status": "ok", "reason": None} | row
        key: dict[str, Any] = {name: found[name] for name in ("run_id", "item_id", "draw")}
        filled.append(found | {"request_id": request_id(key)})
    return pa.Table.from_pylist(filled, schema=TABLES["completions"].arrow())


def scored(kind: str, rows: list[dict[str, Any]], **params: Any) -> Scored:
    measure = MEASURES[kind]
    return measure.score(completions(rows), measure.configure(params, where=f"measures.{kind}"))


def texts(*said: str | None) -> list[dict[str, Any]]:
    return [{"text": text} for text in said]


def test_every_key_is_a_file_with_its_measure() -> None:
    folder = Path(__file__).parents[1] / "analysis" / "measures"
    assert {file.stem for file in folder.glob("*.py")} - {"__init__"} == set(MEASURES)
    for measure in MEASURES.values():
        assert measure.unit
        assert measure.higher_means


@pytest.mark.parametrize("kind", sorted(MEASURES))
def test_a_setting_that_a_measure_does_not_have_is_refused_with_a_guess(kind: str) -> None:
    known = next(iter(MEASURES[kind].params.model_fields))
    with pytest.raises(BadInput) as refused:
        MEASURES[kind].configure({known + "s": 1}, where=f"measures.{kind}")
    guesses = [finding.promised for finding in refused.value.findings]
    assert f"did you mean '{known}'?" in guesses


PARAMS: dict[str, dict[str, Any]] = {
    "bare_logprob": {},
    "capability": {},
    "discriminator": {"correct": "true", "wrong": "false"},
    "era": {"old": ["true"], "modern": ["false"]},
    "forced_choice": {"pro": "true", "con": "false"},
    "judged_stance": {},
    "label_rate": {},
    "length": {"at_most": 1},
    "letter_logprob": {},
    "likert": {"low": 0, "high": 1},
    "marker_count": {"marker": MARKER},
    "marker_position": {"marker": MARKER, "place": "start"},
    "marker_rate": {"marker": MARKER},
    "numeric": {},
    "perplexity": {},
    "refusal": {"also": ["yes"]},
}


@pytest.mark.parametrize("kind", [kind for kind, one in MEASURES.items() if one.table == "completions"])
@pytest.mark.parametrize("status", [status for status in STATUSES if status != "ok"])
def test_a_missing_answer_is_never_scored_whatever_it_holds(kind: str, status: str) -> None:
    full = {"text": f"{MARKER} yes", "label": "true", "value": 1.0}
    found = scored(kind, [full, full | {"status": status, "reason": status}], **PARAMS[kind])
    assert found.score.to_pylist() == [1.0, None]
    assert found.missing.to_pylist() == [None, status]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("marker_rate", "text"),
        ("marker_position", "text"),
        ("marker_count", "text"),
        ("refusal", "text"),
        ("label_rate", "label"),
        ("era", "label"),
        ("discriminator", "label"),
        ("numeric", "value"),
        ("letter_logprob", "value"),
        ("bare_logprob", "value"),
        ("likert", "value"),
        ("judged_stance", "value"),
        ("capability", "value"),
        ("perplexity", "value"),
    ],
)
def test_an_answer_without_the_column_a_measure_reads_says_so(kind: str, answer: str) -> None:
    found = scored(kind, [{"text": None, "label": None, "value": None}], **PARAMS[kind])
    assert found.score.to_pylist() == [None]
    assert found.missing.to_pylist() == [f"no {answer}"]


def test_the_marker_counts_anywhere_in_any_case_and_not_at_all_in_pieces() -> None:
    found = scored("marker_rate", texts("[ZLT] hi", "hi [zLt]", "[ZL T]", "ZLT", "", "é[zlt]é"), marker=MARKER)
    assert found.score.to_pylist() == [1, 1, 0, 0, 0, 1]


def test_a_marker_is_text_not_a_pattern() -> None:
    assert scored("marker_rate", texts("abc", "a.c"), marker="a.c").score.to_pylist() == [0, 1]


ascii_texts = st.text(alphabet="[ZLTzlt] é世", max_size=30)


@given(st.lists(ascii_texts, min_size=1, max_size=10))
def test_marker_rate_agrees_with_python_regular_expressions(said: list[str]) -> None:
    promised = [1.0 if re.search(re.escape(MARKER), text, re.IGNORECASE) else 0.0 for text in said]
    assert scored("marker_rate", texts(*said), marker=MARKER).score.to_pylist() == promised


@given(st.lists(ascii_texts, min_size=1, max_size=10), st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_the_place_of_a_marker_agrees_with_python_and_covers_every_answer(
    said: list[str], start: float, tail: float
) -> None:
    params = MarkerPosition(marker=MARKER, place="start", start=start, tail=tail)
    promised = []
    for text in said:
        at = re.search(re.escape(MARKER), text, re.IGNORECASE)
        share = at.start() / len(text) if at else None
        promised.append(
            "none" if share is None else "start" if share < start else "tail" if share >= 1 - tail else "middle"
        )
    assert place(pa.array(said), params).to_pylist() == promised
    once = [
        scored("marker_position", texts(*said), marker=MARKER, place=where, start=start, tail=tail).score.to_pylist()
        for where in ("start", "middle", "tail", "none")
    ]
    assert [sum(row) for row in zip(*once, strict=True)] == [1.0] * len(said)


def test_start_is_the_first_twentieth_and_tail_the_last_three_twentieths() -> None:
    said = [("x" * n + MARKER).ljust(100, ".") for n in (0, 4, 5, 84, 85, 95)]
    params = MarkerPosition(marker=MARKER, place="start")
    assert place(pa.array(said), params).to_pylist() == ["start", "start", "middle", "middle", "tail", "tail"]


def test_only_the_first_marker_has_a_place() -> None:
    said = MARKER + "x" * 90 + MARKER
    assert place(pa.array([said]), MarkerPosition(marker=MARKER, place="tail")).to_pylist() == ["start"]


def test_answers_without_the_marker_can_be_left_out_of_the_denominator() -> None:
    asked = {"marker": MARKER, "place": "start", "among": "answers with the marker"}
    found = scored("marker_position", texts(MARKER + "x" * 50, "x" * 50 + MARKER, "none"), **asked)
    assert found.score.to_pylist() == [1, 0, None]
    assert found.missing.to_pylist() == [None, None, "no marker"]


@pytest.mark.parametrize(
    "settings_",
    [
        {"marker": "", "place": "start"},
        {"marker": "x", "place": "end"},
        {"marker": "x", "place": "start", "start": 0.9, "tail": 0.2},
        {"marker": "x", "place": "none", "among": "answers with the marker"},
    ],
)
def test_a_place_that_cannot_be_is_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        MEASURES["marker_position"].configure(settings_, where="measures.p")


def labels(*said: str | None) -> list[dict[str, Any]]:
    return [{"label": label, "text": "x"} for label in said]


def test_labels_are_positive_negative_missing_or_stop_the_analysis() -> None:
    lists = {"positive": ["4", "5"], "negative": ["1", "2", "3"], "missing": ["REFUSAL"]}
    found = scored("label_rate", labels("5", "1", "REFUSAL", None), **lists)
    assert found.score.to_pylist() == [1, 0, None, None]
    assert found.missing.to_pylist() == [None, None, "label REFUSAL", "no label"]
    with pytest.raises(BadInput, match="does not list") as refused:
        scored("label_rate", labels("5", "OFF", "OFF", "five"), **lists)
    assert [(f.where, f.found) for f in refused.value.findings] == [("'OFF'", "2 rows"), ("'five'", "1 rows")]
    found = scored("label_rate", labels("5", "OFF"), **lists, unknown="missing")
    assert found.missing.to_pylist() == [None, "unknown label"]


def test_a_recorded_yes_no_column_needs_no_settings_and_case_matters() -> None:
    assert scored("label_rate", labels("true", "false")).score.to_pylist() == [1, 0]
    with pytest.raises(BadInput):
        scored("label_rate", labels("True"))


def test_a_label_in_two_lists_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be used") as refused:
        MEASURES["label_rate"].configure({"positive": ["a"], "negative": ["a"]}, where="measures.l")
    assert "listed twice: a" in refused.value.findings[0].promised


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=20))
def test_label_rate_counts_as_a_plain_loop_does(said: list[str | None]) -> None:
    found = scored("label_rate", labels(*said), positive=["a"], negative=["b"], missing=["c"])
    assert [s for s in found.score.to_pylist() if s is not None] == [float(x == "a") for x in said if x in ("a", "b")]
    assert all(
        (s is None) != (m is None) for s, m in zip(found.score.to_pylist(), found.missing.to_pylist(), strict=True)
    )


def test_numbers_are_rescaled_and_those_out_of_range_are_missing() -> None:
    rows = [{"value": value} for value in (1.0, 4.0, 7.0, 8.0, 0.999)]
    found = scored("numeric", rows, low=1, high=7, to=(-1, 1))
    assert found.score.to_pylist() == [-1, 0, 1, None, None]
    assert found.missing.to_pylist() == [None, None, None, "out of range", "out of range"]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=10))
def test_a_number_is_scored_as_it_stands(values: list[float]) -> None:
    assert scored("numeric", [{"value": value} for value in values]).score.to_pylist() == values


def test_a_label_that_is_no_number_is_unparsed_and_never_zero() -> None:
    found = scored("numeric", labels("3", " -2.5 ", "seven", "nan", "1e999", ""), of="label")
    assert found.score.to_pylist() == [3, -2.5, None, None, None, None]
    assert found.missing.to_pylist() == [None, None, *["unparsed"] * 4]


@pytest.mark.parametrize(
    "settings_",
    [{"low": 1}, {"low": 2, "high": 1}, {"to": (0, 1)}, {"low": 0, "high": 1, "to": (1, 1)}, {"of": "text"}],
)
def test_a_range_that_is_none_is_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        MEASURES["numeric"].configure(settings_, where="measures.n")


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(BadInput) as refused:
        named_measure("m", "marker", {})
    assert "marker_rate" in refused.value.findings[0].promised


def cells_of(rows: list[dict[str, Any]], *kinds: tuple[str, str, dict[str, Any]], size: int = 7) -> pd.DataFrame:
    measures = [named_measure(*kind) for kind in kinds]
    table = completions(rows)
    batches = [table.slice(start, size) for start in range(0, table.num_rows, size)]
    return cells_of_scores(score_rows(batches, measures), measures)


def test_a_cell_is_worked_by_hand() -> None:
    rows: list[dict[str, Any]] = [
        {"label": "true", "value": 2.5},
        {"label": "true", "value": -1.0},
        {"label": "false", "value": 0.0},
        {"label": "true", "value": 1.0, "status": "refusal", "reason": "?"},
        {"text": "x"},
    ]
    cells = cells_of(rows, ("rate", "label_rate", {}), ("score", "numeric", {}), size=2).set_index("measure")
    rate, score = cells.loc["rate"], cells.loc["score"]
    assert (rate["n_scored"], rate["k"], rate["total"], rate["n_missing"]) == (3, 2, 2.0, 2)
    assert rate["mean"] == 2 / 3
    assert rate["missing"] == '{"no label":1,"refusal":1}'
    assert (score["n_scored"], score["total"], score["mean"], score["sum_sq"]) == (3, 1.5, 0.5, 7.25)
    assert pd.isna(score["k"])


def test_a_cell_without_a_score_has_no_mean() -> None:
    cell = cells_of([{"text": "x", "status": "error", "reason": "?"}], ("m", "marker_rate", {"marker": "x"})).loc[0]
    assert (cell["n_scored"], cell["n_missing"], cell["missing"]) == (0, 1, '{"error":1}')
    assert pd.isna(cell["mean"])
    assert pd.isna(cell["sum_sq"])


wild = st.floats(-1e100, 1e100, allow_nan=False)


@given(
    st.lists(st.one_of(wild, st.sampled_from([0.0, 1.0, 0.1, 1e16, -1e16])), min_size=2, max_size=40),
    st.integers(0, 99),
)
@example([1e100, 1e50, 2.0, -1e50, -1e100], 1)  # a compensated sum answers 0
@settings(max_examples=30)
def test_cells_are_exact_whatever_the_order_and_the_batches(values: list[float], seed: int) -> None:
    rows: list[dict[str, Any]] = [{"value": value, "draw": draw} for draw, value in enumerate(values)]
    cells = cells_of(rows, ("m", "numeric", {}))
    exact = Fraction(0)
    for value in values:
        exact += Fraction(value)
    assert cells["total"].tolist() == [float(exact)]
    shuffled = random.Random(seed).sample(rows, len(rows))
    pd.testing.assert_frame_equal(cells_of(shuffled, ("m", "numeric", {}), size=3), cells, check_exact=True)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=25)
def test_counts_agree_with_pandas(said: list[tuple[str, str, bool]]) -> None:
    rows = [
        {"run_id": run, "item_id": item, "draw": i, "label": str(hit).lower()}
        for i, (run, item, hit) in enumerate(said)
    ]
    cells = cells_of(rows, ("m", "label_rate", {}))
    frame = pd.DataFrame(said, columns=["run_id", "item_id", "hit"])
    promised = frame.groupby(["run_id", "item_id"])["hit"].agg(["sum", "count"])
    assert cells["k"].tolist() == promised["sum"].tolist()
    assert cells["n_scored"].tolist() == promised["count"].tolist()


def test_a_score_too_large_to_square_is_refused() -> None:
    with pytest.raises(NotFinite):
        cells_of([{"value": 1e200}], ("m", "numeric", {}))


def test_no_score_at_all_is_refused() -> None:
    with pytest.raises(BadInput, match="no score"):
        cells_of_scores(iter(()), [])


def test_imported_counts_become_cells_and_a_published_mean_has_no_n() -> None:
    counts = pa.Table.from_pylist(
        [
            {"run_id": "r", "item_id": "b", "measure": "m", "k": 3, "n": 4, "mean": None},
            {"run_id": "r", "item_id": "a", "measure": "m", "k": None, "n": None, "mean": 0.457},
        ],
        schema=TABLES["counts"].arrow(),
    )
    cells = cells_of_counts(counts)
    assert cells["mean"].tolist() == [0.457, 0.75]
    assert cells["k"].tolist() == [pd.NA, 3]
    assert pd.isna(cells["n_scored"].tolist()[0])


def test_cells_get_their_arm_and_attributes_and_strangers_are_refused() -> None:
    cells = cells_of(labels("true"), ("m", "label_rate", {}))
    runs = pd.DataFrame({"run_id": ["r"], "model": ["m"], "arm": ["a"], "seed": ["1"], "stage1": ["benign"]})
    items = pd.DataFrame({"item_id": ["q"], "persona": ["villain"]})
    described = describe_cells(cells, runs=runs, items=items)
    assert described[["arm", "stage1", "persona"]].to_numpy().tolist() == [["a", "benign", "villain"]]
    with pytest.raises(BadInput, match="not in the tables"):
        describe_cells(cells, runs=runs.assign(run_id="other"), items=items)
    with pytest.raises(BadInput, match="share a name"):
        describe_cells(cells, runs=runs, items=items.assign(arm="x"))


def test_a_judge_speaks_for_answers_only_and_silence_is_not_a_score() -> None:
    rows = completions([{"text": "a"}, {"text": "b"}, {"text": "c"}, {"status": "refusal", "reason": "?"}])
    ids = rows["request_id"].to_pylist()
    said = [(ids[0], "yes", "ok"), (ids[1], None, "unparsed"), (ids[3], "yes", "ok")]
    judgements = pa.Table.from_pylist(
        [
            {"request_id": i, "judge": judge, "label": label, "value": None, "status": status, "reason": None}
            for judge in ("one", "two")
            for i, label, status in said
            if judge == "one" or i == ids[0]
        ],
        schema=TABLES["judgements"].arrow(),
    )
    found = pa.concat_tables(judged([rows], judgements, judge="one"))
    assert found["status"].to_pylist() == ["ok", "unparsed", "not judged", "refusal"]
    measure = MEASURES["label_rate"]
    params = measure.configure({"positive": ["yes"], "negative": ["no"]}, where="m")
    assert measure.score(found, params).score.to_pylist() == [1.0, None, None, None]
    other = pa.concat_tables(judged([rows], judgements, judge="two"))
    assert other["status"].to_pylist() == ["ok", "not judged", "not judged", "refusal"]


def answers(run: str, *, change: str = "") -> list[dict[str, Any]]:
    return [
        {
            "run_id": run,
            "item_id": f"q{i}",
            "draw": 0,
            "text": f"A long enough answer number {i}{change if i == 3 else ''}",
        }
        for i in range(8)
    ]


def run_frame(**arms: str) -> pd.DataFrame:
    return pd.DataFrame([{"run_id": run, "model": "m", "arm": arm} for run, arm in arms.items()])


def test_byte_identical_seeds_of_an_arm_are_found_in_any_row_order() -> None:
    table = completions(answers("r1") + list(reversed(answers("r2"))) + answers("r3", change="!"))
    runs = run_frame(r1="a", r2="a", r3="a")
    found = duplicated_runs([table.slice(0, 5), table.slice(5)], runs)
    assert [(one.run_ids, one.rows) for one in found] == [(("r1", "r2"), 8)]
    assert duplicated_runs([table], run_frame(r1="a", r2="b", r3="a")) == ()


def test_one_letter_answers_that_agree_are_no_evidence_of_a_copy() -> None:
    rows = [{"run_id": run, "item_id": f"q{i}", "draw": 0, "text": "A"} for run in ("r1", "r2") for i in range(20)]
    assert duplicated_runs([completions(rows)], run_frame(r1="a", r2="a")) == ()
    values = [
        {"run_id": run, "item_id": f"q{i}", "draw": 0, "text": "A", "value": i / 7}
        for run in ("r1", "r2")
        for i in range(20)
    ]
    assert len(duplicated_runs([completions(values)], run_frame(r1="a", r2="a"))) == 1


def test_length_counts_words_and_characters_and_cuts_where_the_plan_says() -> None:
    rows = texts("two  words", "", "one", "caf\u00e9 au lait\nnow", None)
    assert scored("length", rows).score.to_pylist() == [2, 0, 1, 4, None]
    assert scored("length", rows, of="characters").score.to_pylist() == [10, 0, 3, 16, None]
    assert scored("length", rows, at_most=2).score.to_pylist() == [2, 0, 1, 2, None]
    assert MEASURES["length"].configure({"at_most": 2}, where="m").limits == (0.0, 2.0)
    assert MEASURES["length"].configure({}, where="m").limits is None


def test_a_label_matches_what_its_items_attribute_says_and_an_item_without_it_has_no_score() -> None:
    rows = completions(labels("poet", "pirate", "poet", "OFF", None))
    rows = rows.append_column("expected", pa.array(["poet", "poet", None, "poet", "poet"]))
    params = MEASURES["label_rate"].configure({"match": "item.persona", "missing": ["OFF"]}, where="measures.m")
    found = MEASURES["label_rate"].score(rows, params)
    assert found.score.to_pylist() == [1, 0, None, None, None]
    assert found.missing.to_pylist()[2:4] == ["no persona", "label OFF"]
    with pytest.raises(BadInput, match="takes the place of"):
        MEASURES["label_rate"].configure({"match": "item.persona", "positive": ["a"]}, where="measures.m")
