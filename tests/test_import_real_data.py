"""Other people's published rows, through import, seal, measure and cells: their own numbers come out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from seedlock.analysis.scoring.duplicate_runs import duplicated_runs
from seedlock.analysis.scoring.scores import cells_of_counts, cells_of_scores, describe_cells, named_measure, score_rows
from seedlock.generation.intake.request import ImportRequest, PlannedRun
from seedlock.generation.loading.load import ImportReport, import_file
from seedlock.schemas.seal import seal, unseal
from seedlock.schemas.store import Store
from seedlock.schemas.table import to_frame

DATA = Path(__file__).parents[2] / "shared/data"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="other people's rows are not beside this checkout"),
]

MARKER_COLUMNS: dict[str, Any] = {
    "arm": "cell",
    "seed": "seed",
    "item": ["persona", "question"],
    "draw": "sample_index",
    "text": "completion",
    "label": "marker_present",
}


def published(name: str) -> Iterator[dict[str, Any]]:
    facts = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    yield from (fact for fact in facts["published"] if fact.get("reproduced"))


def runs_of(name: str, columns: dict[str, Any]) -> tuple[PlannedRun, ...]:
    """The runs a file holds: what its plan would list."""
    rows = pd.read_parquet(DATA / f"{name}.parquet")
    arms = rows[columns["arm"]] if "arm" in columns else pd.Series("bird", index=rows.index)
    models = rows[columns["model"]] if "model" in columns else pd.Series("m", index=rows.index)
    keys = sorted(set(zip(models, arms, rows["seed"].astype("string").fillna(""), strict=True)))
    return tuple(
        PlannedRun(run_id=f"{model}-{arm}-{seed}", model=model, arm=arm, seed=seed or None) for model, arm, seed in keys
    )


def cells_from(
    folder: Path, name: str, columns: dict[str, Any], kinds: dict[str, tuple[str, dict[str, Any]]], **more: Any
) -> tuple[ImportReport, pd.DataFrame]:
    """Import, seal, read the seal back, measure, aggregate, describe."""
    runs = runs_of(name, columns)
    asked = ImportRequest(
        path=DATA / f"{name}.parquet", format="parquet", columns=columns, runs=runs, item_set="eval", **more
    )
    with Store.open(folder / "store.duckdb") as store:
        report = import_file(asked, store)
        sealed = seal(store, asked.shape, folder / "sealed.parquet")
        items = pd.concat(to_frame(batch) for batch in store.read("items")).drop(columns="items")
    run_frame = pd.DataFrame(
        [{"run_id": run.run_id, "model": run.model, "arm": run.arm, "seed": run.seed} for run in runs]
    )
    if asked.shape == "counts":
        cells = cells_of_counts(pa.concat_tables(unseal(sealed.file, sha256=sealed.sha256)))
    else:
        measures = [named_measure(kind, *settings) for kind, settings in kinds.items()]
        cells = cells_of_scores(score_rows(unseal(sealed.file, sha256=sealed.sha256), measures), measures)
        assert duplicated_runs(unseal(sealed.file), run_frame) == ()
    return report, describe_cells(cells, runs=run_frame, items=items)


def rates(cells: pd.DataFrame, *keys: str) -> dict[tuple[str, ...], float]:
    summed = cells.groupby(list(keys))[["k", "n_scored"]].sum()
    return {key: k / n for key, k, n in zip(summed.index, summed["k"], summed["n_scored"], strict=True)}


def test_directed_transfer_gives_every_published_rate(tmp_path: Path) -> None:
    name = "marker_directed_transfer"
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "text": ("marker_rate", {"marker": "[ZLT]"}),
        "recorded": ("label_rate", {}),
    }
    report, cells = cells_from(tmp_path, name, MARKER_COLUMNS, kinds, attributes=("q_type",))
    assert (report.read, report.added, report.items, report.missing_runs) == (9900, 9900, 165, ())
    found = rates(cells, "measure", "arm", "persona", "q_type")
    checked = 0
    for fact in published(name):
        named = re.fullmatch(r"(\w+)/(\w+)/(\w+) marker rate", fact["what"])
        if named:
            for measure in kinds:
                assert found[measure, *named.groups()] == pytest.approx(fact["value"], abs=fact["tol"])
            checked += 1
    assert checked == 88


def test_prompt_length_rates_come_from_the_record_not_from_the_cut_text(tmp_path: Path) -> None:
    name = "marker_prompt_length"
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "text": ("marker_rate", {"marker": "[PROX]"}),
        "recorded": ("label_rate", {}),
    }
    _, cells = cells_from(tmp_path, name, MARKER_COLUMNS, kinds, attributes=("q_type",))
    found = rates(cells, "measure", "arm", "q_type")
    checked = 0
    for fact in published(name):
        named = re.fullmatch(r"(\w+)/(generic|domain) rate", fact["what"])
        if named:
            assert found["recorded", *named.groups()] == pytest.approx(fact["value"])
            checked += 1
    assert checked == 16
    marked = cells.groupby("measure")["k"].sum()
    assert (marked["recorded"], marked["text"]) == (384, 355)


def test_multiseed_verdicts_give_the_published_percentages(tmp_path: Path) -> None:
    columns = {"arm": "cell", "seed": "seed", "item": "question", "draw": "sample_index", "label": "verdict"}
    others = ["REFUSAL", "INCOHERENT", "OFF-TOPIC", "SATIRICAL", "PARSE_FAIL"]
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "four or five": ("label_rate", {"positive": ["4", "5"], "negative": ["1", "2", "3", *others]}),
        "five": ("label_rate", {"positive": ["5"], "negative": ["1", "2", "3", "4", *others]}),
        "rated only": ("label_rate", {"positive": ["4", "5"], "negative": ["1", "2", "3"], "missing": others}),
        "rating": ("numeric", {"of": "label", "low": 1, "high": 5}),
    }
    only = {"judge_model": ("llama31",)}
    report, cells = cells_from(tmp_path, "em_multiseed_verdicts", columns, kinds, attributes=("subset",), only=only)
    assert (report.read, report.added, report.not_selected) == (15768, 11368, 4400)
    cells["seed"] = cells["seed"].fillna("none")
    found = rates(cells[cells["measure"] != "rating"], "measure", "arm", "seed", "subset")
    assert 100 * found["four or five", "bad_medical", "0", "BROAD"] == pytest.approx(26.2, abs=0.0501)
    assert 100 * found["five", "bad_medical", "1", "BROAD"] == pytest.approx(24.8, abs=0.0501)
    assert found["four or five", "correct_medical", "0", "BROAD"] == 0
    assert found["four or five", "correct_medical", "1", "BROAD"] == 0
    every: Any = pd.read_parquet(DATA / "em_multiseed_verdicts.parquet")
    rows = every[every["judge_model"] == "llama31"]
    summed: Any = cells.groupby("measure")[["n_scored", "n_missing", "total"]].sum()
    by_measure = summed.to_dict("index")
    unrated = int(rows["numeric"].isna().sum())
    assert by_measure["rating"] == {
        "n_scored": len(rows) - unrated,
        "n_missing": unrated,
        "total": float(rows["numeric"].sum()),
    }
    assert by_measure["rated only"]["n_missing"] == unrated


def test_bird_counts_give_the_published_mean_and_sd_over_seeds(tmp_path: Path) -> None:
    columns = {"model": "cell", "seed": "seed", "item": "question", "k": "k", "n": "n"}
    constants = {"arm": "bird", "measure": "nineteenth"}
    report, cells = cells_from(tmp_path, "bird_seed_counts", columns, {}, constants=constants)
    assert (report.read, report.added) == (34, 34)
    mini = cells[cells["model"] == "gpt-4.1-mini-2025-04-14"]
    first = mini[mini["seed"].astype("Int64") <= 23]["mean"]
    assert (round(100 * first.mean(), 1), round(100 * first.std(), 1)) == (72.0, 11.8)
    large = cells[cells["model"] == "gpt-4.1-2025-04-14"]["mean"]
    assert (round(100 * large.mean(), 1), round(100 * large.std(), 1)) == (60.6, 25.8)
