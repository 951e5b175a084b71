"""What gold labels cost a simulated study, and how many it needs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from docs.make_judge_coverage import CASES, covered
from seedlock.analysis.simulation.assumptions import Variation
from seedlock.analysis.simulation.labels import label_noise
from seedlock.analysis.simulation.result import SimulationResult
from seedlock.analysis.simulation.run import simulate_design
from seedlock.analysis.simulation.table import tables
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.design import Look
from seedlock.prereg.plan.gold import Gold
from seedlock.prereg.plan.plan import Plan, PlannedRun
from seedlock.prereg.plan.read import parse_plan
from tests.judge_builders import LEXICON, PLAN

DESIGN = """
[design]
items = 20
draws = 5
expected = { H1 = 0.45 }

[design.measures.era]
base    = 0.2
seed_sd = [0.25]
judge_right = { plain = 0.9, archaic = 0.8 }
"""
GOLD = """
[judges.era.gold]
share = { plain = 0.1, archaic = 0.2 }
who   = "two readers"
"""


def plan(gold: str = GOLD, design: str = DESIGN) -> Plan:
    judge = LEXICON.replace('gold  = "gold.jsonl"\ninjections = 8\n', "")
    return parse_plan((PLAN + judge + gold + design).encode(), Path("plan.toml"))


@pytest.fixture(scope="module")
def simulated() -> SimulationResult:
    return simulate_design(plan(), simulations=400, seed=1, most_seeds=0)


def test_the_error_that_labels_make_is_that_of_labels_drawn_one_by_one() -> None:
    """Labels and verdicts drawn answer by answer, and the difference estimator in one line each."""
    rng = np.random.default_rng(4)
    p, right, n, answers, studies = 0.3, 0.8, 20, 100, 40_000
    said = right * p + (1 - right) * (1 - p)
    weight = p * (right - said) / (said * (1 - said))
    gold = rng.random((studies, answers)) < p
    judged = np.where(rng.random(gold.shape) < right, gold, ~gold)
    labelled = (gold[:, :n] - weight * judged[:, :n]).mean(axis=1)
    error = weight * judged.mean(axis=1) + labelled - gold.mean(axis=1)
    variation = Variation(
        measure="m", is_rate=True, base={}, seed_sd=(0.5,), item_sd=1, item_effect_sd=0, answer_sd=0, right={"a": right}
    )
    runs = (PlannedRun(model="m", arm="a", seed=0, factors={}),)
    found = label_noise(
        variation,
        Gold(who="x", share=n / answers, at_least=1),
        runs,
        np.full((studies, 1, answers), p),
        answers=answers,
        rng=rng,
    )
    assert found.shape == (studies, 1, 1)
    assert float(np.std(found)) == pytest.approx(float(np.std(error)), rel=0.02)
    assert abs(error.mean()) < 4 * error.std() / math.sqrt(studies)


def test_simulate_says_how_many_labels_a_claim_needs(simulated: SimulationResult) -> None:
    (row,) = simulated.labels_needed
    assert row.planned == {"archaic": 20, "plain": 10}
    assert row.labels is not None
    assert row.power is not None
    assert row.power.value is not None
    assert row.power.value >= 0.8
    assert row.total == 6 * row.labels
    # Expected: archaic 0.65, plain 0.2; the judge says 0.8 * 0.65 + 0.2 * 0.35 and 0.9 * 0.2 + 0.1 * 0.8.
    assert row.judge_shift == pytest.approx((0.59 - 0.65) - (0.26 - 0.2), abs=1e-4)
    assert [one.where for one in simulated.not_simulated if one.code == "labels-as-error"] == ["H1"]


def test_the_terminal_has_a_table_of_labels_and_one_of_looks(simulated: SimulationResult) -> None:
    looked = plan().model_copy(update={"look": [Look(seeds=n, rule="anytime") for n in (2, 3)]})
    both = simulate_design(looked, simulations=100, seed=1, most_seeds=0)
    titles = [str(table.title) for table in tables(both)]
    assert any(title.startswith("gold labels a run for power") for title in titles)
    assert any(title.startswith("seeds an arm that a study uses") for title in titles)
    assert not any("seeds an arm that a study uses" in str(table.title) for table in tables(simulated))


def test_few_labels_cost_width_and_no_promise(simulated: SimulationResult) -> None:
    without = simulate_design(
        plan(gold="", design=DESIGN.partition("judge_right")[0]), simulations=400, seed=1, most_seeds=0
    )
    wide, narrow = (found.row("H1", "expected").width for found in (simulated, without))
    assert wide is not None
    assert narrow is not None
    assert wide.value is not None
    assert narrow.value is not None
    assert wide.value > 1.3 * narrow.value
    assert without.labels_needed == []
    assert simulated.findings == []


def test_no_number_of_labels_makes_up_for_seeds() -> None:
    hard = DESIGN.replace("seed_sd = [0.25]", "seed_sd = [2.0]")
    (row,) = simulate_design(plan(design=hard), simulations=200, seed=1, most_seeds=0).labels_needed
    assert row.labels is None
    assert "all 100 answers" in str(row.reason)


def test_an_arm_that_is_not_there_has_no_judge() -> None:
    with pytest.raises(BadInput, match="unknown arm"):
        plan(design=DESIGN.replace("plain = 0.9", "plane = 0.9"))


def test_the_page_of_coverage_repeats_itself() -> None:
    """One case of docs/judge-coverage.md with fewer studies: right on 80% and 65%, five seeds an arm."""
    case = next(c for c in CASES if c.right == (0.80, 0.65) and c.labels == 20)
    found = covered(case, 5, 400, np.random.default_rng(7))
    assert found.raw < 0.8
    assert found.corrected > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 400)
    assert found.corrected_width <= 1.02 * found.labels_width
