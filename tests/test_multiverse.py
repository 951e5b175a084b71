"""The multiverse: every listed analysis, the locked one among them, and no number where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedlock.analysis.findings.multiverse import multiverse
from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.infer import infer
from seedlock.analysis.results.multiverse import MultiverseResult
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN, StudyFixture

CHOICES = """
[multiverse]
tests   = ["welch_t", "permutation"]
scales  = ["sd.resting"]
missing = ["exclude", "pull down", "pull up"]

[sd.resting]
value  = 0.5
source = "pilot"
"""


def data(treated: list[float], control: list[float], *, text: str = CHOICES, n_missing: int = 0) -> Data:
    rows = [
        {"run_id": f"{arm}{seed}", "model": "tiny", "arm": arm, "seed": str(seed), "item_id": "q0", "measure": "marker",
         "n_scored": 20, "k": round(20 * mean), "mean": mean, "total": float(round(20 * mean)),
         "n_missing": n_missing}
        for arm, means in (("coupled", treated), ("plain", control))
        for seed, mean in enumerate(means)
    ]  # fmt: skip
    return Data(plan=parse_plan((PLAN + text).encode(), Path("s/plan.toml")), cells=pd.DataFrame(rows))


TREATED, CONTROL = [0.50, 0.60, 0.70, 0.65], [0.10, 0.05, 0.20, 0.15]


def only(found: list[MultiverseResult]) -> MultiverseResult:
    (curve,) = found
    return curve


def test_every_combination_is_there_once_and_the_locked_one_is_marked() -> None:
    curve = only(multiverse(data(TREATED, CONTROL)))
    assert curve.n_branches == len(curve.branches) == 3 * 2
    assert len({(b.test, b.scale) for b in curve.branches}) == 6
    (locked,) = [b for b in curve.branches if b.is_locked]
    assert (locked.measure, locked.test, locked.scale, locked.missing) == ("marker", "pooled_t", "raw", "exclude")


def test_branches_by_hand_and_by_scipy() -> None:
    curve = only(multiverse(data(TREATED, CONTROL)))
    by = {(b.test, b.scale): b for b in curve.branches}
    assert by["pooled_t", "raw"].estimate == pytest.approx(0.6125 - 0.125)
    assert by["pooled_t", "sd.resting"].estimate == pytest.approx((0.6125 - 0.125) / 0.5)
    for test, equal_var in (("pooled_t", True), ("welch_t", False)):
        expected = stats.ttest_ind(TREATED, CONTROL, equal_var=equal_var).confidence_interval(0.95)
        assert by[test, "raw"].ci == pytest.approx((expected.low, expected.high))
    # The hardest band to exclude is the inner one, whose p is the sum of the one-sided p at its two edges.
    p = sum(stats.ttest_ind([x - edge for x in TREATED], CONTROL, alternative="greater").pvalue for edge in (-0.1, 0.1))
    assert by["pooled_t", "raw"].p_value == pytest.approx(p, rel=1e-6)


def test_the_locked_branch_is_what_the_analysis_found() -> None:
    study = data(TREATED, CONTROL)
    tested = infer(study).tested["H1"]
    (locked,) = [b for b in only(multiverse(study)).branches if b.is_locked]
    assert tested.estimate is not None
    assert locked.estimate == tested.estimate.estimate
    assert locked.ci == (tested.estimate.ci_low, tested.estimate.ci_high)
    assert tuple(locked.verdict) == tested.verdict


def test_worst_cases_are_branches_only_where_answers_are_missing() -> None:
    whole, gappy = (only(multiverse(data(TREATED, CONTROL, n_missing=n))) for n in (0, 5))
    assert {b.missing for b in whole.branches} == {"exclude"}
    by = {b.missing: b for b in gappy.branches if (b.test, b.scale) == ("pooled_t", "raw")}
    # 20 answers scored and 5 missing: 12.25 of 20 becomes 12.25 of 25 below and 2.5 + 5 of 25 for the control.
    assert by["pull down"].estimate == pytest.approx(12.25 / 25 - 7.5 / 25)
    assert by["pull up"].estimate == pytest.approx(17.25 / 25 - 2.5 / 25)
    assert not by["pull up"].is_locked


rates = st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=3, max_size=6)


@settings(max_examples=40)
@given(rates, rates)
def test_branches_rise_and_counts_add_up(treated: list[float], control: list[float]) -> None:
    curve = only(multiverse(data(treated, control)))
    known = [b.estimate for b in curve.branches if b.estimate is not None]
    assert known == sorted(known)
    assert [b.estimate for b in curve.branches][: len(known)] == known
    assert curve.n_with_estimate == len(known)
    assert curve.n_predicted == sum(b.verdict == ["more"] for b in curve.branches)
    assert (curve.least, curve.greatest) == ((known[0], known[-1]) if known else (None, None))
    assert all((b.estimate is None) == (b.reason is not None) for b in curve.branches)


def test_a_refused_branch_has_a_reason_and_no_number() -> None:
    curve = only(multiverse(data([0.5, 0.5, 0.5], [0.1, 0.1, 0.1])))
    assert curve.n_with_estimate == 0
    assert curve.reason is not None
    assert all(b.estimate is None and b.p_value is None and b.verdict == [] for b in curve.branches)
    assert any("no-spread" in (b.reason or "") for b in curve.branches)


def test_a_hypothesis_behind_a_shut_gate_shows_no_number_in_any_branch() -> None:
    curve = only(multiverse(data(TREATED, CONTROL), shut={"H1": "gate-shut: instilled"}))
    assert all(b.estimate is None and b.reason == "gate-shut: instilled" for b in curve.branches)


def test_without_the_table_there_is_no_multiverse() -> None:
    assert multiverse(data(TREATED, CONTROL, text="")) == []


def test_choices_that_do_not_exist_are_refused(study: StudyFixture) -> None:
    for wrong in ('tests = ["welsh_t"]', 'measures = ["markr"]', 'scales = ["sd.none"]', 'hypotheses = ["H9"]'):
        study.write_plan(PLAN + f"\n[multiverse]\n{wrong}\n")
        assert "multiverse" in study.run("check", ok=2)
    with pytest.raises(BadInput):
        parse_plan((PLAN + '\n[multiverse]\nmissing = ["ignore"]\n').encode(), Path("s/plan.toml"))


def test_the_report_carries_the_curve_as_exploratory(study: StudyFixture) -> None:
    study.write_plan(PLAN + CHOICES)
    study.to_report()
    (curve,) = json.loads((study.paths.report / "results.json").read_bytes())["multiverse"]
    assert curve["label"] == "exploratory"
    page = (study.paths.report / "report.html").read_text("utf-8")
    assert "Would another defensible analysis say the same? (exploratory)" in page
    plotted = json.loads((study.paths.report / "figures/multiverse-1.json").read_bytes())
    assert plotted["branches"] == [b for b in curve["branches"] if b["estimate"] is not None]
    study.run("verify")
