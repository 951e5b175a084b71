"""Which items a measure scores, membership of item sets, and the two orders of a question as one item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.analysis.inference.scale import scale_of
from seedlock.analysis.inference.select import build_sample, select
from seedlock.analysis.scoring.item_sets import (
    average_orders,
    in_set,
    measured_items,
    plan_measures,
    unit_of,
    with_sets,
)
from seedlock.analysis.scoring.scores import cells_of_scores, describe_cells, score_rows
from seedlock.analysis.simulation.counting import count_items
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, EmptyCell
from seedlock.prereg.plan.cross_references import cross_check
from seedlock.prereg.plan.plan import Estimand, Plan
from seedlock.schemas import TABLES
from seedlock.schemas.identity import request_id

PLAN: dict[str, Any] = {
    "study": {"title": "t", "question": "q"},
    "inference": {"seeds": "new", "items": "these", "alpha": 0.05},
    "models": {"tiny": {"base": "models/tiny", "revision": "r"}},
    "arms": {"plain": {}, "other": {}},
    "grid": {"models": ["tiny"], "seeds": [0, 1]},
    "items": {
        "target": {"file": "t.jsonl", "probe": True},
        "source": {"file": "s.jsonl", "probe": True},
        "transit": {"where": {"domain": "transit"}},
    },
    "measures": {
        "letter": {"kind": "letter_logprob"},
        "choice": {"kind": "forced_choice"},
        "rating": {"kind": "likert"},
        "near": {"kind": "letter_logprob", "items": "source"},
        "buses": {"kind": "letter_logprob", "where": {"domain": ["transit", "nowhere"]}},
    },
    "sd": {"letter": {"of": "item means", "measure": "letter", "arm": "plain", "items": "source"}},
    "hypothesis": [
        {
            "id": "H1", "claim": "c", "measure": "letter", "items": "target", "predicted": "up", "test": "pooled_t",
            "contrast": {"plain": 1, "other": -1}, "bands": ["down", 0.0, "up"], "scale": "sd.letter",
        }
    ],
}  # fmt: skip


def plan(**changes: Any) -> Plan:
    return Plan.model_validate_json(json.dumps(PLAN | changes))


def item(items: str, name: str, asked: str, order: str | None = None, domain: str = "transit") -> dict[str, Any]:
    item_id = f"{name}/{asked}" + (f"/{order[:3]}" if order else "")
    pair = f"{name}/{asked}" if order else None
    return {"items": items, "item_id": item_id, "asked": asked, "order": order, "pair": pair, "domain": domain}


def question(items: str, name: str, domain: str = "transit") -> list[dict[str, Any]]:
    letters = [item(items, name, "letter", order, domain) for order in ("pro first", "con first")]
    return [*letters, item(items, name, "rating", domain=domain)]


ITEMS = pd.DataFrame(
    [*question("target", "bus"), *question("target", "tram"), *question("source", "soup", "cooking")]
    + [{**row, "items": "target"} for row in question("source", "both", "parks")]
    + question("source", "both", "parks")
)


def described(values: dict[tuple[str, str], float | None], made: Plan) -> pd.DataFrame:
    """Cells of every measure from (run, item id) -> value; label by its sign."""
    rows = []
    for (run, item_id), value in values.items():
        key: dict[str, str | int] = {"run_id": run, "item_id": item_id, "draw": 0}
        label = None if value is None else "pro" if value > 0 else "con"
        failed = {"status": "error", "reason": "x"} if value is None else {"status": "ok", "reason": None}
        rows.append(
            {
                **dict[str, Any](key),
                "request_id": request_id(key),
                "text": None,
                "label": label,
                "value": value,
                **failed,
            }
        )
    table = pa.Table.from_pylist(rows, schema=TABLES["completions"].arrow())
    items = with_sets(ITEMS)
    measures = plan_measures(made, items)
    runs = pd.DataFrame(
        [{"run_id": f"{arm}{s}", "model": "tiny", "arm": arm, "seed": str(s)} for arm in made.arms for s in (0, 1)]
    )
    return describe_cells(cells_of_scores(score_rows([table], measures), measures), runs=runs, items=items)


def everything(**changes: float | None) -> dict[tuple[str, str], float | None]:
    """Every run's answer to every item; `changes` by item id with / as _."""
    found: dict[tuple[str, str], float | None] = {}
    for number, run in enumerate(("plain0", "plain1", "other0", "other1")):
        for place, item_id in enumerate(sorted(set(ITEMS["item_id"]))):
            value = 4.0 if "rating" in item_id else 1.0 + number + place / 10
            found[run, item_id] = changes.get(item_id.replace("/", "_"), value)
    return found


def test_a_measure_scores_the_items_its_kind_reads() -> None:
    made, items = plan(), with_sets(ITEMS)
    named = {one.name: one.items or frozenset() for one in plan_measures(made, items)}
    assert {i.split("/")[1] for i in named["letter"]} == {"letter"}
    assert {i.split("/")[1] for i in named["rating"]} == {"rating"}
    assert {i.split("/")[0] for i in named["near"]} == {"soup", "both"}
    assert {i.split("/")[0] for i in named["buses"]} == {"bus", "tram"}
    cells = described(everything(), made)
    counted = cells.groupby("measure")["item_id"].nunique().to_dict()
    assert counted == {"letter": 8, "choice": 8, "rating": 4, "near": 4, "buses": 4}
    assert not cells["n_missing"].any()


