"""Binomial and clustered intervals: published values, exact inversion, and the ends of the scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.clopper_pearson import clopper_pearson
from seedlock.analysis.estimators.clustered_t import clustered_t
from seedlock.analysis.estimators.internals.estimator import Method
from seedlock.analysis.estimators.internals.icc import cluster_summary
from seedlock.analysis.estimators.internals.overdispersion import between_unit_sd, sd_interval
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.jeffreys import jeffreys
from seedlock.analysis.estimators.wilson import wilson
from seedlock.prereg.errors import EmptyCell, NoSpread, NotCounts, NotFinite, NotPaired, NotThisDesign, TooFewUnits
from tests.sample_builders import count, level, sample, two_arms

DATA = Path(__file__).parents[2] / "shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="other people's published completions are not beside us")
BINOMIAL = [wilson, jeffreys, clopper_pearson]


@st.composite
def k_of_n(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 400))
    return draw(st.integers(0, n)), n


def items(k_I: list[int], n_I: list[int], *, name: str = "only", weight: float = 1.0) -> Level:
    labels = [f"q{i:02d}" for i in range(len(k_I))]
    return Level(
        name=name,
        weight=weight,
        unit_means={"run": sum(k_I) / max(1, sum(n_I))},
        k=sum(k_I),
        n=sum(n_I),
        cluster_k=dict(zip(labels, k_I, strict=True)),
        cluster_n=dict(zip(labels, n_I, strict=True)),
    )


def one_run(*levels: Level) -> Sample:
    return Sample(levels=levels, unit="run", is_proportion=True)


def test_wilson_by_hand() -> None:
    # 1 of 2 at z = 2: centre 1/2, half-width z sqrt(p(1-p)/n + z^2 / (4 n^2)) / (1 + z^2/n).
    confidence = 2 * stats.norm.cdf(2) - 1
    found = wilson(count(1, 2), level=confidence, edges=())
    half = math.sqrt(0.25 * 4 / 2 + 16 / (4 * 4)) / (1 + 4 / 2)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.5 - half, 0.5 + half))


def test_a_judge_with_67_of_94_is_inconclusive_about_70_percent() -> None:
    found = wilson(count(67, 94), level=0.95, edges=(0.7,))
    assert (found.ci_low, found.ci_high) == pytest.approx((0.614, 0.794), abs=5e-4)
    assert min(found.edges[0].p_above, found.edges[0].p_below) > 0.3
    assert found.assumes == "conditional on these runs; answers counted as independent"


@pytest.mark.parametrize(
    ("method", "expected"),
    # Newcombe (1998), https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I.
    [
        (wilson, {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (1, 29): (0.0061, 0.1718)}),
        (clopper_pearson, {(81, 263): (0.2527, 0.3676), (15, 148): (0.0578, 0.1617), (0, 20): (0.0, 0.1684)}),
    ],
)
def test_single_proportions_match_newcombes_table(
    method: Method, expected: dict[tuple[int, int], tuple[float, float]]
) -> None:
    for (k, n), interval in expected.items():
        found = method(count(k, n), level=0.95, edges=())
        assert (found.ci_low, found.ci_high) == pytest.approx(interval, abs=5.1e-5)


@given(k_of_n(), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_binomial_intervals_agree_with_scipy(counts: tuple[int, int], confidence: float) -> None:
    k, n = counts
    test = stats.binomtest(k, n)
    exact = test.proportion_ci(confidence, method="exact")
    found = clopper_pearson(count(k, n), level=confidence, edges=())
    assert (found.ci_low, found.ci_high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    score = exact if k in (0, n) else test.proportion_ci(confidence, method="wilson")
    found = wilson(count(k, n), level=confidence, edges=())
    assert (found.ci_low, found.ci_high) == pytest.approx((score.low, score.high), abs=1e-9)


@given(k_of_n(), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]), st.integers(0, 1000).map(lambda e: e / 1000))
def test_a_rate_is_rejected_exactly_when_the_interval_excludes_it(
    counts: tuple[int, int], confidence: float, edge: float
) -> None:
    for method in BINOMIAL:
        found = method(count(*counts), level=confidence, edges=(edge,))
        tail = (1 - confidence) / 2
        assert found.ci_low <= found.estimate <= found.ci_high
        if abs(found.ci_low - edge) > 1e-9:
            assert (found.edges[0].p_above < tail) == (found.ci_low > edge)
        if abs(found.ci_high - edge) > 1e-9:
            assert (found.edges[0].p_below < tail) == (found.ci_high < edge)


@pytest.mark.parametrize("method", BINOMIAL)
@pytest.mark.parametrize(("k", "n"), [(0, 3080), (280, 280), (0, 1), (1, 1)])
def test_no_interval_has_zero_width_at_the_ends(method: Method, k: int, n: int) -> None:
    found = method(count(k, n), level=0.95, edges=(0.5,))
    assert found.ci_high - found.ci_low > 5e-4
    assert found.ci_low <= k / n <= found.ci_high


def test_wilson_says_when_it_hands_over_to_clopper_pearson() -> None:
    found = wilson(count(0, 3080), level=0.95, edges=(0.05,))
    assert found.ci_method == "Clopper-Pearson exact (Wilson's is not used at 0 of 3080)"
    assert found.edges[0].p_below == pytest.approx(0.95**3080)


@pytest.mark.parametrize("method", BINOMIAL)
def test_binomial_methods_refuse_what_is_not_one_count(method: Method) -> None:
    with pytest.raises(NotThisDesign):
        method(two_arms([0.1], [0.2]), level=0.95, edges=())
    with pytest.raises(NotCounts):
        method(sample(level("a", [0.4])), level=0.95, edges=())
    with pytest.raises(NotCounts):
        method(sample(level("a", [0.4], k=5, n=4)), level=0.95, edges=())
    with pytest.raises(EmptyCell):
        method(sample(level("a", [0.4], k=0, n=0)), level=0.95, edges=())


def test_icc_and_design_effect_by_hand() -> None:
    # Two items of 2: rates 1 and 0. Between MS 1, within MS 0: ICC 1, design effect 2, worth 2 answers.
    found = cluster_summary({"a": 2, "b": 0}, {"a": 2, "b": 2})
    assert (found.icc, found.design_effect, found.n_effective) == (1, 2, 2)
    # Rates 1/2 and 1/2: between MS 0, within MS 1/2: ICC -1; a design effect below 1 is not believed.
    found = cluster_summary({"a": 1, "b": 1}, {"a": 2, "b": 2})
    assert (found.icc, found.design_effect, found.n_effective) == (-1, 1, 4)


@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=20),
    st.sampled_from([0.8, 0.95, 0.99]),
    st.integers(1, 999).map(lambda e: e / 1000),
)
def test_a_clustered_interval_stays_inside_the_scale_and_agrees_with_its_tests(
    pairs: list[tuple[int, int]], confidence: float, edge: float
) -> None:
    k_I, n_I = [min(p) for p in pairs], [max(1, *p) for p in pairs]
    found = clustered_t(one_run(items(k_I, n_I)), level=confidence, edges=(edge,))
    assert 0 <= found.ci_low <= found.estimate <= found.ci_high <= 1
    assert found.ci_low < found.ci_high
    if abs(found.ci_low - edge) > 1e-6:
        assert (found.edges[0].p_above < (1 - confidence) / 2) == (found.ci_low > edge)
    if abs(found.ci_high - edge) > 1e-6:
        assert (found.edges[0].p_below < (1 - confidence) / 2) == (found.ci_high < edge)


@given(st.lists(st.integers(0, 10), min_size=2, max_size=12), st.integers(2, 30))
def test_more_completions_an_item_never_make_a_t_interval_narrower(k_I: list[int], times: int) -> None:
    few = cluster_summary({str(i): k for i, k in enumerate(k_I)}, {str(i): 10 for i in range(len(k_I))})
    many = cluster_summary(
        {str(i): k * times for i, k in enumerate(k_I)}, {str(i): 10 * times for i in range(len(k_I))}
    )
    if few.half_width is None:
        assert many.half_width is None
    else:
        assert many.half_width == pytest.approx(few.half_width)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)).map(lambda p: (min(p), p[1])), min_size=1, max_size=4),
        min_size=2,
        max_size=8,
    )
)
def test_a_cell_of_several_runs_has_an_interval_around_its_mean(parts_I: list[list[tuple[int, int]]]) -> None:
    """Every run x item weighs the same, however many answers it has; against statsmodels' clustered covariance."""
    rates = [k / n for parts in parts_I for k, n in parts]
    groups = [item for item, parts in enumerate(parts_I) for _ in parts]
    found = cluster_summary(
        {str(i): sum(k for k, _ in parts) for i, parts in enumerate(parts_I)},
        {str(i): sum(n for _, n in parts) for i, parts in enumerate(parts_I)},
        means_I={str(i): (sum(k / n for k, n in parts) / len(parts), len(parts)) for i, parts in enumerate(parts_I)},
    )
    assert found.rate == pytest.approx(sum(rates) / len(rates))
    assert found.ci_low - 1e-12 <= found.rate <= found.ci_high + 1e-12
    if found.half_width is not None:
        fit = sm.OLS(rates, np.ones(len(rates))).fit(cov_type="cluster", cov_kwds={"groups": np.array(groups)})
        t = stats.t.isf(0.025, len(parts_I) - 1)
        assert found.half_width == pytest.approx(t * fit.bse[0], rel=1e-6)


