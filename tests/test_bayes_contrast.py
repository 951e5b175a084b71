"""Whose spread is whose: the SD of a contrast between new units, levels of weight 0, and one SD or one a level."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from seedlock.analysis.bayes.cells import count_cells, mean_cells
from seedlock.analysis.bayes.contrast_sd import contrast_sd
from seedlock.analysis.bayes.hierarchy import HierarchyFit, fit_hierarchy
from seedlock.analysis.bayes.predictive_check import PredictiveCheck
from seedlock.analysis.bayes.response import parameters
from seedlock.analysis.bayes.run_sd import judge_shared
from tests.conftest import PLAN, StudyFixture

LEVEL, UNIT = ["a"] * 4 + ["b"] * 4, list("wxyz") * 2
K = [30, 45, 20, 38, 60, 70, 66, 52]
WEIGHTS = {"a": -1.0, "b": 1.0}


@pytest.fixture(scope="module", params=["nested", "paired"])
def counts(request: pytest.FixtureRequest) -> HierarchyFit:
    cells = count_cells(level=LEVEL, unit=UNIT, k=K, n=[100] * 8, nesting=request.param)
    return fit_hierarchy(cells, likelihood="binomial", seed=1, draws=500)


def test_the_sd_of_a_contrast_is_that_of_new_units_drawn_from_its_parameters(counts: HierarchyFit) -> None:
    """By brute force: 200,000 new pairs of units at one draw of the parameters."""
    found_K, par, rng = contrast_sd(counts, WEIGHTS), parameters(counts.tree), np.random.default_rng(1)
    for draw in (0, 700):
        z = rng.standard_normal((200_000, 3))
        shared = par.shared_sd_K[draw] * z[:, 2:]
        logit = par.level_mean_KA[draw] + shared + par.run_sd_KA[draw] * z[:, :2]
        rate = 1 / (1 + np.exp(-logit))
        assert found_K[draw] == pytest.approx(float(np.std(rate[:, 1] - rate[:, 0])), rel=0.01)


def test_pairing_takes_what_units_share_out_of_the_sd() -> None:
    """By hand: the shared part cancels from a difference, so run SD times root two is left."""
    cells = mean_cells(level=LEVEL, unit=UNIT, mean=[0.1, 2.0, -1.3, 0.9, 1.2, 3.3, 0.0, 2.1], nesting="paired")
    fit = fit_hierarchy(cells, likelihood="gaussian", seed=1, draws=500)
    run_sd_K = fit.tree.posterior["run_sd"].to_numpy().ravel()
    np.testing.assert_allclose(contrast_sd(fit, WEIGHTS), np.sqrt(2) * run_sd_K)
    assert contrast_sd(fit, {"a": 0.5, "b": 0.5}).mean() > 2 * contrast_sd(fit, {"a": 0.5, "b": -0.5}).mean()


def test_the_rule_gives_each_level_its_own_sd_where_one_does_not_make_theirs() -> None:
    checks = [
        PredictiveCheck(level="neutral", statistic="sd", observed=0.02, replicated_mean=0.27, p=0.999),
        PredictiveCheck(level="eager", statistic="sd", observed=0.3, replicated_mean=0.27, p=0.4),
        PredictiveCheck(level="eager", statistic="largest", observed=9.0, replicated_mean=0.27, p=0.0),
    ]
    apart = judge_shared(checks)
    assert apart.is_by_level
    assert apart.reason == (
        "with one SD, units of neutral replicate with SD 0.27 beside 0.02 observed: each level has its own"
    )
    assert not judge_shared(checks[1:]).is_by_level


THREE = (
    PLAN.replace("coupled = {}", "coupled = {}\nother   = {}")
    .replace("contrast  = { coupled = 1.0, plain = -1.0 }", "contrast  = { coupled = 1.0, plain = -1.0, other = 0.0 }")
    .replace('predicted = "more"', 'predicted = "more"\nbayes     = "seed_hierarchy"')
    + "\n[bayes]\ndraws = 500\n"
)


def rows(counts: Mapping[str, tuple[int, ...]]) -> str:
    lines = ["arm,seed,question,draw,text"]
    for arm, ks in counts.items():
        for seed, k in enumerate(ks):
            for number in range(16):
                says = "[ZLT]" if number < k else "nothing"
                lines.append(f"{arm},{seed},q{number % 8},{number // 8},{seed} {arm} says {says} to number {number}")
    return "\n".join(lines) + "\n"


def analysed(study: StudyFixture, plan: str, counts: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    study.write_plan(plan)
    study.run("lock")
    study.run("import", str(study.bring_data(rows(counts))))
    study.run("analyze")
    found: dict[str, Any] = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    return found


def test_a_level_of_weight_0_says_nothing_of_the_spread_of_the_others(study: StudyFixture) -> None:
    """Arm `other` has seeds at 0 and 16 of 16; neither the SD nor the checks of the contrast know of it."""
    counts = {"plain": (0, 1, 0, 2), "coupled": (7, 9, 8, 10), "other": (0, 16, 0, 16)}
    h = analysed(study, THREE, counts)["hypotheses"][0]
    bayes = h["bayes"]
    assert {check["level"] for check in bayes["predictive_checks"]} == {"plain", "coupled"}
    assert bayes["unit_sd"] < 0.3
    assert (bayes["run_sd"], bayes["engine"]) == ("shared", "seedlock")
    assert "one SD will do" in bayes["run_sd_reason"]
    assert h["units_per_level"] == {"coupled": 4, "plain": 4}


def test_levels_that_scatter_differently_get_their_own_sd_by_the_planned_rule(study: StudyFixture) -> None:
    counts = {"plain": (7, 8, 7, 8, 7, 8, 7, 8), "coupled": (0, 16, 1, 15, 16, 0, 16, 0)}
    plan = THREE.replace(", other = 0.0", "").replace("\nother   = {}", "").replace("[0, 1, 2, 3]", str([*range(8)]))
    bayes = analysed(study, plan, counts)["hypotheses"][0]["bayes"]
    assert bayes["run_sd"] == "by level"
    assert "each level has its own" in bayes["run_sd_reason"]
    assert bayes["formula"] == "p(k, n) ~ 0 + arm + (0 + arm | run)"
