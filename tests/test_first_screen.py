"""The first screen: every hypothesis counted once, and a figure whose grey band is binomial noise."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from seedlock.analysis.findings.tally import tally_of
from seedlock.analysis.report.contradictions import contradictions
from seedlock.analysis.report.figures.headline import counting_noise, headline_figure
from seedlock.analysis.report.sections.first_screen import scoreboard_views
from seedlock.analysis.report.sections.hypotheses import hypothesis_views
from seedlock.analysis.report.view import key_of
from seedlock.analysis.results.schema import HypothesisResult, Results
from seedlock.prereg.lock.gate import LockedPlan, Status
from tests.conftest import PROJECT
from tests.report_fixture import hypothesis, make_locked, make_results

PUBLISHED = sorted(PROJECT.glob("reports/*/results.json"))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> LockedPlan:
    return make_locked(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def data(locked: LockedPlan) -> dict[str, Any]:
    found: dict[str, Any] = make_results(locked.lock_id).model_dump(mode="json")
    return found


def shown_once(data: dict[str, Any]) -> Counter[str]:
    rows = scoreboard_views(data, hypothesis_views(data))
    return Counter(h.raw["id"] for row in rows for kind in row.kinds for h in kind.hypotheses)


def test_the_scoreboard_counts_every_hypothesis_exactly_once(data: dict[str, Any]) -> None:
    assert shown_once(data) == Counter(h["id"] for h in data["hypotheses"])
    assert sum(t["n"] for t in data["answer"]["tally"]) == len(data["hypotheses"])


@pytest.mark.parametrize("report", PUBLISHED, ids=lambda path: path.parent.name)
def test_the_scoreboard_leaves_no_hypothesis_of_a_published_study_out(report: Path) -> None:
    results = Results.model_validate_json(report.read_bytes())
    counted = tally_of(results.hypotheses)
    assert sum(t.n for t in counted) == len(results.hypotheses)
    assert shown_once(results.model_dump(mode="json")) == Counter(h.id for h in results.hypotheses)


def test_exploratory_hypotheses_are_counted_apart() -> None:
    stated = [HypothesisResult.model_validate(hypothesis(name, role=role)) for name, role in (
        ("A", "confirmatory"), ("B", "exploratory"), ("C", "exploratory"))]  # fmt: skip
    assert [(t.role, t.outcome, t.n) for t in tally_of(stated)] == [
        ("confirmatory", "as predicted", 1),
        ("exploratory", "as predicted", 2),
    ]


def test_a_count_that_the_verdicts_do_not_give_is_a_contradiction(data: dict[str, Any]) -> None:
    tally = [{**data["answer"]["tally"][0], "n": data["answer"]["tally"][0]["n"] + 1}, *data["answer"]["tally"][1:]]
    assert not [f for f in contradictions(data) if f.where == "/answer/tally"]
    told = {**data, "answer": {**data["answer"], "tally": tally}}
    assert [f.where for f in contradictions(told)] == ["/answer/tally"]


@pytest.mark.parametrize("status", get_args(Status.__value__))
def test_only_a_plan_that_came_first_predicted_anything(status: str, data: dict[str, Any]) -> None:
    told = {**data, "status": status}
    words = {kind.words for row in scoreboard_views(told, hypothesis_views(told)) for kind in row.kinds}
    words |= {h.outcome_words for h in hypothesis_views(told)}
    has_predicted = status in {"confirmatory", "deviated"}
    assert any("predicted" in word for word in words) is has_predicted
    assert ("consistent with the claim" in words) is not has_predicted


def test_the_grey_band_holds_what_seeds_that_do_not_matter_would_do() -> None:
    units = [{"k": k, "n": 112} for k in (20, 30, 25, 35)]
    noise = counting_noise(units)
    assert noise is not None
    drawn = np.random.default_rng(1).binomial(112, 110 / 448, 200_000) / 112
    inside = np.mean((drawn >= noise[0]) & (drawn <= noise[1]))
    assert 0.95 <= inside < 0.98
    assert np.mean(drawn < noise[0]) < 0.025
    assert np.mean(drawn > noise[1]) < 0.025


def test_units_that_are_no_counts_have_no_counting_noise() -> None:
    assert counting_noise([{"k": None, "n": None, "mean": 0.3}]) is None
    assert counting_noise([]) is None


def test_the_figure_plots_the_units_of_the_number_that_the_answer_names(
    data: dict[str, Any], locked: LockedPlan
) -> None:
    figure = headline_figure(data, locked.plan)
    lead = data["hypotheses"][0]
    assert list(figure.data["arms"][0]["values"]) == [u["value"] for u in lead["units"]]
    assert figure.data["rows"][0]["estimate"] == lead["estimate"]
    assert lead["decision"] in figure.alt


def test_the_base_model_is_drawn_only_where_a_cell_holds_it_on_the_same_items(
    data: dict[str, Any], locked: LockedPlan
) -> None:
    base = {**data["cells"][0], "measure": "marker", "keys": {"arm": "base"}, "mean": 0.01}
    lead = {**data["hypotheses"][0], "items": None}
    whole = {**data, "claims": [], "hypotheses": [lead], "cells": [base]}
    assert headline_figure(whole, locked.plan).data["arms"][0]["base"] == 0.01
    assert "dashed" in key_of(headline_figure(whole, locked.plan))
    other = {**whole, "hypotheses": [{**lead, "items": "bystanders"}]}
    assert headline_figure(other, locked.plan).data["arms"][0]["base"] is None
    assert "dashed" not in key_of(headline_figure(other, locked.plan))


def test_the_arms_of_every_contrast_that_the_claim_rests_on_stand_beside_the_headlines(
    data: dict[str, Any], locked: LockedPlan
) -> None:
    shape = {**data["hypotheses"][0], "measure": "marker", "items": None, "unit": "seed", "over": "arm", "where": {}}
    kept = {**shape, "id": "kept", "where": {"arm": "plain"}, "contrast": None, "units": units_of("all", 0.1)}
    more = {**shape, "id": "more", "claim": "More.", "contrast": {"loud": 1, "plain": -1}}
    more["units"] = [*units_of("loud", 0.9), *units_of("plain", 0.1)]
    elsewhere = {**more, "id": "elsewhere", "claim": "Else.", "measure": "length"}
    claim = {**data["claims"][0], "members": ["kept", "more", "elsewhere"], "decision": "not testable"}
    said = {**data, "claims": [claim], "hypotheses": [kept, more, elsewhere]}
    assert [(arm["label"], arm["values"][0]) for arm in headline_figure(said, locked.plan).data["arms"]] == [
        ("plain", 0.1), ("loud", 0.9),
    ]  # fmt: skip
    alone = {**said, "claims": [{**claim, "members": ["kept"]}]}
    assert [arm["label"] for arm in headline_figure(alone, locked.plan).data["arms"]] == ["plain"]


def units_of(level: str, rate: float) -> list[dict[str, Any]]:
    return [{"level": level, "unit": str(i), "mean": rate, "k": None, "n": None} for i in range(3)]


def test_the_base_model_on_items_of_several_levels_is_the_mean_of_their_cells(
    data: dict[str, Any], locked: LockedPlan
) -> None:
    lead = {**data["hypotheses"][0], "items": None, "where": {"arm": "em", "persona": ["chef", "poet"]}}
    asked = [("base", "chef", 0.1, 30), ("base", "poet", 0.5, 10), ("base", "smith", 0.9, 10), ("em", "chef", 1, 9)]
    cells = [
        {**data["cells"][0], "measure": "marker", "keys": {"arm": arm, "persona": who}, "mean": mean, "n": n}
        for arm, who, mean, n in asked
    ]
    said = {**data, "claims": [], "hypotheses": [lead], "cells": cells}
    assert headline_figure(said, locked.plan).data["arms"][0]["base"] == pytest.approx(0.2)
    assert headline_figure({**said, "cells": cells[1:]}, locked.plan).data["arms"][0]["base"] is None


def test_a_headline_without_units_or_estimate_still_has_its_bands(data: dict[str, Any], locked: LockedPlan) -> None:
    bare = next(h for h in data["hypotheses"] if h["estimate"] is None)
    figure = headline_figure({**data, "claims": [], "hypotheses": [{**bare, "units": []}]}, locked.plan)
    assert figure.data["arms"] == []
    assert "aria-label" in figure.svg