@needs_data
@pytest.mark.real_data
def test_the_prompt_length_cell_is_worth_21_answers_not_100() -> None:
    rows = pd.read_parquet(DATA / "marker_prompt_length.parquet")
    cell = rows[rows["cell"] == "assistant_original"].groupby("question")["marker_present"].agg(["sum", "count"])
    k_I, n_I = ({str(q): int(x) for q, x in cell[column].items()} for column in ("sum", "count"))
    found = cluster_summary(k_I, n_I)
    assert found.icc == pytest.approx(0.4146, abs=5e-5)
    assert found.design_effect == pytest.approx(4.73, abs=5e-3)
    assert found.n_effective == pytest.approx(21.1, abs=5e-2)
    assert found.half_width == pytest.approx(0.2238, abs=5e-5)


@needs_data
@pytest.mark.real_data
def test_paired_over_questions_near_and_far_do_not_differ_where_pooled_fisher_says_they_do() -> None:
    rows = pd.read_parquet(DATA / "marker_directed_transfer.parquet")
    # "Non-target" there: neither the coupled persona, nor the two the conditions push, nor its decoy.
    bystanders = rows[~rows["persona"].isin(["zelthari_scholar", "korvani_scholar", "helpful_assistant", "pirate"])]
    cells = bystanders.groupby(["cell", "question"])["marker_present"].agg(["sum", "count"])
    near, far = (
        items(cells["sum"].xs(cell).tolist(), cells["count"].xs(cell).tolist(), name=cell, weight=weight)
        for cell, weight in (("asst_near", 1.0), ("asst_far", -1.0))
    )
    k_n = [(sum(lv.cluster_k.values()), sum(lv.cluster_n.values())) for lv in (near, far)]
    pooled = stats.fisher_exact([[k, n - k] for k, n in k_n])
    assert pooled.pvalue == pytest.approx(5.1e-4, abs=5e-5)
    found = clustered_t(one_run(near, far), level=0.95, edges=(0.0,))
    assert found.df == 14
    assert 2 * found.edges[0].p_above == pytest.approx(0.27233057435991337)


