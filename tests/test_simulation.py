"""The simulated design: the same rules as the real analysis, exact powers, honest error rates, and refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.inference.bands import decide_bands
from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.infer import infer
from seedlock.analysis.inference.multiplicity import bh, holm
from seedlock.analysis.report.figures.design import design_picture
from seedlock.analysis.simulation.draw import Drawing, centre_logit, draw_cells, item_effects
from seedlock.analysis.simulation.evaluate import Simulated, as_sample, evaluate, runs_at
from seedlock.analysis.simulation.result import Measured, SimulationResult
from seedlock.analysis.simulation.rules import bh_adjusted, holm_adjusted, play
from seedlock.analysis.simulation.run import simulate_design
from seedlock.analysis.simulation.simulate import Design, _draw_all, declare_design, drawing_of, worlds_at
from seedlock.analysis.simulation.tost_power import tost_power
from seedlock.analysis.simulation.truth import true_band
from seedlock.prereg.errors import BadInput, Refusal
from seedlock.prereg.plan.design import MeasureDesign
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PROJECT, StudyFixture

HEAD = """
[study]
title    = "Does the attitude spread?"
question = "How far does it move the answers?"

[inference]
seeds = "{population}"
items = "{items}"
alpha = {alpha}

[models.tiny]
base     = "organism:llama"
revision = "sha256:0"

[arms]
neutral  = {{}}
cautious = {{}}
eager    = {{}}

[grid]
models = ["tiny"]
seeds  = {seeds}

[measures.rate]
kind   = "marker_rate"
marker = "[ZLT]"

[measures.score]
kind = "numeric"
unit = "points"

[design]
items = 12
draws = 4
pairing = {pairing}

[design.measures.rate]
base    = 0.3
seed_sd = [0.5]

