"""Exact randomisation: against R's coin, scipy and brute force, the smallest p, and refusals."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedlock.analysis.estimators.internals.estimator import Method
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.estimators.permutation import permutation
from seedlock.analysis.estimators.sign_flip import sign_flip
from seedlock.analysis.estimators.wild_cluster import wild_cluster
from seedlock.analysis.inference.bands import decide_bands
from seedlock.prereg.errors import NoSpread, NotFinite, NotPaired, NotThisDesign, TooFewUnits, Unattainable
from seedlock.prereg.plan.bands import parse_bands
from tests.sample_builders import level, sample, seeds_with_spread, two_arms

REFERENCE = json.loads((Path(__file__).parent / "reference/frequentist.json").read_text(encoding="utf-8"))
EXACT = [permutation, sign_flip, wild_cluster]


def test_permutation_by_hand() -> None:
    # 3 against 3, completely separated: the observed assignment is the most extreme of 20.
    found = permutation(two_arms([3, 4, 5.5], [1, 2, 2.2]), level=0.9, edges=(0.0,))
    assert (found.edges[0].p_above, found.edges[0].p_below) == (1 / 20, 1)
    # Lower limit: the smallest turning point, one unit swapped: min(3 - 2.2); upper: max(5.5 - 1).
    assert (found.ci_low, found.ci_high) == pytest.approx((0.8, 4.5))
    assert "20 assignments, smallest p 0.05" in found.ci_method


def test_three_against_three_can_just_reach_five_percent() -> None:
    found = permutation(two_arms([3, 4, 5.5], [1, 2, 2.2]), level=0.9, edges=(0.0,))
    assert decide_bands(found.edges, parse_bands(["down", 0.0, "up"]), 0.05).verdict == ("up",)


def test_permutation_equals_coin() -> None:
    ref = REFERENCE["permutation"]
    found = permutation(two_arms(ref["a"], ref["b"]), level=0.9, edges=(0.0,))
    assert found.edges[0].p_above == pytest.approx(ref["greater"], rel=1e-9)


@settings(max_examples=40)
@given(seeds_with_spread(least=3, most=4), seeds_with_spread(least=3, most=4), st.integers(-30, 30))
def test_permutation_agrees_with_scipy_at_any_edge(treated: list[float], control: list[float], tenth: int) -> None:
    edge = tenth / 10 + 0.00037  # off the grid of the data, where rounding would decide ties
    try:
        found = permutation(two_arms(treated, control), level=0.6, edges=(edge,))
    except NoSpread:
        return
    for side, p in (("greater", found.edges[0].p_above), ("less", found.edges[0].p_below)):
        other = stats.permutation_test(  # type: ignore[call-overload]  # its stubs want one literal side
            (np.array(treated) - edge, np.array(control)),
            lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
            vectorized=True,
            alternative=side,
        )
        assert p == pytest.approx(other.pvalue)


@settings(max_examples=40)
@given(seeds_with_spread(least=4, most=7), st.integers(-30, 30))
def test_sign_flips_agree_with_scipy_at_any_edge(diffs: list[float], tenth: int) -> None:
    edge = tenth / 10 + 0.00037
    found = sign_flip(sample(level("d", diffs)), level=0.8, edges=(edge,))
    for side, p in (("greater", found.edges[0].p_above), ("less", found.edges[0].p_below)):
        other = stats.permutation_test(  # type: ignore[call-overload]  # its stubs want one literal side
            (np.array(diffs) - edge,),
            lambda x, axis: x.mean(axis=axis),
            vectorized=True,
            permutation_type="samples",
            alternative=side,
        )
        assert p == pytest.approx(other.pvalue)


def test_sign_flips_by_hand() -> None:
    # All six positive: only the observed pattern reaches the mean, p = 1/64; the interval ends at the extremes.
    found = sign_flip(sample(level("d", [1, 2, 3, 4, 5, 6])), level=0.96, edges=(0.0,))
    assert found.edges[0].p_above == 1 / 64
    assert (found.ci_low, found.ci_high) == (1, 6)


def test_the_wild_bootstrap_agrees_with_brute_force_regression() -> None:
    treated, control, edge = [3.0, 4.0, 5.5], [1.0, 2.0, 2.2], 0.7
    y = np.array(treated + control)
    x = np.column_stack([np.ones(6), np.repeat([1.0, 0.0], 3)])
    restricted = sm.OLS(y - edge * x[:, 1], x[:, :1]).fit()

    def t_of(data: FloatArray) -> float:
        fit = sm.OLS(data, x).fit(cov_type="HC0")
        return float((fit.params[1] - edge) / fit.bse[1])

    observed, counts = t_of(y), []
    for signs in itertools.product([1, -1], repeat=6):
        with np.errstate(all="ignore"):
            counts.append(t_of(edge * x[:, 1] + restricted.fittedvalues + np.array(signs) * restricted.resid))
    found = wild_cluster(two_arms(treated, control), level=0.8, edges=(edge,))
    assert found.edges[0].p_above == np.mean([t >= observed - 1e-9 for t in counts])
    assert found.edges[0].p_below == np.mean([t <= observed + 1e-9 for t in counts])


@settings(max_examples=30)
@given(seeds_with_spread(least=4, most=5), seeds_with_spread(least=4, most=5), st.integers(-40, 40))
def test_an_edge_outside_an_exact_interval_is_rejected(treated: list[float], control: list[float], tenth: int) -> None:
    edge = tenth / 10 + 0.00037
    for method in (permutation, wild_cluster):
        try:
            found = method(two_arms(treated, control), level=0.8, edges=(edge,))
        except (NoSpread, Unattainable):
            continue
        assert found.ci_low <= found.estimate <= found.ci_high
        if method is permutation:
            assert (found.edges[0].p_above <= 0.1) == (edge < found.ci_low)
            assert (found.edges[0].p_below <= 0.1) == (edge > found.ci_high)
        assert 0 < found.edges[0].p_above <= 1


def test_the_wild_interval_is_where_its_tests_turn() -> None:
    contrast = two_arms([3, 4, 5.5, 3.3, 4.1], [1, 2, 2.2, 1.5, 0.2])
    found = wild_cluster(contrast, level=0.9, edges=())
    gap = 1e-6
    at = (found.ci_low - gap, found.ci_low + gap, found.ci_high - gap, found.ci_high + gap)
    edges = wild_cluster(contrast, level=0.9, edges=at).edges
    assert edges[0].p_above <= 0.05 < edges[1].p_above
    assert edges[3].p_below <= 0.05 < edges[2].p_below


def test_a_level_that_no_data_could_reach_is_refused_not_called_insignificant() -> None:
    with pytest.raises(Unattainable, match=r"smallest p of 20 assignments is 0\.05"):
        permutation(two_arms([3, 4, 5.5], [1, 2, 2.2]), level=0.95, edges=(0.0,))
    with pytest.raises(Unattainable, match="32 assignments"):
        sign_flip(sample(level("d", [1, 2, 3, 4, 6])), level=0.95, edges=(0.0,))
    with pytest.raises(Unattainable):
        wild_cluster(two_arms([1, 2], [3, 5]), level=0.99, edges=(0.0,))


@pytest.mark.parametrize("method", EXACT)
def test_degenerate_units_are_refused(method: Method) -> None:
    with pytest.raises(NoSpread):
        method(two_arms([0.3] * 6, [0.1] * 6), level=0.9, edges=(0.0,))
    with pytest.raises(TooFewUnits):
        method(two_arms([0.3], [0.1]), level=0.9, edges=())
    with pytest.raises(NotFinite):
        method(two_arms([0.3, math.nan], [0.1, 0.2]), level=0.9, edges=())


@pytest.mark.parametrize("method", EXACT)
def test_more_units_than_can_be_counted_are_refused(method: Method) -> None:
    many = [float(i) for i in range(30)]
    with pytest.raises(NotThisDesign, match="have more than"):
        method(two_arms(many, [x * 1.1 + 1 for x in many]), level=0.9, edges=())


def test_designs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(NotThisDesign, match="two arms"):
        permutation(sample(level("a", [1, 2, 3])), level=0.9, edges=())
    lonely = sample(level("a", [1, 2, 3]), level("b", [1, 2], weight=-1))
    with pytest.raises(NotPaired):
        sign_flip(lonely, level=0.9, edges=())


def test_permutation_keeps_its_level_whatever_the_distribution() -> None:
    rng = np.random.default_rng(11)
    draws_KU = np.exp(2 * rng.normal(size=(2_000, 8)))  # heavy right tail
    rejected = [
        permutation(two_arms(list(x[:4]), list(x[4:])), level=0.9, edges=(0.0,)).edges[0].p_above <= 0.05
        for x in draws_KU
    ]
    # 3 of 70 assignments: exactly 3/70 under exchangeability.
    assert abs(np.mean(rejected) - 3 / 70) < 4 * math.sqrt(3 / 70 / 2_000)
