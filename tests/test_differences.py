"""Differences of rates and ranks: Newcombe's published tables, McNemar, Brunner-Munzel, and refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from seedlock.analysis.estimators.brunner_munzel import brunner_munzel
from seedlock.analysis.estimators.internals.mcnemar import Fourfold, fourfold, mcnemar
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.newcombe import newcombe
from seedlock.analysis.estimators.newcombe_paired import newcombe_paired
from seedlock.prereg.errors import EmptyCell, NoSpread, NotCounts, NotFinite, NotPaired, NotThisDesign, TooFewUnits
from tests.sample_builders import level, sample, seeds_with_spread, two_arms

REFERENCE = json.loads((Path(__file__).parent / "reference/frequentist.json").read_text(encoding="utf-8"))


def rates(k_1: int, n_1: int, k_2: int, n_2: int) -> Sample:
    return Sample(
        levels=(level("a", [k_1 / n_1], k=k_1, n=n_1), level("b", [k_2 / n_2], k=k_2, n=n_2, weight=-1.0)),
        unit="run",
        is_proportion=True,
    )


def answers(table: tuple[int, int, int, int]) -> Sample:
    both, first_only, second_only, neither = table
    pairs = [(1, 1)] * both + [(1, 0)] * first_only + [(0, 1)] * second_only + [(0, 0)] * neither
    ones = {str(i): 1 for i in range(len(pairs))}

    def run(name: str, side: int, weight: float) -> Level:
        k = {str(i): pair[side] for i, pair in enumerate(pairs)}
        return Level(
            name=name, weight=weight, unit_means={"run": sum(k.values()) / len(k)}, cluster_k=k, cluster_n=ones
        )

    return Sample(levels=(run("a", 0, 1.0), run("b", 1, -1.0)), unit="run", is_proportion=True)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_differences_match_newcombes_published_table(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = newcombe(rates(*counts), level=0.95, edges=())
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=5.1e-5)


def test_newcombe_by_hand() -> None:
    # 1 of 2 and 1 of 2 at z = 2: Wilson 1/2 -+ sqrt(3)/... each; the hybrid adds their squared arms.
    confidence = 2 * stats.norm.cdf(2) - 1
    arm = math.sqrt(0.25 * 2 + 1) / 3
    found = newcombe(rates(1, 2, 1, 2), level=confidence, edges=())
    assert (found.ci_low, found.ci_high) == pytest.approx((-arm * math.sqrt(2), arm * math.sqrt(2)))


@st.composite
def four_counts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    n_1, n_2 = draw(st.integers(1, 200)), draw(st.integers(1, 200))
    return draw(st.integers(0, n_1)), n_1, draw(st.integers(0, n_2)), n_2


@given(four_counts(), st.sampled_from([0.8, 0.95, 0.99]), st.integers(-99, 99))
def test_newcombe_agrees_with_statsmodels_and_with_its_own_tests(
    counts: tuple[int, int, int, int], confidence: float, percent: int
) -> None:
    k_1, n_1, k_2, n_2 = counts
    edge = percent / 100
    found = newcombe(rates(*counts), level=confidence, edges=(edge,))
    other = confint_proportions_2indep(k_1, n_1, k_2, n_2, method="newcomb", compare="diff", alpha=1 - confidence)
    assert (found.ci_low, found.ci_high) == pytest.approx(other, abs=1e-9)
    tail = (1 - confidence) / 2
    if min(abs(found.ci_low - edge), abs(found.ci_high - edge)) > 1e-7:
        assert (found.edges[0].p_above < tail) == (edge < found.ci_low)
        assert (found.edges[0].p_below < tail) == (edge > found.ci_high)


def test_the_paired_difference_by_hand() -> None:
    # No answer differs and both are 1/2: the correlation shrinks by n/2, the rest is Wilson's arms.
    found = newcombe_paired(answers((10, 0, 0, 10)), level=0.95, edges=())
    z = 1.959963984540054
    arm = (math.sqrt(0.25 * z**2 / 20 + z**4 / (4 * 400))) / (1 + z**2 / 20)
    phi = (10 * 10 - 10) / 100
    assert found.ci_high == pytest.approx(math.sqrt(2 * arm**2 - 2 * phi * arm**2))
    assert found.ci_low == pytest.approx(-found.ci_high)
    assert found.n_units == 20


def test_the_paired_interval_covers_at_about_its_level() -> None:
    rng = np.random.default_rng(4)
    probabilities, n, draws = (0.3, 0.25, 0.1, 0.35), 40, 600
    covered = 0
    for table in rng.multinomial(n, probabilities, size=draws):
        found = newcombe_paired(answers(tuple(int(x) for x in table)), level=0.95, edges=())  # type: ignore[arg-type]
        covered += found.ci_low <= 0.15 <= found.ci_high
    assert covered / draws > 0.95 - 4 * math.sqrt(0.95 * 0.05 / draws)


@given(st.tuples(*[st.integers(0, 15)] * 4).filter(lambda t: sum(t) > 1))
def test_swapping_the_runs_mirrors_the_paired_interval(table: tuple[int, int, int, int]) -> None:
    a, b, c, d = table
    one = newcombe_paired(answers((a, b, c, d)), level=0.95, edges=(0.1,))
    two = newcombe_paired(answers((a, c, b, d)), level=0.95, edges=(-0.1,))
    assert (one.ci_low, one.ci_high) == pytest.approx((-two.ci_high, -two.ci_low))
    assert one.edges[0].p_above == pytest.approx(two.edges[0].p_below, rel=1e-6, abs=1e-12)


def test_mcnemar_equals_r_and_statsmodels() -> None:
    found = mcnemar(Fourfold(both=20, first_only=12, second_only=3, neither=8))
    assert found.p == pytest.approx(REFERENCE["mcnemar"]["p"])
    assert found.p == pytest.approx(sm_mcnemar([[20, 12], [3, 8]], exact=True).pvalue)
    assert found.p_mid < found.p


def test_mid_p_of_a_tie_is_one_less_half_the_middle_mass() -> None:
    found = mcnemar(Fourfold(both=0, first_only=1, second_only=1, neither=0))
    assert (found.p, found.p_mid) == pytest.approx((1, 0.75))


def test_brunner_munzel_by_hand() -> None:
    # x = 2, 3 against y = 1, 2.5: 2 > 1, 2 < 2.5, 3 > both: three of four.
    found = brunner_munzel(two_arms([2, 3], [1, 2.5]), level=0.5, edges=(0.5,))
    assert found.estimate == 0.75


@given(seeds_with_spread(least=3), seeds_with_spread(least=3))
def test_brunner_munzel_agrees_with_scipy(treated: list[float], control: list[float]) -> None:
    try:
        found = brunner_munzel(two_arms(treated, control), level=0.95, edges=(0.5,))
    except NoSpread:
        return
    other = stats.brunnermunzel(control, treated, alternative="less")
    assert found.edges[0].p_above == pytest.approx(other.pvalue, rel=1e-7, abs=1e-12)


def test_arms_that_do_not_overlap_are_refused_by_brunner_munzel() -> None:
    with pytest.raises(NoSpread, match="do not overlap"):
        brunner_munzel(two_arms([4, 5, 6], [1, 2, 3]), level=0.95, edges=(0.5,))
    with pytest.raises(TooFewUnits):
        brunner_munzel(two_arms([4], [1, 2, 3]), level=0.95, edges=())
    with pytest.raises(NotFinite):
        brunner_munzel(two_arms([4, math.inf], [1, 2, 3]), level=0.95, edges=())
    with pytest.raises(NotThisDesign):
        brunner_munzel(sample(level("a", [1, 2, 3])), level=0.95, edges=())


def test_differences_refuse_what_they_cannot_answer() -> None:
    with pytest.raises(NotThisDesign):
        newcombe(sample(level("a", [0.5], k=1, n=2)), level=0.95, edges=())
    with pytest.raises(NotCounts):
        newcombe(two_arms([0.1], [0.2]), level=0.95, edges=())
    empty = Sample(
        levels=(level("a", [0.5], k=1, n=2), level("b", [0.5], k=0, n=0, weight=-1)), unit="run", is_proportion=True
    )
    with pytest.raises(EmptyCell):
        newcombe(empty, level=0.95, edges=())
    with pytest.raises(NotCounts):
        newcombe_paired(two_arms([0.1], [0.2]), level=0.95, edges=())
    with pytest.raises(NoSpread):
        mcnemar(Fourfold(both=3, first_only=0, second_only=0, neither=4))


def test_items_answered_once_only_or_several_times_are_refused() -> None:
    first, second = answers((1, 1, 1, 1)).levels
    fewer = Level(name="b", weight=-1, unit_means={"r": 0}, cluster_k={"0": 1}, cluster_n={"0": 1})
    with pytest.raises(NotPaired, match="3 item"):
        fourfold(first, fewer)
    several = Level(name="b", weight=-1, unit_means={"r": 0}, cluster_k={"0": 1}, cluster_n={"0": 2})
    with pytest.raises(NotThisDesign, match="one answer an item"):
        fourfold(first, several)
    assert fourfold(first, second) == Fourfold(both=1, first_only=1, second_only=1, neither=1)