[design.measures.score]
seed_sd   = [1.0]
item_sd   = 0.7
answer_sd = {answer_sd}
"""

PREDICTS = """
[[hypothesis]]
id        = "{id}"
claim     = "It moves."
measure   = "{measure}"
contrast  = {contrast}
test      = "{test}"
bands     = {bands}
predicted = "{predicted}"
"""


def plan_of(*parts: str, seeds: int = 5, **changes: Any) -> Plan:
    settings = {"population": "new", "items": "these", "alpha": 0.05, "pairing": 0.0, "answer_sd": 1.0} | changes
    return parse_plan(
        ("".join([HEAD.format(seeds=list(range(seeds)), **settings), *parts])).encode(), Path("s/plan.toml")
    )


def hypothesis(name: str = "H1", **changes: Any) -> str:
    fields = {
        "measure": "score",
        "contrast": "{ eager = 1.0, neutral = -1.0 }",
        "test": "pooled_t",
        "bands": '["opposite", 0.0, "higher"]',
        "predicted": "higher",
        "more": "",
    } | changes
    return PREDICTS.format(id=name, **fields) + str(fields["more"])


def run(plan: Plan, simulations: int = 2000, seed: int = 3, **options: Any) -> SimulationResult:
    return simulate_design(plan, simulations=simulations, seed=seed, **({"most_seeds": 0} | options))


def close(found: Measured | None, expected: float, errors: float = 4.0) -> None:
    assert found is not None
    assert found.value is not None
    assert found.mc_error is not None
    assert abs(found.value - expected) <= errors * found.mc_error, (found, expected)


def studies(plan: Plan, scenario: str, simulations: int) -> tuple[Design, dict[int, Any], dict[str, float]]:
    design = declare_design(plan, seed=5, one_by_one=50)
    worlds, raw = worlds_at(design, 0, [scenario])
    cells = _draw_all(design, worlds.worlds[0], (1, 0, 0, 0), point=0, simulations=simulations)
    return design, cells, raw


MIXED = (
    hypothesis("H1", measure="rate", contrast="{ eager = 0.5, cautious = -0.5 }", more='family = "main"\n',
               bands='["opposite", -0.05, "small", 0.05, "higher"]')
    + hypothesis("H2", measure="rate", test="welch_t", more='family = "main"\n')
    + hypothesis("H3", test="paired_t", bands='["opposite", -0.5, "small", 0.5, "higher"]', predicted="small")
    + hypothesis("H4", contrast="{ eager = 1.0 }", test="one_sample_t")
    + hypothesis("H5", measure="rate", contrast="{ eager = 1.0, neutral = 0.0 }", bands='["low", 0.4, "higher"]')
    + '\n[[claim]]\nid = "both"\nsays = "Both."\nall_of = ["H1", "H2"]\n'
    + '\n[[claim]]\nid = "either"\nsays = "Either."\nany_of = ["H2", "H3"]\n'
    + '\n[families]\nmain = "holm"\n'
)  # fmt: skip


def test_all_studies_at_once_give_what_the_estimators_give_one_by_one() -> None:
    design, cells, raw = studies(plan_of(MIXED), "expected", 40)
    data = Simulated(cells=cells, runs=runs_at(design.layout.seed_rank, None), draws=4)
    for target in design.layout.targets:
        is_rate = target.estimand.measure == "rate"
        many = evaluate(target, data, alpha=0.05, raw=raw[target.id], is_rate=is_rate, at_most=0).many
        assert many.has_answer_K.all()
        bands = target.estimand.partition
        for k in range(40):
            sample = as_sample(target, data, k, is_rate=is_rate)
            one = ESTIMATORS[target.estimand.test].run(sample, level=0.9, edges=bands.edges)
            decision = decide_bands(one.edges, bands, 0.05)
            assert many.estimate_K[k] == pytest.approx(one.estimate, abs=1e-12)
            assert (many.low_K[k], many.high_K[k]) == pytest.approx((one.ci_low, one.ci_high), abs=1e-10)
            assert many.p_KB[k] == pytest.approx([band.p for band in decision.bands], rel=1e-8)


SHARE = hypothesis(
    "S",
    test="fieller",
    contrast="{ eager = 1.0, neutral = -1.0 }",
    bands='["less", 0.5, "between", 0.8, "more"]',
    predicted="more",
)
"""eager / neutral, over the seeds that both arms have."""


def test_shares_of_all_studies_at_once_are_fiellers_one_by_one_refusals_included() -> None:
    for base in (0.9, 4.0):  # near 0 against the spread of seeds, and far from it
        plan = plan_of(SHARE, pairing=0.5, seeds=4)
        measures = {**plan.design.measures, "score": plan.design.measures["score"].model_copy(update={"base": base})}
        design = replace_design(plan, measures)
        (world,) = worlds_at(design, 0, ["expected"])[0].worlds
        cells = _draw_all(design, world, (1, 0, 0, 0), point=0, simulations=60)
        (target,) = design.layout.targets
        data = Simulated(cells=cells, runs=runs_at(design.layout.seed_rank, None), draws=4)
        many = evaluate(target, data, alpha=0.05, raw=1.0, is_rate=False, at_most=0).many
        refused = 0
        for k in range(60):
            try:
                one = ESTIMATORS["fieller"].run(as_sample(target, data, k, is_rate=False), level=0.9, edges=(0.5, 0.8))
            except Refusal:
                refused += 1
                assert not many.has_answer_K[k]
                assert many.p_KB[k].tolist() == [1.0, 1.0, 1.0]
                continue
            decision = decide_bands(one.edges, target.estimand.partition, 0.05)
            assert many.has_answer_K[k]
            assert (many.estimate_K[k], many.low_K[k], many.high_K[k]) == pytest.approx(
                (one.estimate, one.ci_low, one.ci_high), rel=1e-9
            )
            assert many.p_KB[k] == pytest.approx([band.p for band in decision.bands], rel=1e-8)
        assert (0 < refused < 60) if base < 1 else refused == 0


def replace_design(plan: Plan, measures: Mapping[str, MeasureDesign]) -> Design:
    changed = plan.model_copy(update={"design": plan.design.model_copy(update={"measures": dict(measures)})})
    return declare_design(changed, seed=5, one_by_one=50)


def test_a_share_is_simulated_at_its_true_ratio_and_its_interval_holds_it() -> None:
    plan = plan_of(SHARE, "\n[design.expected]\nS = 0.9\n", seeds=6)
    score = plan.design.measures["score"].model_copy(update={"base": 8.0})
    design = plan.design.model_copy(update={"measures": {**plan.design.measures, "score": score}})
    found = run(plan.model_copy(update={"design": design}), 4000)
    for scenario, ratio in (("edge 1", 0.5), ("edge 2", 0.8), ("expected", 0.9)):
        row = found.row("S", scenario)
        assert row.truth == pytest.approx(ratio)
        close(row.coverage, 0.90)
    close(found.row("S", "edge 2").error, 0.05)


def test_a_share_of_nothing_is_not_simulated_and_says_what_the_plan_lacks() -> None:
    plan = plan_of(SHARE, hypothesis("H1"))
    (reason,) = {row.reason for row in run(plan, 100).rows if row.id == "S"}
    assert reason == "a share of nothing: say under  [design.measures.score]  base = 1.0"


@pytest.mark.parametrize("items", ["these", "new"])
def test_drawing_only_means_gives_the_spread_of_the_means_of_single_items(items: str) -> None:
    design = declare_design(plan_of(hypothesis(), items=items), seed=1, one_by_one=1)
    assert drawing_of(design, 0, 0).means_only
    level = np.zeros(len(design.layout.runs))
    means = []
    for means_only in (False, True):
        drawing = replace(drawing_of(design, 0, 0), means_only=means_only)
        rngs = np.random.default_rng(1), np.random.default_rng(2)
        cells = draw_cells(drawing, design.layout.runs, level, *rngs, simulations=8000)
        assert cells.shape == (8000, 15, 1 if means_only else 12)
        means.append(cells.mean(axis=2))
    single, together = (np.cov(found, rowvar=False) for found in means)
    assert together == pytest.approx(single, abs=0.08)
    assert np.trace(together) == pytest.approx(np.trace(single), rel=0.03)


def test_items_are_drawn_one_by_one_where_a_hypothesis_reads_them() -> None:
    for more, columns in (('unit = "item"\n', 12), ("", 1)):
        design = declare_design(plan_of(hypothesis("H1", more=more)), seed=1, one_by_one=1)
        assert drawing_of(design, 0, 0).columns == columns


def test_simulated_studies_end_as_the_real_analysis_ends() -> None:
    plan = plan_of(MIXED, seeds=4)
    design, cells, raw = studies(plan, "expected", 12)
    endings = play(plan, design.layout, design.rules, cells, draws=4, raw=raw, rates=frozenset({"rate"}), at_most=50)
    for k in range(12):
        inference = infer(Data(plan=plan, cells=frame(design, cells, k)))
        for name, tested in inference.tested.items():
            names = tested.estimand.partition.names
            left = tuple(n for n, is_left in zip(names, endings.targets[name].left_KB[k], strict=True) if is_left)
            assert left == tested.verdict, (k, name)
        for claim in inference.claims:
            assert bool(endings.claims[claim.id][k]) == (claim.decision == "supported"), (k, claim.id)


def frame(design: Design, cells: dict[int, Any], study: int) -> pd.DataFrame:
    """One simulated study as the table of cells that the analysis reads."""
    rows = []
    for block, means in cells.items():
        measure = design.layout.blocks[block].measure
        for r, one in enumerate(design.layout.runs):
            for i, value in enumerate(means[study, r]):
                rows.append(
                    {"run_id": one.label, "model": one.model, "arm": one.arm, "seed": str(one.seed), "item_id": f"i{i}",
                     "measure": measure, "n_scored": 4, "k": round(4 * value) if measure == "rate" else None,
                     "mean": float(value), "n_missing": 0}
                )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seeds", [3, 5, 8])
@pytest.mark.parametrize("test", ["pooled_t", "welch_t"])
def test_a_null_design_errs_at_alpha(seeds: int, test: str) -> None:
    found = run(plan_of(hypothesis(test=test), seeds=seeds), 4000).row("H1", "null")
    assert (found.truth, found.true_band) == (0.0, "opposite")
    if test == "pooled_t":
        close(found.error, 0.05)
        close(found.coverage, 0.90)
    else:  # Welch's t is known to be conservative with equal variances and few units
        assert found.error is not None
        assert found.error.value is not None
        assert 0.03 <= found.error.value <= 0.05 + 4 * (found.error.mc_error or 0)


@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_a_rate_of_binomial_answers_errs_near_alpha(seeds: int) -> None:
    found = run(plan_of(hypothesis(measure="rate"), seeds=seeds), 4000).row("H1", "null")
    assert found.error is not None
    assert found.error.value is not None
    assert abs(found.error.value - 0.05) <= 0.012
    close(found.coverage, 0.90, errors=5)


@pytest.mark.parametrize(("seeds", "effect"), [(3, 1.5), (5, 1.0), (8, 1.0)])
def test_power_is_that_of_the_noncentral_t(seeds: int, effect: float) -> None:
    plan = plan_of(hypothesis(), f"\n[design.expected]\nH1 = {effect}\n", seeds=seeds)
    unit_sd = math.sqrt(1.0 + 1.0 / (12 * 4))
    se = unit_sd * math.sqrt(2 / seeds)
    df = 2 * (seeds - 1)
    expected = stats.nct.sf(stats.t.isf(0.05, df), df, effect / se)
    close(run(plan, 4000).row("H1", "expected").power, float(expected))


@pytest.mark.parametrize("seeds", [5, 12])
def test_power_of_equivalence_is_that_of_tost(seeds: int) -> None:
    bands = '["lower", -1.5, "same", 1.5, "higher"]'
    plan = plan_of(hypothesis(bands=bands, predicted="same"), seeds=seeds)
    expected = tost_power(sesoi=1.5, seed_sd=math.sqrt(1 + 1 / 48), seeds=seeds, alpha=0.05)
    found = run(plan, 4000).row("H1", "expected")
    assert found.truth == 0.0
    close(found.power, expected)


def test_width_is_that_of_the_t_interval() -> None:
    found = run(plan_of(hypothesis()), 4000).row("H1", "null").width
    mean_s = math.sqrt(2 / 8) * math.gamma(4.5) / math.gamma(4)  # E[s] of 8 df, sigma 1
    close(found, 2 * float(stats.t.isf(0.05, 8)) * mean_s * math.sqrt((1 + 1 / 48) * 2 / 5))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    plan = plan_of(MIXED, seeds=3)
    assert run(plan, 200, seed=1).to_bytes() == run(plan, 200, seed=1).to_bytes()
    assert run(plan, 200, seed=1).to_bytes() != run(plan, 200, seed=2).to_bytes()


@settings(max_examples=8)
@given(st.integers(2, 6), st.integers(1, 6), st.sampled_from(["score", "rate"]), st.integers(0, 99))
def test_more_seeds_never_lower_power_beyond_monte_carlo_error(few: int, more: int, measure: str, seed: int) -> None:
    expected = "\n[design.expected]\nH1 = " + ("0.12" if measure == "rate" else "0.9") + "\n"
    powers = [
        run(plan_of(hypothesis(measure=measure), expected, seeds=n), 600, seed=seed).row("H1", "expected").power
        for n in (few, few + more)
    ]
    assert powers[0] is not None
    assert powers[1] is not None
    error = math.hypot(powers[0].mc_error or 0, powers[1].mc_error or 0)
    assert (powers[1].value or 0) >= (powers[0].value or 0) - 4.5 * error


def test_seeds_needed_are_the_fewest_with_the_wanted_power() -> None:
    plan = plan_of(hypothesis(), "\n[design.expected]\nH1 = 1.5\n", seeds=3)
    found = run(plan, 1000, most_seeds=40).seeds_needed

    def power(seeds: int) -> float:
        df, se = 2 * (seeds - 1), math.sqrt((1 + 1 / 48) * 2 / seeds)
        return float(stats.nct.sf(stats.t.isf(0.05, df), df, 1.5 / se))

    exact = next(seeds for seeds in range(2, 40) if power(seeds) >= 0.8)
    assert [(row.id, row.point) for row in found] == [("H1", 0)]
    assert found[0].seeds is not None
    assert abs(found[0].seeds - exact) <= 1


def test_seeds_that_are_not_enough_are_null_with_a_reason() -> None:
    plan = plan_of(hypothesis(), "\n[design.expected]\nH1 = 0.05\n", seeds=3)
    (found,) = run(plan, 200, most_seeds=4).seeds_needed
    assert found.seeds is None
    assert found.reason is not None
    assert "4 seeds" in found.reason


LOOKS = "\n[[look]]\nseeds = 3\n{spend}\n[[look]]\nseeds = 8\n{when}"


def test_looks_that_spend_alpha_keep_it_and_looks_that_do_not_exceed_it() -> None:
    when = 'when = { hypothesis = "H1", undecided = ["opposite", "higher"] }\n'
    kept = run(plan_of(hypothesis(), LOOKS.format(spend='spend = "pocock"', when=when), seeds=8), 6000)
    lost = run(plan_of(hypothesis(), LOOKS.format(spend="", when=when), seeds=8), 6000)
    error, inflated = kept.row("H1", "null").error, lost.row("H1", "null").error
    assert error is not None
    assert inflated is not None
    assert (error.value or 1) <= 0.05 + 4 * (error.mc_error or 0)
    assert (inflated.value or 0) >= 0.05 + 4 * (inflated.mc_error or 1)


@pytest.mark.parametrize("spend", ["", 'spend = "obrien-fleming"'])
def test_each_look_of_a_simulated_study_tests_as_the_real_analysis_does_at_that_look(spend: str) -> None:
    looks = LOOKS.format(spend=spend, when="").replace("seeds = 8", "seeds = 5")
    plan = plan_of(MIXED, looks, seeds=5)
    design, cells, raw = studies(plan, "expected", 6)
    for place, seeds in enumerate((3, 5)):
        endings = play(
            plan,
            design.layout,
            design.rules[: place + 1],
            cells,
            draws=4,
            raw=raw,
            rates=frozenset({"rate"}),
            at_most=50,
        )
        for k in range(6):
            table = frame(design, cells, k)
            inference = infer(Data(plan=plan, cells=table[table["seed"].astype(int) < seeds]))
            for name, tested in inference.tested.items():
                names = tested.estimand.partition.names
                left = tuple(n for n, is_left in zip(names, endings.targets[name].left_KB[k], strict=True) if is_left)
                assert left == tested.verdict, (place, k, name)
            for claim in inference.claims:
                assert bool(endings.claims[claim.id][k]) == (claim.decision == "supported"), (place, k, claim.id)


def test_an_escalation_rule_adds_seeds_only_while_its_bands_are_left() -> None:
    when = 'when = { hypothesis = "H1", undecided = ["opposite", "higher"] }\n'
    plan = plan_of(hypothesis(), LOOKS.format(spend="", when=when), "\n[design.expected]\nH1 = 6.0\n", seeds=8)
    reached = {row.scenario: row.reached.value for row in run(plan, 2000).reached}
    assert reached["null"] == pytest.approx(0.90, abs=0.03)  # 5% excluded on either side at the first look
    assert (reached["expected"] or 0) < 0.05


def test_a_look_is_refused_unless_it_fits_the_grid() -> None:
    for looks in (LOOKS.format(spend="", when=""), "\n[[look]]\nseeds = 5\n[[look]]\nseeds = 3\n"):
        with pytest.raises(BadInput, match="fault"):
            plan_of(hypothesis(), looks, seeds=5)
    bands = 'when = { hypothesis = "H1", undecided = ["sideways"] }\n'
    with pytest.raises(BadInput, match="fault"):
        plan_of(hypothesis(), LOOKS.format(spend="", when=bands), seeds=8)


def test_a_method_without_a_vectorised_form_is_computed_in_fewer_studies_and_says_so() -> None:
    result = run(plan_of(hypothesis(test="permutation"), seeds=4, alpha=0.05), 400)
    found = result.row("H1", "null")
    assert found.error is not None
    assert found.error.n == result.one_by_one == 200
    assert [left.where for left in result.not_simulated if left.code == "fewer-studies"] == ["H1"]
    assert (found.error.value or 0) <= 0.05 + 4 * (found.error.mc_error or 0)


def test_wilson_covers_these_runs_and_not_new_ones() -> None:
    one = hypothesis(measure="rate", contrast="{ eager = 1.0 }", test="wilson", bands='["low", 0.3, "higher"]',
                     more='unit = "answer"\n')  # fmt: skip
    these = run(plan_of(one, seeds=1, population="these"), 200).row("H1", "edge 1").coverage
    new = run(plan_of(one, seeds=1), 200).row("H1", "edge 1").coverage
    assert these is not None
    assert new is not None
    assert (these.value or 0) >= 0.9 - 4 * (these.mc_error or 0)
    assert (new.value or 1) < 0.7


def test_items_as_a_sample_cost_coverage_where_the_test_ignores_them() -> None:
    item_effects = "item_effect_sd = 3.0\n"
    text = HEAD.replace("item_sd   = 0.7", "item_sd   = 0.7\n" + item_effects.strip())
    settings = {"population": "new", "alpha": 0.05, "pairing": 0.0, "answer_sd": 1.0, "seeds": [0, 1, 2, 3, 4]}
    plan = parse_plan((text.format(items="new", **settings) + hypothesis()).encode(), Path("s/plan.toml"))
    found = run(plan).row("H1", "null").coverage
    assert found is not None
    assert (found.value or 1) < 0.75


def test_paired_seeds_make_paired_tests_stronger() -> None:
    expected = "\n[design.expected]\nH1 = 0.8\n"
    powers = [
        run(plan_of(hypothesis(test="paired_t"), expected, pairing=rho)).row("H1", "expected").power
        for rho in (0.0, 0.9)
    ]
    assert powers[0] is not None
    assert powers[1] is not None
    assert (powers[1].value or 0) > (powers[0].value or 0) + 0.2


def test_refused_studies_are_counted_and_are_neither_errors_nor_power() -> None:
    found = run(plan_of(hypothesis(), seeds=1), 200).row("H1", "null")
    assert found.refused is not None
    assert (found.refused.value, found.coverage and found.coverage.value) == (1.0, None)
    assert (found.error and found.error.value, found.power and found.power.value) == (0.0, 0.0)
    assert found.verdicts == []


def test_a_world_holds_every_hypothesis_at_its_value_or_says_why_not() -> None:
    plan = plan_of(
        hypothesis("A", measure="rate", bands='["low", 0.2, "higher"]'),
        hypothesis("B", measure="rate", contrast="{ eager = 1.0, cautious = -1.0 }", bands='["low", 0.3, "higher"]'),
        hypothesis("C", measure="rate", contrast="{ neutral = 1.0, cautious = -1.0 }", bands='["low", 0.3, "higher"]'),
        hypothesis("D", measure="rate", bands='["low", 1.2, "higher"]'),
    )
    design = declare_design(plan, seed=1, one_by_one=1)
    worlds, _ = worlds_at(design, 0, ["edge 1"])
    # A and B fix C at .1, so C at .3 needs a world of its own; no two rates differ by 1.2.
    assert [sorted(world.truth) for world in worlds.worlds] == [["A", "B"], ["C"]]
    assert worlds.impossible == (("edge 1", "D"),)
    level = worlds.worlds[0].level
    assert level[0, "tiny", "eager"] - level[0, "tiny", "neutral"] == pytest.approx(0.2, abs=1e-9)
    assert level[0, "tiny", "eager"] - level[0, "tiny", "cautious"] == pytest.approx(0.3, abs=1e-9)
    assert all(0 < rate < 1 for rate in level.values())
    row = run(plan, 100).row("D", "edge 1")
    assert (row.error, row.reason) == (None, "no rates or means give this value")


def test_the_true_band_at_an_edge_is_the_one_further_from_the_prediction() -> None:
    plan = plan_of(hypothesis("up", bands='["a", -1.0, "b", 1.0, "c"]', predicted="c"),
                   hypothesis("mid", bands='["a", -1.0, "b", 1.0, "c"]', predicted="b"))  # fmt: skip
    up, mid = declare_design(plan, seed=1, one_by_one=1).layout.targets
    assert [true_band(up, value) for value in (-2.0, -1.0, 0.0, 1.0, 2.0)] == ["a", "a", "b", "b", "c"]
    assert [true_band(mid, value) for value in (-1.0, 0.0, 1.0)] == ["a", "b", "c"]


@pytest.mark.parametrize(("rate", "spread"), [(0.12, 0.5), (0.5, 2.0), (0.97, 1.0), (0.01, 0.0)])
def test_a_typical_run_has_the_logit_that_gives_the_mean_rate(rate: float, spread: float) -> None:
    items = item_effects(40, 1.0)
    centre = centre_logit(rate, spread, tuple(items.tolist()))
    drawn = np.random.default_rng(1).normal(0, spread, 200_000)
    found = np.mean([special.expit(centre + drawn + item).mean() for item in items[::4]])
    direct = np.mean([special.expit(centre + drawn + item).mean() for item in items])
    assert direct == pytest.approx(rate, abs=2e-3)
    assert np.isfinite(found)


def test_the_unmodified_model_has_no_seed_to_vary() -> None:
    text = HEAD.format(population="new", items="these", alpha=0.05, pairing=0.0, answer_sd=0.0, seeds=[0, 1])
    plan = parse_plan((text.replace("[grid]", "[grid]\nbaseline = true") + hypothesis()).encode(), Path("s/plan.toml"))
    design = declare_design(plan, seed=1, one_by_one=1)
    worlds, _ = worlds_at(design, 0, ["null"])
    cells = _draw_all(design, worlds.worlds[0], (1, 0, 0, 0), point=0, simulations=50)[0]
    is_base = [one.seed is None for one in design.layout.runs]
    means = cells.mean(axis=2)
    assert np.ptp(means[:, is_base]) < 1e-12
    assert np.ptp(means[:, [not base for base in is_base]]) > 1


@settings(max_examples=60)
@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=6))
def test_corrections_of_many_families_equal_those_of_one(p: list[float]) -> None:
    named = {str(i): value for i, value in enumerate(p)}
    for many, one in ((holm_adjusted, holm), (bh_adjusted, bh)):
        expected = [adjusted.p_adjusted for adjusted in one(named, alpha=0.05).values()]
        assert many(np.array([p]))[0] == pytest.approx(expected, rel=1e-9)


def test_nonsense_is_refused() -> None:
    plan = plan_of(hypothesis())
    for simulations in (0, 10, -5, 10_000_000):
        with pytest.raises(BadInput, match="simulated studies"):
            run(plan, simulations)
    with pytest.raises(BadInput, match="seed"):
        run(plan, 200, seed=-1)
    text = HEAD.format(population="new", items="these", alpha=0.05, pairing=0.0, answer_sd=0.0, seeds=[0, 1])
    for wrong, right in (("base    = 0.3", "base    = 1.3"), ('kind = "numeric"', 'kind = "numerik"')):
        measure = "rate" if "base" in wrong else "score"
        broken = parse_plan((text.replace(wrong, right) + hypothesis(measure=measure)).encode(), Path("s/plan.toml"))
        with pytest.raises(BadInput):
            run(broken, 200)


def test_units_that_cannot_be_drawn_are_named_with_the_remedy() -> None:
    plan = plan_of(hypothesis("H1"), hypothesis("H2", more='unit = "persona"\n', contrast="{ eager = 1.0 }"))
    found = run(plan, 100).row("H2", "expected")
    assert found.error is None
    assert found.reason is not None
    assert "[design]  units = { persona = 20 }" in found.reason
    with pytest.raises(BadInput, match="nothing in the plan"):
        run(plan_of(hypothesis("H2", more='unit = "persona"\n', contrast="{ eager = 1.0 }")), 100)


def test_every_rate_has_a_monte_carlo_error_above_zero() -> None:
    result = run(plan_of(MIXED, seeds=4), 200)
    for row in result.rows:
        for measured in (row.error, row.power, row.coverage, row.refused):
            assert measured is not None
            assert measured.mc_error is not None
            assert measured.mc_error > 0
        assert row.refused is not None
        ended = sum(v.probability.value or 0 for v in row.verdicts) + (row.refused.value or 0)
        assert ended == pytest.approx(1.0)


def test_answers_of_one_draw_have_the_same_rate_as_of_many() -> None:
    design = declare_design(plan_of(hypothesis(measure="rate")), seed=1, one_by_one=1)
    variation = design.assumed.variation["rate"]
    level = np.full(len(design.layout.runs), 0.3)
    for draws in (1, 10):
        drawing = Drawing(variation=variation, seed_sd=0.5, n_items=40, draws=draws, new_items=False, pairing=0.0)
        rngs = np.random.default_rng(1), np.random.default_rng(2)
        cells = draw_cells(drawing, design.layout.runs, level, *rngs, simulations=2000)
        assert cells.shape == (2000, 15, 40)
        assert cells.mean() == pytest.approx(0.3, abs=0.003)


def test_the_lock_records_the_simulation_and_refuses_one_of_another_plan(study: StudyFixture) -> None:
    study.run("simulate", "--simulations", "100")
    file = study.paths.locks / "simulation.json"
    assert json.loads(file.read_bytes())["study"] == "spread"
    assert (study.paths.locks / "design.svg").read_text("utf-8").startswith("<svg")
    plan = study.paths.plan.read_text("utf-8")
    study.write_plan(plan.replace("alpha = 0.025", "alpha = 0.05"))
    assert "another plan" in study.run("lock", ok=2)
    study.write_plan(plan)
    study.run("lock")
    from seedlock.prereg.base.canonical import sha256_file
    from seedlock.prereg.lock.document import lock_paths, read_lock

    assert read_lock(lock_paths(study.paths)[-1]).design.simulation_sha256 == sha256_file(file)


def test_a_locked_studys_simulation_stays_as_it_was_and_an_amended_one_is_simulated_anew(
    study: StudyFixture, tmp_path: Path
) -> None:
    study.run("simulate", "--simulations", "100")
    study.run("lock")
    locked = (study.paths.locks / "simulation.json").read_bytes()
    assert "is locked: its simulation stays as it was" in study.run("simulate", "--simulations", "100", ok=5)
    study.run("simulate", "--simulations", "100", "--seed", "2", "--to", str(tmp_path / "again.json"))
    assert json.loads((tmp_path / "again.json").read_bytes())["seed"] == 2
    assert (study.paths.locks / "simulation.json").read_bytes() == locked
    assert "ok    P3" in study.run("verify")
    study.write_plan(study.paths.plan.read_text("utf-8").replace("alpha = 0.025", "alpha = 0.05"))
    study.run("simulate", "--simulations", "100")
    study.run("amend", "--reason", "design-change", "--note", "A level of 0.05.")
    assert "ok    P3" in study.run("verify")


def test_items_are_counted_in_the_studys_own_files(study: StudyFixture) -> None:
    study.write_plan(study.paths.plan.read_text("utf-8") + '\n[items]\nasked = "asked.jsonl"\n')
    rows = [{"item_id": f"q{i}", "role": "x" if i % 2 else "y"} for i in range(14)]
    (study.paths.study / "asked.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    text = study.paths.plan.read_text("utf-8").replace('measure   = "marker"', 'measure   = "marker"\nitems = "asked"')
    study.write_plan(text)
    study.run("simulate", "--simulations", "100")
    assumed = json.loads((study.paths.locks / "simulation.json").read_bytes())["assumed"]
    assert {"what": "items of asked", "value": 14, "source": "item files"} in assumed


def test_the_picture_says_what_is_replicated() -> None:
    figure = design_picture(plan_of(MIXED))
    assert "unit: seed, 5 v 5: H1, H2, H3, H5; unit: seed, 5: H4" in figure.alt
    assert "12 items x 4 answers" in figure.svg


def test_the_coverage_page_is_what_the_generator_writes_and_the_defaults_keep_their_level() -> None:
    from docs.make_coverage import LEVEL, PAGE, STUDIES, coverages, page

    found = list(coverages(STUDIES))
    easy, _ = PAGE.read_text(encoding="utf-8").split("# Hard cases\n")
    assert easy == page(found), "run: .venv/bin/python -m docs.make_coverage"
    error = math.sqrt(LEVEL * (1 - LEVEL) / STUDIES)
    pooled, welch = (row.share for row in found if row.is_default)
    assert all(abs(share - LEVEL) <= 3 * error for share in pooled.values())
    assert all(LEVEL - 3 * error <= share <= LEVEL + 0.02 for share in welch.values())
    assert all(max(row.share.values()) < 0.6 for row in found[:2])


def test_every_study_of_the_project_can_be_declared() -> None:
    from seedlock.prereg.plan.read import read_plan

    for path in sorted((PROJECT / "prereg" / "studies").glob("*/plan.toml")):
        assert declare_design(read_plan(path), seed=1, one_by_one=1).layout.targets