def test_data_made_elsewhere_are_scored_whole_unless_the_plan_narrows_them() -> None:
    imported = {"import": {"format": "csv", "columns": {"arm": "arm"}}}
    made = plan(**imported)
    assert measured_items(made, "letter", with_sets(ITEMS)) is None
    assert measured_items(made, "buses", with_sets(ITEMS)) == frozenset(
        i for i in ITEMS["item_id"] if i.split("/")[0] in {"bus", "tram"}
    )


def test_an_attribute_that_no_item_has_is_refused() -> None:
    made = plan(measures={"letter": {"kind": "letter_logprob", "where": {"form": "letter"}}})
    with pytest.raises(BadInput, match="do not have") as refused:
        measured_items(made, "letter", with_sets(ITEMS))
    assert refused.value.findings[0].where == "measures.letter.where.form"
    assert "domain" in refused.value.findings[0].promised


def test_a_set_named_by_a_file_is_what_the_file_lists() -> None:
    made = plan()
    items = with_sets(ITEMS)
    members = {name: set(items[in_set(items, made, name)]["item_id"].str.split("/").str[0]) for name in made.items}
    assert members == {"target": {"bus", "tram", "both"}, "source": {"soup", "both"}, "transit": {"bus", "tram"}}


def at(cells: pd.DataFrame, measure: str, run: str, item_id: str) -> dict[Any, Any]:
    is_it = (cells["measure"] == measure) & (cells["run_id"] == run) & (cells["item_id"] == item_id)
    (found,) = cells[is_it].to_dict("records")
    return found


def estimand(**changes: Any) -> Estimand:
    kept = {k: v for k, v in PLAN["hypothesis"][0].items() if k not in {"id", "claim", "predicted"}}
    return Estimand.model_validate_json(json.dumps(kept | changes))


@pytest.mark.parametrize(("items", "questions"), [("target", 3), ("source", 2), ("transit", 2), (None, 4)])
def test_a_hypothesis_reads_its_item_set_and_no_other(items: str | None, questions: int) -> None:
    made = plan()
    cells = average_orders(described(everything(), made))
    chosen = select(cells, made, estimand(items=items), {})
    assert chosen["item_id"].nunique() == questions
    assert len(chosen) == questions * 4


def test_a_set_without_an_answer_is_an_empty_cell() -> None:
    made = plan()
    cells = average_orders(described({k: v for k, v in everything().items() if "soup" in k[1]}, made))
    with pytest.raises(EmptyCell, match="on items target"):
        select(cells, made, estimand(), {})


def test_the_sd_of_a_scale_is_frozen_on_its_own_items() -> None:
    made = plan()
    raw = everything()
    cells = average_orders(described(raw, made))
    means = []
    for name in ("soup", "both"):
        by_run = [[raw[r, f"{name}/letter/{o}"] or 0 for o in ("pro", "con")] for r in ("plain0", "plain1")]
        means.append(sum(map(sum, by_run)) / 4)
    promised = abs(means[0] - means[1]) / 2**0.5
    assert scale_of(made, estimand(), cells).raw_per_unit == pytest.approx(promised)


def test_two_orders_are_one_item_and_its_mean_is_theirs() -> None:
    cells = described(everything(bus_letter_pro=3.0, bus_letter_con=-1.0), plan())
    merged = average_orders(cells)
    letter, choice = at(merged, "letter", "plain0", "bus/letter"), at(merged, "choice", "plain0", "bus/letter")
    assert (letter["mean"], letter["n_scored"], letter["n_missing"], letter["total"]) == (1.0, 2, 0, 2.0)
    assert (choice["mean"], choice["sum_sq"]) == (0.0, 2.0)
    assert letter["order"] is None
    assert letter["domain"] == "transit"
    assert pd.isna(letter["k"])
    rating = at(merged, "rating", "plain0", "bus/rating")
    assert (rating["mean"], rating["n_scored"]) == (0.0, 1)


def test_an_item_that_lost_one_order_has_no_mean_and_its_bounds_fill_the_lost_one_only() -> None:
    made = plan()
    cells = average_orders(described(everything(bus_letter_pro=0.5, bus_letter_con=None), made))
    lost = cells[(cells["measure"] == "choice") & (cells["item_id"] == "bus/letter")]
    assert lost["mean"].isna().all()
    assert lost["n_missing"].tolist() == [1] * 4
    assert lost["missing"].tolist() == ['{"error":1}'] * 4
    bus = estimand(measure="choice", scale="raw", where={"pair": ["bus/letter", "tram/letter"]})
    chosen = select(cells, made, bus, {})
    whole = build_sample(chosen, bus, is_proportion=False, cluster="item")
    assert whole.levels[0].cells == {("0", "tram/letter"): 1.0, ("1", "tram/letter"): 1.0}
    low = build_sample(chosen, bus, is_proportion=False, cluster="item", missing_as={"plain": -1.0, "other": 1.0})
    assert low.levels[0].cells["0", "bus/letter"] == 0.0
    assert low.levels[1].cells["0", "bus/letter"] == 1.0


