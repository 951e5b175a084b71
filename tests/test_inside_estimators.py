"""A share of a gap, and a rank among controls: by hand, against simulation, by property, and where they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from seedlock.analysis.estimators.fieller import fieller
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.rank_among import rank_among
from seedlock.prereg.errors import NoDenominator, NotPaired, NotThisDesign, TooFewUnits, Unattainable


def share(over: list[float], under: list[float]) -> Sample:
    def level(name: str, weight: float, values: list[float]) -> Level:
        return Level(name=name, weight=weight, unit_means={str(n): value for n, value in enumerate(values)})

    levels = (level("change", 1.0, over), level("gap", -1.0, under))
    return Sample(levels=levels, unit="seed", is_proportion=False)


def among(value: float, others: list[float]) -> Sample:
    controls = {f"c{n}": other for n, other in enumerate(others)}
    levels = (
        Level(name="true", weight=1.0, unit_means={"true": value}),
        Level(name="random", weight=-1.0, unit_means=controls),
    )
    return Sample(levels=levels, unit="vector", is_proportion=False)


def test_a_share_by_hand() -> None:
    found = fieller(share([1.0, 2.0, 1.5], [2.0, 3.0, 4.0]), level=0.9, edges=(0.25,))
    assert found.estimate == pytest.approx(0.5)
    left = np.array([1.0, 2.0, 1.5]) - 0.25 * np.array([2.0, 3.0, 4.0])
    by_scipy = stats.ttest_1samp(left, 0)
    assert found.edges[0].t == pytest.approx(by_scipy.statistic)
    assert 2 * found.edges[0].p_above == pytest.approx(by_scipy.pvalue)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(3, 12), st.sampled_from([0.8, 0.9, 0.95]))
def test_the_interval_holds_exactly_the_shares_that_the_t_test_keeps(seed: int, n: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    under = 3 + rng.normal(0, 0.5, n)
    over = rng.uniform(-1, 2) * under + rng.normal(0, 0.5, n)
    found = fieller(share(over.tolist(), under.tolist()), level=level, edges=())

    def beyond(r: float) -> float:
        return float(stats.ttest_1samp(over - r * under, 0).pvalue) - (1 - level)

    for inside, edge in ((found.estimate, found.ci_low), (found.estimate, found.ci_high)):
        far = edge + (edge - inside) * 2
        assert optimize.brentq(beyond, edge - (edge - inside) / 2, far) == pytest.approx(edge, abs=1e-6)


def test_a_negative_gap_turns_the_sides_round() -> None:
    up = fieller(share([1.0, 2.0, 1.5], [2.0, 3.0, 4.0]), level=0.8, edges=(0.3,))
    down = fieller(share([-1.0, -2.0, -1.5], [-2.0, -3.0, -4.0]), level=0.8, edges=(0.3,))
    assert down.estimate == pytest.approx(up.estimate)
    assert (down.ci_low, down.ci_high) == pytest.approx((up.ci_low, up.ci_high))
    assert down.edges[0].p_above == pytest.approx(up.edges[0].p_above)


def test_a_share_of_a_gap_that_may_be_nothing_is_refused() -> None:
    with pytest.raises(NoDenominator, match="cannot be told from 0"):
        fieller(share([0.1, 0.2, 0.15], [-0.1, 0.3, 0.05]), level=0.9, edges=(0.5,))


def test_a_share_needs_pairs_two_units_and_both_sides() -> None:
    with pytest.raises(NotPaired):
        fieller(share([1.0, 2.0], [1.0, 2.0, 3.0]), level=0.9, edges=())
    with pytest.raises(TooFewUnits):
        fieller(share([1.0], [2.0]), level=0.9, edges=())
    alone = Sample(
        levels=(Level(name="a", weight=1.0, unit_means={"0": 1.0, "1": 2.0}),), unit="seed", is_proportion=False
    )
    with pytest.raises(NotThisDesign):
        fieller(alone, level=0.9, edges=())


def test_a_share_covers_as_promised() -> None:
    rng = np.random.default_rng(1)
    hits, n = 0, 2000
    for _ in range(n):
        under = 2 + rng.normal(0, 0.6, 5)
        over = 0.7 * 2 + 0.5 * (under - 2) + rng.normal(0, 0.3, 5)
        try:
            found = fieller(share(over.tolist(), under.tolist()), level=0.9, edges=())
        except NoDenominator:
            hits += 1  # every share is kept
            continue
        hits += found.ci_low <= 0.7 <= found.ci_high
    assert abs(hits / n - 0.9) < 4 * math.sqrt(0.09 / n)


def test_a_rank_by_hand() -> None:
    others = [float(n) for n in range(20)]
    found = rank_among(among(19.5, others), level=0.9, edges=(0.0, 1.0))
    assert found.estimate == pytest.approx(19.5 - 9.5)
    assert [edge.p_above for edge in found.edges] == pytest.approx([1 / 21, 2 / 21])
    assert found.edges[0].p_below == pytest.approx(1.0)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.5, 19.5))


@settings(max_examples=80)
@given(st.integers(0, 10**6), st.integers(19, 60))
def test_the_interval_of_a_rank_is_what_its_edges_keep(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    value, others = float(rng.normal()), rng.normal(size=k).tolist()
    ends = rank_among(among(value, others), level=0.9, edges=())
    around = (ends.ci_low - 1e-9, ends.ci_low + 1e-9, ends.ci_high - 1e-9, ends.ci_high + 1e-9)
    edges = rank_among(among(value, others), level=0.9, edges=around).edges
    assert edges[0].p_above <= 0.05 < edges[1].p_above
    assert edges[3].p_below <= 0.05 < edges[2].p_below


def test_one_of_many_alike_is_first_as_often_as_chance() -> None:
    rng = np.random.default_rng(2)
    n = 4000
    first = sum(
        rank_among(among(float(row[0]), row[1:].tolist()), level=0.9, edges=(0.0,)).edges[0].p_above <= 0.05
        for row in rng.normal(size=(n, 21))
    )
    assert abs(first / n - 1 / 21) < 4 * math.sqrt(1 / 21 / n)


def test_too_few_controls_or_another_design_are_refused() -> None:
    with pytest.raises(Unattainable, match="smallest possible p"):
        rank_among(among(1.0, [0.0] * 18), level=0.9, edges=())
    with pytest.raises(NotThisDesign):
        rank_among(share([1.0, 2.0], [1.0, 2.0]), level=0.9, edges=())
