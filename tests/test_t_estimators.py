"""The t methods over units: against hand calculation, scipy and statsmodels, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.estimator import Method
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.one_sample_t import one_sample_t
from seedlock.analysis.estimators.paired_t import paired_t
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.estimators.welch_t import welch_t
from seedlock.prereg.errors import BadInput, EmptyCell, NoSpread, NotFinite, NotPaired, NotThisDesign, TooFewUnits
from tests.sample_builders import level, sample, seeds_with_spread, two_arms, values

T_METHODS = [pooled_t, welch_t, paired_t]
BIRDS = [50, 72, 81, 59, 92, 64, 75, 40, 69, 79, 87, 72, 67, 84, 87, 70, 68, 75, 74, 73, 64, 75, 78]


def test_pooled_t_by_hand() -> None:
    # Means 4 and 1, sums of squares 2 and 2, MSE 4/4 = 1, SE sqrt(1 * (1/3 + 1/3)), t(4, .975) = 2.776445.
    found = pooled_t(two_arms([3, 4, 5], [0, 1, 2]), level=0.95, edges=(0.0,))
    assert found.estimate == 3
    assert found.df == 4
    assert found.unit_sd == 1
    assert found.se == pytest.approx(math.sqrt(2 / 3))
    assert found.ci_low == pytest.approx(3 - 2.776445 * math.sqrt(2 / 3), abs=1e-6)
    assert found.n_units == 6
    assert found.prediction is None


def test_welch_t_by_hand() -> None:
    # Variances 1 and 4: SE^2 = 1/3 + 4/3; df = (5/3)^2 / ((1/9 + 16/9) / 2) = 50/17.
    found = welch_t(two_arms([3, 4, 5], [0, 2, 4]), level=0.95, edges=())
    assert found.se == pytest.approx(math.sqrt(5 / 3))
    assert found.df == pytest.approx(50 / 17)


def test_paired_t_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, SD 1, SE 1/sqrt(3); a new pair: SD sqrt(1 + 1/3), t(2, .975) = 4.302653.
    found = paired_t(two_arms([1, 4, 9], [0, 2, 6]), level=0.95, edges=())
    assert found.estimate == 2
    assert found.unit_sd == pytest.approx(1)
    assert found.se == pytest.approx(1 / math.sqrt(3))
    assert found.prediction is not None
    assert found.prediction[1] == pytest.approx(2 + 4.302653 * math.sqrt(4 / 3), abs=1e-5)
    assert found.n_units == 3


@given(seeds_with_spread(), seeds_with_spread(), st.floats(-5, 5))
def test_two_arms_agree_with_scipy(treated: list[float], control: list[float], edge: float) -> None:
    shifted = np.asarray(treated) - edge
    for method, equal_var in ((pooled_t, True), (welch_t, False)):
        found = method(two_arms(treated, control), level=0.9, edges=(edge,))
        other = stats.ttest_ind(treated, control, equal_var=equal_var).confidence_interval(0.9)
        assert (found.ci_low, found.ci_high) == pytest.approx((other.low, other.high), rel=1e-9, abs=1e-9)
        above = stats.ttest_ind(shifted, control, equal_var=equal_var, alternative="greater").pvalue
        assert found.edges[0].p_above == pytest.approx(above, rel=1e-8, abs=1e-12)
        assert found.edges[0].p_above + found.edges[0].p_below == pytest.approx(1)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=9))
def test_paired_t_agrees_with_scipy(pairs: list[tuple[int, int]]) -> None:
    treated, control = [p[0] / 10 for p in pairs], [p[1] / 10 for p in pairs]
    if len({p[0] - p[1] for p in pairs}) == 1:
        with pytest.raises(NoSpread):
            paired_t(two_arms(treated, control), level=0.95, edges=())
        return
    found = paired_t(two_arms(treated, control), level=0.95, edges=(0.0,))
    other = stats.ttest_rel(treated, control)
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(other.confidence_interval(0.95)), rel=1e-8, abs=1e-9)
    assert 2 * min(found.edges[0].p_above, found.edges[0].p_below) == pytest.approx(other.pvalue, rel=1e-7)


def test_a_contrast_over_four_levels_agrees_with_regression_by_statsmodels() -> None:
    rng = np.random.default_rng(3)
    sizes, weights = (3, 5, 4, 6), (1.0, -0.5, -0.5, 0.0)
    groups = [rng.normal(i, 1, size) for i, size in enumerate(sizes)]
    arm = np.repeat(np.arange(4), sizes)
    fit = sm.OLS(np.concatenate(groups), np.eye(4)[arm]).fit().t_test(np.array(weights))
    levels = [level(f"arm{i}", list(g), weight=w) for i, (g, w) in enumerate(zip(groups, weights, strict=True))]
    found = pooled_t(sample(*levels), level=0.95, edges=(0.0,))
    assert found.se == pytest.approx(fit.sd.item())
    assert found.df == fit.df_denom == sum(sizes) - 4
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(fit.conf_int()[0]))
    assert 2 * min(found.edges[0].p_above, found.edges[0].p_below) == pytest.approx(fit.pvalue.item())


def test_the_bird_seeds_give_the_published_spread_and_the_next_seed() -> None:
    found = one_sample_t(
        sample(level("gpt-4.1-mini", [b / 100 for b in BIRDS]), is_proportion=True), level=0.95, edges=()
    )
    assert found.unit_sd == pytest.approx(0.118, abs=5e-4)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.669, 0.770), abs=1e-3)
    assert found.prediction == pytest.approx((0.470, 0.969), abs=1e-3)


def test_five_cells_of_the_marker_study_are_seven_times_less_certain_than_pooled_wald() -> None:
    cells = [k / 3080 for k in (385, 458, 214, 336, 405)]
    em_first = [0.457, 0.486, 0.501, 0.537, 0.520]
    alone = one_sample_t(sample(level("benign", cells), unit="induction", is_proportion=True), level=0.95, edges=())
    assert (alone.ci_low, alone.ci_high) == pytest.approx((0.080, 0.154), abs=5e-4)
    names = ["assistant", "paramedic", "kindergarten_teacher", "french_person", "villain"]
    contrast = sample(level("em", em_first, labels=names), level("benign", cells, weight=-1, labels=names))
    paired = paired_t(contrast, level=0.95, edges=(0.0,))
    assert (paired.estimate, paired.ci_low, paired.ci_high) == pytest.approx((0.383, 0.324, 0.444), abs=2e-3)


@given(seeds_with_spread(), seeds_with_spread(), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]), st.floats(-20, 20))
def test_an_edge_is_rejected_exactly_when_the_interval_excludes_it(
    treated: list[float], control: list[float], confidence: float, edge: float
) -> None:
    for method in (pooled_t, welch_t):
        found = method(two_arms(treated, control), level=confidence, edges=(edge,))
        for limit, p in ((found.ci_low, found.edges[0].p_above), (found.ci_high, found.edges[0].p_below)):
            if abs(limit - edge) > 1e-9:
                outside = limit > edge if limit == found.ci_low else limit < edge
                assert (p < (1 - confidence) / 2) == outside


@given(seeds_with_spread(), seeds_with_spread(), st.randoms(use_true_random=False))
def test_the_order_of_seeds_changes_no_bit(treated: list[float], control: list[float], shuffler: Random) -> None:
    original = two_arms(treated, control)
    levels = []
    for lv in original.levels:
        items = list(lv.unit_means.items())
        shuffler.shuffle(items)
        levels.append(replace(lv, unit_means=dict(items)))
    for method in (pooled_t, welch_t):
        assert method(replace(original, levels=tuple(levels)), level=0.95, edges=(0.0,)) == method(
            original, level=0.95, edges=(0.0,)
        )


@given(st.lists(st.integers(0, 20), min_size=3, max_size=6).filter(lambda ks: len(set(ks)) > 1), st.integers(1, 50))
def test_more_completions_of_the_same_seeds_never_narrow_the_interval(ks: list[int], times: int) -> None:
    def width(per_seed: int) -> float:
        k, n = sum(ks) * per_seed, 20 * len(ks) * per_seed
        arm = level("arm", [k_ / 20 for k_ in ks], k=k, n=n)
        found = one_sample_t(sample(arm, is_proportion=True), level=0.95, edges=())
        return found.ci_high - found.ci_low

    assert width(times) == width(1)


@pytest.mark.parametrize("method", T_METHODS)
def test_a_seed_that_stands_alone_is_refused(method: Method) -> None:
    with pytest.raises(TooFewUnits, match="fewer than 2 seeds"):
        method(two_arms([0.4], [0.1]), level=0.95, edges=())


def test_every_level_with_too_few_seeds_is_named() -> None:
    with pytest.raises(TooFewUnits) as refusal:
        pooled_t(two_arms([0.4], [0.1]), level=0.95, edges=())
    assert [f.where for f in refusal.value.findings] == ["level 'treated'", "level 'control'"]


@pytest.mark.parametrize("method", T_METHODS)
@pytest.mark.parametrize(
    ("treated", "control"),
    [
        ([0.3] * 3, [0.1] * 3),
        ([0.1 + 0.2, 0.3, 0.15 * 2], [0.1] * 3),
        ([0.0] * 3, [0.0] * 3),
        ([1e-200, 2e-200], [1e-200, 1e-200]),
    ],
)
def test_seeds_that_do_not_differ_beyond_rounding_are_refused(
    method: Method, treated: list[float], control: list[float]
) -> None:
    with pytest.raises(NoSpread):
        method(two_arms(treated, control), level=0.95, edges=(0.0,))


def test_paired_seeds_whose_difference_is_rounding_error_are_refused() -> None:
    with pytest.raises(NoSpread):
        paired_t(two_arms([0.3, 0.8, 0.7], [0.1, 0.6, 0.5]), level=0.95, edges=())


@pytest.mark.parametrize("method", T_METHODS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e200])
def test_a_value_that_is_no_usable_number_is_refused_and_located(method: Method, bad: float) -> None:
    with pytest.raises(NotFinite) as refusal:
        method(two_arms([0.4, bad], [0.1, 0.2]), level=0.95, edges=())
    assert refusal.value.findings[0].where == "level 'treated', unit '01'"


def test_unmatched_seeds_are_listed() -> None:
    contrast = sample(
        level("eager", [1, 2, 3], labels=["s0", "s1", "s2"]),
        level("cautious", [1, 2, 3], labels=["s1", "s2", "s3"], weight=-1),
    )
    with pytest.raises(NotPaired) as refusal:
        paired_t(contrast, level=0.95, edges=())
    assert [(f.where, f.found) for f in refusal.value.findings] == [
        ("seed 's0'", "only in eager"),
        ("seed 's3'", "only in cautious"),
    ]


def test_one_sample_t_refuses_two_levels() -> None:
    with pytest.raises(NotThisDesign, match="treated, control"):
        one_sample_t(two_arms([1, 2], [3, 4]), level=0.95, edges=())


def test_an_empty_level_cannot_be_made() -> None:
    with pytest.raises(EmptyCell):
        level("nothing", [])


@pytest.mark.parametrize(
    ("bad", "confidence"),
    [
        (sample(level("a", [1, 2], weight=0)), 0.95),
        (sample(level("a", [0.2, 1.2]), is_proportion=True), 0.95),
        (sample(level("a", [1, 2])), 1.0),
        (sample(level("a", [1, 2])), 95.0),
    ],
)
def test_a_question_that_makes_no_sense_is_bad_input(bad: Sample, confidence: float) -> None:
    with pytest.raises(BadInput):
        pooled_t(bad, level=confidence, edges=())


def test_a_level_without_spread_takes_it_from_the_others_when_pooled_and_is_refused_by_welch() -> None:
    contrast = two_arms([0.2, 0.4, 0.6], [0.0, 0.0, 0.0])
    found = pooled_t(contrast, level=0.95, edges=())
    # SD .2 and 2 df, both from the one arm that has any: SE .2 sqrt(1/3 + 1/3).
    assert (found.df, found.unit_sd, found.se) == pytest.approx((2, 0.2, 0.2 * math.sqrt(2 / 3)))
    assert found.ci_method == "t on seed means, pooled variance (control: no spread, taken from the others), 2 df"
    with pytest.raises(NoSpread, match="no evidence of precision") as refusal:
        welch_t(contrast, level=0.95, edges=())
    assert [f.where for f in refusal.value.findings] == ["level 'control'"]


@given(seeds_with_spread(), st.integers(2, 9), values)
def test_units_that_do_not_differ_never_narrow_an_interval(treated: list[float], n: int, at: float) -> None:
    """7 of 26 against 0 of 6 is no more certain than the 26 are among themselves."""
    found = pooled_t(two_arms(treated, [at] * n), level=0.95, edges=())
    alone = one_sample_t(sample(level("treated", treated)), level=0.95, edges=())
    assert found.ci_high - found.ci_low > alone.ci_high - alone.ci_low


def test_seven_of_26_prompts_against_none_of_6_is_no_finding() -> None:
    contrast = two_arms([1.0] * 7 + [0.0] * 19, [0.0] * 6)
    with pytest.raises(NoSpread):
        welch_t(contrast, level=0.95, edges=(0.0,))
    # SS 26 p (1 - p) over 25, SE sqrt(. (1/26 + 1/6)), t with 25 df.
    p = 7 / 26
    se = math.sqrt(26 * p * (1 - p) / 25 * (1 / 26 + 1 / 6))
    found = pooled_t(contrast, level=0.95, edges=(0.0,)).edges[0].p_above
    assert found == pytest.approx(stats.t.sf(p / se, 25))
    assert found > 0.09


def test_a_rate_interval_is_cut_at_the_end_of_the_scale_and_says_so() -> None:
    found = one_sample_t(sample(level("a", [0.0, 0.02, 0.1]), is_proportion=True), level=0.95, edges=(0.05,))
    assert found.ci_low == 0
    assert found.ci_method == "t on seed means, 2 df, cut at the end of the scale"


def test_a_p_value_is_never_zero() -> None:
    many = [1 + (i % 2) * 1e-9 for i in range(400)]
    found = one_sample_t(sample(level("a", many)), level=0.95, edges=(0.0,))
    assert 0 < found.edges[0].p_above < 1e-300


def test_estimators_are_named_for_their_files() -> None:
    for name, estimator in ESTIMATORS.items():
        method = estimator.run
        assert method.__module__ == f"seedlock.analysis.estimators.{name}"
        assert getattr(method, "__name__", "") == name


def _covers(found: Estimate, truth: float) -> bool:
    return found.ci_low <= truth <= found.ci_high


@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_the_pooled_interval_covers_at_its_level_for_a_few_seeds(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    draws = rng.normal(0, 1, size=(1500, 2, seeds))
    covered = [_covers(pooled_t(two_arms(list(a), list(b)), level=0.95, edges=()), 0.0) for a, b in draws]
    # Four standard errors of a simulated proportion at .95 are .0225.
    assert abs(np.mean(covered) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 1500)