def test_clusters_match_the_anova_of_statsmodels() -> None:
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    k_I, n_I = [3, 9, 0, 5], [10, 12, 4, 7]
    rows = pd.DataFrame(
        [(str(i), float(j < k)) for i, (k, n) in enumerate(zip(k_I, n_I, strict=True)) for j in range(n)],
        columns=["item", "y"],
    )
    table = anova_lm(smf.ols("y ~ C(item)", rows).fit())
    between, within = table["mean_sq"]
    m0 = (sum(n_I) - sum(n * n for n in n_I) / sum(n_I)) / 3
    found = cluster_summary({str(i): k for i, k in enumerate(k_I)}, {str(i): n for i, n in enumerate(n_I)})
    assert found.icc == pytest.approx((between - within) / (between + (m0 - 1) * within))


def test_items_that_all_fail_count_as_one_answer_each() -> None:
    found = clustered_t(one_run(items([0] * 28, [110] * 28)), level=0.95, edges=(0.05, 0.25))
    assert found.ci_low == 0
    assert found.ci_high == pytest.approx(1 - 0.025 ** (1 / 28))
    assert found.ci_method == "Clopper-Pearson exact, one answer an item (28 items)"


def test_a_clustered_rate_by_hand() -> None:
    # Rates .3 .. .7 of 10, mean .5, SS .1, SE sqrt(.1 / 4 / 5); t(4) = 2.776445; far from the ends no floor binds.
    found = clustered_t(one_run(items([3, 4, 5, 6, 7], [10] * 5)), level=0.95, edges=())
    half = 2.776445 * math.sqrt(0.1 / 4 / 5)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)
    assert found.ci_method == "t on item means, 4 df"