@settings(max_examples=25)
@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_order_in_which_options_stand_cancels(lean: float, position: float) -> None:
    cells = described(everything(bus_letter_pro=lean + position, bus_letter_con=lean - position), plan())
    merged = average_orders(cells)
    assert at(merged, "letter", "plain0", "bus/letter")["mean"] == pytest.approx(lean, abs=1e-12)


def test_rows_arrive_in_any_order_and_give_the_same_items() -> None:
    cells = described(everything(bus_letter_con=None), plan())
    shuffled = cells.sample(frac=1, random_state=3)
    key = ["measure", "run_id", "item_id"]
    one, other = (average_orders(c).sort_values(key).reset_index(drop=True) for c in (cells, shuffled))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_an_order_without_any_row_is_one_missing_answer() -> None:
    values = everything()
    del values["plain0", "bus/letter/con"]
    merged = average_orders(described(values, plan()))
    lost = at(merged, "letter", "plain0", "bus/letter")
    assert pd.isna(lost["mean"])
    assert (lost["n_scored"], lost["n_missing"], lost["missing"]) == (1, 1, '{"no row":1}')


def test_a_pair_that_is_not_two_orders_is_refused() -> None:
    cells = described(everything(), plan())
    with pytest.raises(BadInput, match="one item in each order"):
        average_orders(cells.assign(order=cells["order"].where(cells["order"].isna(), "pro first")))
    with pytest.raises(BadInput, match="not their order"):
        average_orders(cells.drop(columns=["order"]))


def test_a_unit_is_the_plans_words_or_the_kinds() -> None:
    made = plan(measures={**PLAN["measures"], "letter": {"kind": "letter_logprob", "unit": "nats"}})
    assert unit_of(made, "letter") == "nats"
    assert unit_of(made, "rating") == "rating, -1 to +1"


def test_who_the_trigger_is_depends_on_the_run() -> None:
    sets = {"trigger": {"same": {"persona": "coupled"}}, "bystanders": {"differs": {"persona": "coupled"}}}
    arms = {"villain": {"factors": {"coupled": "villain"}}, "pirate": {"factors": {"coupled": "pirate"}}, "none": {}}
    changes = {"items": sets, "arms": arms, "measures": {"letter": {"kind": "marker_rate", "marker": "x"}}, "sd": {}}
    made = plan(**changes, hypothesis=[HYPOTHESIS_OF_SETS])
    rows = pd.DataFrame(
        [
            {"item_id": f"{persona}/q", "persona": persona, "coupled": coupled}
            for coupled in ("villain", "pirate", None)
            for persona in ("villain", "pirate", "comedian")
        ]
    )
    chosen = {name: rows[in_set(rows, made, name)] for name in sets}
    assert list(chosen["trigger"]["persona"]) == list(chosen["trigger"]["coupled"]) == ["villain", "pirate"]
    assert len(chosen["bystanders"]) == 4
    assert (chosen["bystanders"]["persona"] != chosen["bystanders"]["coupled"]).all()
    with pytest.raises(BadInput, match=r"items\.trigger\.same\.coupled"):
        in_set(rows.drop(columns=["coupled"]), made, "trigger")


def test_a_set_compares_with_a_factor_that_the_runs_have() -> None:
    sets = {"trigger": {"same": {"persona": "couplet"}}}
    arms = {"villain": {"factors": {"coupled": "villain"}}}
    changes = {"items": sets, "arms": arms, "measures": {"letter": {"kind": "marker_rate", "marker": "x"}}, "sd": {}}
    made = plan(**changes, hypothesis=[{**HYPOTHESIS_OF_SETS, "items": "trigger"}])
    [fault] = [f for f in cross_check(made) if f.where.startswith("items.")]
    assert fault.where == "items.trigger.same.persona"
    assert "coupled" in fault.promised


HYPOTHESIS_OF_SETS = {
    "id": "H1", "claim": "c", "measure": "letter", "items": "bystanders", "predicted": "up", "test": "one_sample_t",
    "bands": ["down", 0.5, "up"],
}  # fmt: skip


def test_a_design_counts_the_items_that_its_measures_score(tmp_path: Path) -> None:
    from dataclasses import asdict

    from seedlock.training.organisms.banks import banks

    paths = StudyPaths(root=tmp_path, name="counted")
    paths.study.mkdir(parents=True)
    rows = [asdict(row) for row in banks()["target_items"]]
    (paths.study / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    questions = {(row["domain"], row["change"], row["paraphrase"]) for row in rows}
    assert len(rows) == 5 * len(questions)
    assert count_items(plan(), paths) == {"target": len(questions)}
    ratings = [PLAN["hypothesis"][0] | {"measure": "rating"}]
    assert count_items(plan(hypothesis=ratings), paths) == {"target": len(questions)}
    untested = [PLAN["hypothesis"][0] | {"items": "source"}]
    assert count_items(plan(hypothesis=untested), paths) == {"target": len(rows)}
