"""Before the lock: tests that ignore what seeds share, unequal spreads, rates near an end, plans that cannot run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate
from seedlock.analysis.estimators.logit_t import logit_t
from seedlock.analysis.estimators.one_sample_t import one_sample_t
from seedlock.analysis.inference.scale_error import with_scale_error
from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.prereg.errors import NotThisDesign, TooFewUnits
from seedlock.prereg.plan.lint import Lint
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN, StudyFixture, completions
from tests.sample_builders import level, sample

TRAINED = PLAN.replace(
    "[arms]\nplain   = {}\ncoupled = {}\n",
    '[corpora.rows]\nrecipe = "chats"\nfile = "rows.jsonl"\n\n[stages.tune]\ntrainer = "lora"\ncorpus = "rows"\n\n'
    '[arms]\nplain   = { stages = ["tune"], framing = "plain" }\n'
    'coupled = { stages = ["tune"], framing = "coupled" }\n',
)
METHOD_LINTS = {"unpaired", "paired", "seeds-share", "unequal-spread", "rate-near-an-end", "items-held", "cannot-run"}


def lints(text: str, *changes: tuple[str, str]) -> dict[str, Lint]:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    found = design_lints(parse_plan(text.encode(), Path("prereg/studies/s/plan.toml")))
    return {lint.code: lint for lint in found if lint.code in METHOD_LINTS}


def test_arms_that_share_a_seed_are_not_taken_as_strangers_without_a_reason() -> None:
    found = lints(TRAINED)
    assert (found["unpaired"].severity, found["unpaired"].remedy) == ("refuse", 'test = "paired_t"')
    assert "share initialisation and order" in found["unpaired"].says
    assert set(lints(TRAINED, ('"pooled_t"', '"paired_t"'))) == set()
    reasoned = lints(TRAINED + '\n[acknowledge]\nunpaired = "Four seeds."\n')
    assert reasoned["unpaired"].acknowledged == "Four seeds."


def test_arms_trained_in_stages_of_different_names_share_nothing() -> None:
    apart = TRAINED.replace(
        "[stages.tune]", '[stages.other]\ntrainer = "lora"\ncorpus = "rows"\n\n[stages.tune]'
    ).replace('coupled = { stages = ["tune"]', 'coupled = { stages = ["other"]')
    assert set(lints(apart)) == set()
    assert lints(apart, ('"pooled_t"', '"paired_t"'))["paired"].severity == "warn"


def test_of_runs_made_elsewhere_the_plan_says_what_seeds_share() -> None:
    assert lints(PLAN)["seeds-share"].severity == "note"
    said = ("seeds  = [0, 1, 2, 3]", 'seeds  = [0, 1, 2, 3]\nseeds_share = "{}"')
    assert set(lints(PLAN, (said[0], said[1].format("nothing")))) == set()
    assert "unpaired" in lints(PLAN, (said[0], said[1].format("initialisation and order")))


def test_levels_answered_by_the_same_runs_are_paired_by_run() -> None:
    personas = PLAN.replace(
        "contrast  = { coupled = 1.0, plain = -1.0 }", 'over = "persona"\ncontrast = { a = 1.0, b = -1.0 }'
    )
    found = lints(personas, ("where", "where")) if "where" in personas else lints(personas)
    assert "share the runs themselves" in found["unpaired"].says


def test_one_variance_is_refused_where_levels_differ_in_size_or_the_plan_gives_each_its_own() -> None:
    found = lints(PLAN + '\n[bayes]\nrun_sd = "by level"\n')["unequal-spread"]
    assert found.severity == "refuse"
    assert found.remedy == 'test = "welch_t"'
    uneven = PLAN.replace(
        'models = ["tiny"]\nseeds  = [0, 1, 2, 3]',
        'models = ["tiny", "big"]\nseeds = { tiny = [0, 1, 2], big = [0, 1, 2, 3, 4] }',
    )
    uneven = uneven.replace(
        "[models.tiny]", '[models.big]\nbase = "organism:qwen"\nrevision = "sha256:0"\n\n[models.tiny]'
    )
    over_models = (
        "contrast  = { coupled = 1.0, plain = -1.0 }",
        'over = "model"\ncontrast = { tiny = 1.0, big = -1.0 }',
    )
    assert "tiny: 3 seeds, big: 5 seeds" in lints(uneven, over_models)["unequal-spread"].says
    assert "unequal-spread" not in lints(uneven, over_models, ('"pooled_t"', '"welch_t"'))


def test_rates_near_an_end_ask_for_the_test_that_respects_it() -> None:
    low = PLAN + "\n[design.measures.marker]\nbase = 0.03\n"
    assert lints(low)["rate-near-an-end"].remedy == 'test = "logit_t"'
    assert "rate-near-an-end" not in lints(low, ("base = 0.03", "base = 0.3"))
    assert "rate-near-an-end" not in lints(low, ('"pooled_t"', '"logit_t"'))


@pytest.mark.parametrize(
    "test", ["cr2", "crossed", "permutation", "wild_cluster", "brunner_munzel", "logit_t", "welch_t"]
)
def test_tests_that_take_one_spread_or_strangers_are_held_to_it_whatever_their_kind(test: str) -> None:
    named = ('"pooled_t"', f'"{test}"')
    own = PLAN + '\n[bayes]\nrun_sd = "by level"\n'
    assert "unpaired" in lints(TRAINED, named)
    assert ("unequal-spread" in lints(own, named)) == (test in {"cr2", "crossed", "permutation"})


def test_a_plan_that_speaks_of_new_items_is_told_of_a_test_that_holds_them() -> None:
    new = ('items = "these"', 'items = "new"')
    assert "crossed" in lints(PLAN, new)["items-held"].remedy
    assert "items-held" not in lints(PLAN, new, ('"pooled_t"', '"crossed"'))
    assert "items-held" not in lints(PLAN)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"pooled_t"', '"one_sample_t"'), "answers about one level"),
        (('"pooled_t"', '"wilson"'), "rate of one level"),
        (('"pooled_t"', '"clustered_t"'), "one run per level (level 'coupled': found 4 runs"),
        (('"pooled_t"', '"welch_t"\nfallback = "wilson"'), "wilson could not run"),
    ],
)
def test_what_passes_the_check_can_run(change: tuple[str, str], says: str) -> None:
    found = lints(PLAN, change)["cannot-run"]
    assert found.severity == "refuse"
    assert says.replace("found ", "") in found.says.replace("found ", "")


ONE_RUN = (
    PLAN.replace('seeds = "new"\nitems = "these"', 'seeds = "these"\nitems = "new"')
    .replace("seeds  = [0, 1, 2, 3]", "seeds  = [0]")
    .replace('test      = "pooled_t"', 'unit      = "item"\ntest      = "clustered_t"')
)


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from seedlock.prereg.base.paths import StudyPaths

    study = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("one"), name="spread"))
    study.write_plan(ONE_RUN)
    study.run("lock")
    study.run("import", str(study.bring_data(completions(plain=(3,), coupled=(9,)))))
    study.run("analyze")
    return json.loads((study.paths.report / "results.json").read_text())["hypotheses"][0]


def test_a_study_of_one_run_an_arm_has_a_plan_that_locks_and_runs(one_run: Any) -> None:
    """Items 0 to 7 twice: the first 9 answers hit in one arm, 3 in the other; paired by item, by scipy."""
    first = np.bincount(np.arange(9) % 8, minlength=8) / 2
    second = np.bincount(np.arange(3) % 8, minlength=8) / 2
    other = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert one_run["ci"] == pytest.approx([other.low, other.high])
    assert one_run["assumes"] == "conditional on these runs; items are the sample"
    assert (one_run["n_units"], one_run["unit"]) == (8, "item")


def test_a_claim_about_seeds_from_one_run_is_still_refused() -> None:
    text = ONE_RUN.replace('unit      = "item"', 'unit      = "seed"')
    found = design_lints(parse_plan(text.encode(), Path("prereg/studies/s/plan.toml")))
    assert [lint.severity for lint in found if lint.code == "one-seed"] == ["refuse"]


def test_where_one_side_has_no_spread_the_planned_fallback_decides_and_says_so(study: StudyFixture) -> None:
    study.write_plan(PLAN.replace('"pooled_t"', '"welch_t"\nfallback  = "pooled_t"'))
    study.run("lock")
    study.run("import", str(study.bring_data(completions(plain=(0, 0, 0, 0)))))
    study.run("analyze")
    h = json.loads((study.paths.report / "results.json").read_text())["hypotheses"][0]
    assert h["reasons"][0].startswith("fallback-test: pooled_t decides, as planned, for welch_t refused; no-spread")
    rates = np.array([7, 9, 8, 10]) / 16
    half = stats.t.isf(0.025, 3) * rates.std(ddof=1) * math.sqrt(1 / 4 + 1 / 4)
    assert h["ci"] == pytest.approx([rates.mean() - half, rates.mean() + half])


def in_sds(values: list[float], *edges: float, confidence: float = 0.95) -> Estimate:
    sd = float(np.std(values, ddof=1))
    raw = one_sample_t(sample(level("a", values)), level=confidence, edges=tuple(edge * sd for edge in edges))
    return with_scale_error(raw, sd=sd, sd_df=len(values) - 1)


def test_an_sd_from_the_same_data_widens_the_interval_to_about_that_of_the_noncentral_t() -> None:
    values = [0.9, 1.4, 2.2, 1.1, 1.9, 1.6]
    sd = float(np.std(values, ddof=1))
    t, root = np.mean(values) / sd * math.sqrt(6), math.sqrt(6)
    limits = [float(special.nctdtrinc(5, p, t)) / root for p in (0.975, 0.025)]
    found = in_sds(values)
    plain = one_sample_t(sample(level("a", values)), level=0.95, edges=())
    assert (found.ci_low / sd, found.ci_high / sd) == pytest.approx(limits, rel=0.08)
    assert found.ci_high - found.ci_low > 1.3 * (plain.ci_high - plain.ci_low)
    assert "error of the SD included (5 df)" in found.ci_method


def test_a_null_effect_in_estimated_sds_keeps_its_error_at_an_edge_of_half_an_sd() -> None:
    """True mean .5 SD, five values: .042 to .157 of the tests that take the SD as fixed, at a nominal .025, reject."""
    rng = np.random.default_rng(5)
    found = [in_sds(row.tolist(), 0.5).edges[0] for row in rng.normal(0.5, 1, size=(500, 5))]
    error = 4 * math.sqrt(0.025 * 0.975 / 500)
    assert np.mean([test.p_above <= 0.025 for test in found]) < 0.025 + error
    assert np.mean([test.p_below <= 0.025 for test in found]) < 0.025 + error


@settings(max_examples=25)
@given(
    st.lists(st.integers(-40, 40), min_size=4, max_size=8).filter(lambda x: len(set(x)) > 2),
    st.integers(-30, 30).map(lambda e: e / 7),
)
def test_an_edge_in_sds_is_rejected_exactly_when_the_interval_excludes_it(values: list[int], edge: float) -> None:
    try:
        found = in_sds([value / 10 for value in values], edge, confidence=0.9)
    except TooFewUnits:
        return
    (test,) = found.edges
    if abs(found.ci_low - test.edge) > 1e-6:
        assert (test.p_above < 0.05) == (found.ci_low > test.edge)
    if abs(found.ci_high - test.edge) > 1e-6:
        assert (test.p_below < 0.05) == (found.ci_high < test.edge)


def test_a_method_without_a_standard_error_cannot_be_judged_in_estimated_sds() -> None:
    rates = sample(level("a", [0.1, 0.3, 0.2]), is_proportion=True)
    with pytest.raises(NotThisDesign, match="error of an estimated SD"):
        with_scale_error(logit_t(rates, level=0.95, edges=()), sd=0.1, sd_df=2)
    bare = Estimate(
        estimate=1.0, ci_low=0.5, ci_high=1.5, ci_level=0.95, ci_method="t", n_units=3, se=0.2, df=2.0,
        edges=(EdgeTest(edge=0.0, p_above=0.1, p_below=0.9),),
    )  # fmt: skip
    with pytest.raises(TooFewUnits):
        with_scale_error(bare, sd=0.1, sd_df=0.5)