def test_a_rate_near_the_end_is_no_narrower_than_no_miss_at_all_leaves_it() -> None:
    found = clustered_t(one_run(items([10, 10, 10, 7, 10], [10] * 5)), level=0.95, edges=())
    assert found.ci_method.endswith("t with 4 df, no narrower than 5 items leave it at 1")
    assert found.ci_low == pytest.approx(0.025 ** (1 / 5))
    assert found.ci_high < 1


def test_no_hit_of_50_is_never_less_certain_than_one_of_50() -> None:
    upper = [clustered_t(one_run(items([k, *[0] * 9], [5] * 10)), level=0.95, edges=()).ci_high for k in range(6)]
    assert upper[0] == pytest.approx(1 - 0.025 ** (1 / 10))
    assert upper == sorted(upper)


@given(st.integers(2, 40), st.integers(1, 20), st.integers(1, 30), st.sampled_from([0.8, 0.95]))
def test_more_prompts_without_a_hit_never_widen(prompts: int, more: int, draws: int, confidence: float) -> None:
    few, many = (
        clustered_t(one_run(items([0] * n, [draws] * n)), level=confidence, edges=()).ci_high
        for n in (prompts, prompts + more)
    )
    assert many < few


@given(st.lists(st.integers(0, 5), min_size=2, max_size=10))
def test_no_cell_with_hits_ends_below_one_without(k_I: list[int]) -> None:
    none = clustered_t(one_run(items([0] * len(k_I), [5] * len(k_I))), level=0.95, edges=())
    some = clustered_t(one_run(items(k_I, [5] * len(k_I))), level=0.95, edges=())
    assert none.ci_high <= some.ci_high + 1e-12


@pytest.mark.parametrize("icc", [0.1, 0.5])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_the_clustered_interval_covers_new_items_at_low_rates(rate: float, icc: float) -> None:
    """Beta-binomial items, 20 of them with 10 answers each."""
    rng = np.random.default_rng([int(1000 * rate), int(10 * icc)])
    size = (1 - icc) / icc
    k_KI = rng.binomial(10, rng.beta(rate * size, (1 - rate) * size, size=(1000, 20)))
    covered = 0
    for k_I in k_KI:
        found = clustered_t(one_run(items(k_I.tolist(), [10] * 20)), level=0.95, edges=())
        covered += found.ci_low <= rate <= found.ci_high
    assert covered / 1000 > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 1000)


def test_two_runs_are_compared_item_by_item() -> None:
    a, b = items([5, 6, 3], [10] * 3, name="a"), items([1, 3, 2], [10] * 3, name="b", weight=-1)
    found = clustered_t(one_run(a, b), level=0.95, edges=(0.0,))
    other = stats.ttest_rel([0.5, 0.6, 0.3], [0.1, 0.3, 0.2]).confidence_interval(0.95)
    assert (found.ci_low, found.ci_high) == pytest.approx((other.low, other.high))
    assert found.assumes == "conditional on these runs; items are the sample"


def test_clustered_t_refuses_several_runs_single_items_and_no_spread() -> None:
    several = Level(
        name="a", weight=1, unit_means={"0": 0.1, "1": 0.2}, cluster_k={"q": 1, "r": 2}, cluster_n={"q": 9, "r": 9}
    )
    with pytest.raises(NotThisDesign, match="one run per level"):
        clustered_t(one_run(several), level=0.95, edges=())
    with pytest.raises(TooFewUnits):
        clustered_t(one_run(items([3], [10])), level=0.95, edges=())
    with pytest.raises(NoSpread):
        clustered_t(sample(level("a", [0.4, 0.4, 0.4]), unit="item", is_proportion=True), level=0.95, edges=())
    with pytest.raises(NotPaired):
        clustered_t(one_run(items([1, 2], [5, 5]), items([1, 2, 3], [5] * 3, weight=-1)), level=0.95, edges=())
    with pytest.raises(NotFinite):
        clustered_t(sample(level("a", [0.4, math.nan]), unit="item", is_proportion=True), level=0.95, edges=())


def test_clusters_refuse_mismatched_items_and_impossible_counts() -> None:
    with pytest.raises(NotPaired):
        cluster_summary({"a": 1, "b": 1}, {"a": 2, "c": 2})
    with pytest.raises(NotCounts):
        cluster_summary({"a": 3, "b": 1}, {"a": 2, "b": 2})
    with pytest.raises(EmptyCell):
        cluster_summary({"a": 0, "b": 1}, {"a": 0, "b": 2})


BIRDS = [50, 72, 81, 59, 92, 64, 75, 40, 69, 79, 87, 72, 67, 84, 87, 70, 68, 75, 74, 73, 64, 75, 78]


def by_unit(k_U: list[int], n: int) -> tuple[dict[str, int], dict[str, int]]:
    return {str(i): k for i, k in enumerate(k_U)}, {str(i): n for i in range(len(k_U))}


def test_bird_seeds_differ_by_eleven_points_after_counting_noise() -> None:
    found = between_unit_sd(*by_unit(BIRDS, 100))
    assert found.sd_observed == pytest.approx(0.118, abs=5e-4)
    assert found.sd_between == pytest.approx(0.109, abs=1e-3)
    assert found.sd_binomial == pytest.approx(0.0436, abs=5e-4)
    other = stats.chi2_contingency([BIRDS, [100 - k for k in BIRDS]], correction=False)
    assert (found.chi2, found.p) == pytest.approx((other.statistic, other.pvalue))


def test_marker_cells_are_27_times_overdispersed() -> None:
    found = between_unit_sd(*by_unit([385, 458, 214, 336, 405], 3080))
    assert found.ratio == pytest.approx(26.9, abs=0.05)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=12))
def test_the_spread_between_units_never_exceeds_the_observed_one(k_U: list[int]) -> None:
    found = between_unit_sd(*by_unit(k_U, 30))
    assert found.sd_between is not None
    assert 0 <= found.sd_between <= found.sd_observed + 1e-15
    assert (found.sd_between == 0) <= bool(found.reason)
    assert (found.chi2 is None) == (sum(k_U) in (0, 30 * len(k_U)))


def test_the_spread_between_units_is_undefined_with_one_answer_each_and_refused_with_one_unit() -> None:
    found = between_unit_sd(*by_unit([1, 0, 1], 1))
    assert found.sd_between is None
    assert "single answer" in found.reason
    with pytest.raises(TooFewUnits):
        between_unit_sd({"a": 1}, {"a": 2})
    with pytest.raises(NotPaired):
        between_unit_sd({"a": 1, "b": 1}, {"a": 2, "c": 2})


def test_every_binomial_estimator_is_listed() -> None:
    listed: list[Callable[..., object]] = [estimator.run for estimator in ESTIMATORS.values()]
    assert all(method in listed for method in BINOMIAL)


def test_the_interval_of_an_sd_by_hand_and_with_the_noise_of_counting_taken_off() -> None:
    # 2 df: chi-square tails are -2 ln p, so sd sqrt(2 / 7.377759) and sd sqrt(2 / 0.050636).
    found = sd_interval(0.1, 2, noise=0.06, level=0.95)
    assert found.observed == pytest.approx((0.1 * math.sqrt(2 / 7.377759), 0.1 * math.sqrt(2 / 0.050636)), rel=1e-5)
    assert found.after_noise == pytest.approx((0.0, math.sqrt(found.observed[1] ** 2 - 0.06**2)))
    assert sd_interval(0.1, 2, noise=None, level=0.95).after_noise is None


@given(st.integers(2, 30), st.floats(0.001, 10), st.sampled_from([0.5, 0.9, 0.95]))
def test_the_interval_of_an_sd_is_the_chi_square_one(df: int, sd: float, confidence: float) -> None:
    low, high = sd_interval(sd, df, noise=0.0, level=confidence).observed
    assert (df * sd**2 / high**2, df * sd**2 / low**2) == pytest.approx(stats.chi2.interval(confidence, df))
    assert low < high


def test_the_interval_of_an_sd_covers_the_spread_between_seeds_beyond_counting() -> None:
    rng = np.random.default_rng(6)
    hits = rng.binomial(400, np.clip(rng.normal(0.5, 0.05, size=(800, 5)), 0, 1))
    covered = 0
    for row in hits.tolist():
        k_U, n_U = by_unit(row, 400)
        noise = between_unit_sd(k_U, n_U)
        after = sd_interval(noise.sd_observed, 4, noise=noise.sd_binomial, level=0.95).after_noise
        covered += after is not None and after[0] <= 0.05 <= after[1]
    assert covered / 800 > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 800)


def test_an_sd_of_one_value_has_no_interval() -> None:
    with pytest.raises(TooFewUnits):
        sd_interval(0.1, 0, noise=None, level=0.95)
