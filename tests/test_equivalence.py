"""TOST and its power: by hand, against statsmodels and simulation, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW, ttost_ind, ttost_paired

from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.estimators.welch_t import welch_t
from seedlock.analysis.extra.equivalence import tost, tost_mean
from seedlock.analysis.simulation.tost_power import seeds_for_tost, tost_power
from seedlock.prereg.errors import BadInput, NoSpread, TooFewUnits, Unattainable
from tests.sample_builders import alphas, seeds_with_spread, sesois, two_arms


def test_tost_by_hand() -> None:
    # Differences -1, 0, 1: mean 0, SE 1/sqrt(3); bounds 4 lie 4 sqrt(3) SE away; t(2) tail by its closed form.
    t = 4 * math.sqrt(3)
    tail = 0.5 * (1 - t / math.sqrt(2 + t * t))
    found = tost_mean([-1.0, 0.0, 1.0], sesoi=4.0, alpha=0.05)
    assert found.p_equivalent == pytest.approx(tail)
    assert found.p_different == pytest.approx(1)
    assert found.outcome == "equivalent"


@given(seeds_with_spread(), seeds_with_spread(), sesois)
def test_tost_agrees_with_statsmodels(treated: list[float], control: list[float], sesoi: float) -> None:
    for method, usevar in ((pooled_t, "pooled"), (welch_t, "unequal")):
        found = tost(two_arms(treated, control), method, sesoi=sesoi, alpha=0.05)
        other = ttost_ind(np.array(treated), np.array(control), -sesoi, sesoi, usevar=usevar)[0]
        assert found.p_equivalent == pytest.approx(float(other), rel=1e-7, abs=1e-12)


@given(seeds_with_spread(), sesois)
def test_paired_tost_agrees_with_statsmodels(diffs: list[float], sesoi: float) -> None:
    found = tost_mean(diffs, sesoi=sesoi, alpha=0.05)
    other = ttost_paired(np.array(diffs), np.zeros(len(diffs)), -sesoi, sesoi)[0]
    assert found.p_equivalent == pytest.approx(float(other), rel=1e-7, abs=1e-12)
    assert found.p_different == pytest.approx(float(DescrStatsW(diffs).ttest_mean(0)[1]), rel=1e-7)


@given(seeds_with_spread(), sesois, alphas)
def test_tost_rejects_exactly_when_the_interval_fits_inside_the_bounds(
    diffs: list[float], sesoi: float, alpha: float
) -> None:
    found = tost_mean(diffs, sesoi=sesoi, alpha=alpha)
    low, high = found.estimate.ci_low, found.estimate.ci_high
    if min(abs(low + sesoi), abs(high - sesoi)) > 1e-9:
        assert (found.p_equivalent < alpha) == (-sesoi < low and high < sesoi)


@pytest.mark.parametrize(
    ("diffs", "outcome"),
    [
        ([0.30, 0.31, 0.32], "different"),
        ([-0.01, 0.0, 0.01], "equivalent"),
        ([0.05, 0.051, 0.052], "different but negligible"),
        ([-0.5, 0.1, 0.9], "inconclusive"),
    ],
)
def test_the_four_outcomes(diffs: list[float], outcome: str) -> None:
    assert tost_mean(diffs, sesoi=0.2, alpha=0.05).outcome == outcome


def test_the_minimal_effect_test_needs_more_than_being_different() -> None:
    found = tost_mean([0.15, 0.25, 0.35], sesoi=0.2, alpha=0.05)
    assert found.p_different < 0.06 < found.p_minimal
    assert tost_mean([0.40, 0.42, 0.44], sesoi=0.2, alpha=0.05).p_minimal < 0.01


def test_three_identical_values_are_refused_where_pingouin_answers_a_number() -> None:
    import pingouin as pg

    identical = np.array([0.1, 0.1, 0.1])
    with pytest.warns(RuntimeWarning, match="Precision loss"):
        answer = pg.tost(identical, identical, bound=0.2)
    assert float(answer["pval"].iloc[0]) < 1e-10
    with pytest.raises(NoSpread):
        tost(two_arms([0.1] * 3, [0.1] * 3), pooled_t, sesoi=0.2, alpha=0.05)
    with pytest.raises(TooFewUnits):
        tost_mean([0.1], sesoi=0.2, alpha=0.05)


@pytest.mark.parametrize(("sesoi", "alpha"), [(0.0, 0.05), (-0.1, 0.05), (0.2, 0.0), (0.2, 0.5), (math.nan, 0.05)])
def test_bounds_that_make_no_sense_are_bad_input(sesoi: float, alpha: float) -> None:
    with pytest.raises(BadInput):
        tost_mean([0.1, 0.2], sesoi=sesoi, alpha=alpha)


@pytest.mark.parametrize(("seed_sd", "power"), [(0.05, 0.98), (0.08, 0.63), (0.10, 0.38), (0.15, 0.10), (0.20, 0.03)])
def test_power_with_three_seeds_an_arm(seed_sd: float, power: float) -> None:
    assert tost_power(sesoi=0.2, seed_sd=seed_sd, seeds=3, alpha=0.05) == pytest.approx(power, abs=5e-3)


def test_eighteen_seeds_an_arm_for_eighty_percent_at_sd_020() -> None:
    assert seeds_for_tost(power=0.8, sesoi=0.2, seed_sd=0.2, alpha=0.05) == 18
    assert tost_power(sesoi=0.2, seed_sd=0.2, seeds=17, alpha=0.05) < 0.8


@pytest.mark.parametrize(
    ("seeds", "weights", "truth"), [(3, (1.0, -1.0), 0.05), (5, (1.0,), 0.0), (4, (1, -0.5, -0.5), 0)]
)
def test_power_agrees_with_simulated_studies(seeds: int, weights: tuple[float, ...], truth: float) -> None:
    rng = np.random.default_rng(7)
    draws, sesoi, sd = 40_000, 0.2, 0.1
    data_KLS = rng.normal(0, sd, size=(draws, len(weights), seeds))
    estimate = data_KLS.mean(axis=2) @ np.array(weights) + truth
    df = len(weights) * (seeds - 1)
    se = np.sqrt(data_KLS.var(axis=2, ddof=1).mean(axis=1) * sum(w * w for w in weights) / seeds)
    t = stats.t.isf(0.05, df)
    share = float(np.mean((estimate - t * se > -sesoi) & (estimate + t * se < sesoi)))
    exact = tost_power(sesoi=sesoi, seed_sd=sd, seeds=seeds, alpha=0.05, true_effect=truth, weights=weights)
    assert abs(share - exact) < 4 * math.sqrt(exact * (1 - exact) / draws)


@given(sesois, seeds_with_spread(least=2, most=3))
def test_power_at_the_bound_never_exceeds_alpha(sesoi: float, sds: list[float]) -> None:
    sd = abs(sds[0]) + 0.01
    assert tost_power(sesoi=sesoi, seed_sd=sd, seeds=3, alpha=0.05, true_effect=sesoi) <= 0.05 + 1e-6


def test_power_refuses_one_seed_and_hopeless_plans() -> None:
    with pytest.raises(TooFewUnits):
        tost_power(sesoi=0.2, seed_sd=0.1, seeds=1, alpha=0.05)
    with pytest.raises(BadInput):
        tost_power(sesoi=0.2, seed_sd=0.0, seeds=3, alpha=0.05)
    with pytest.raises(BadInput):
        tost_power(sesoi=0.2, seed_sd=0.1, seeds=3, alpha=0.7)
    with pytest.raises(BadInput):
        tost_power(sesoi=0.2, seed_sd=0.1, seeds=3, alpha=0.05, weights=(0.0,))
    with pytest.raises(BadInput):
        seeds_for_tost(power=1.0, sesoi=0.2, seed_sd=0.1, alpha=0.05)
    with pytest.raises(Unattainable):
        seeds_for_tost(power=0.8, sesoi=0.2, seed_sd=0.1, alpha=0.05, true_effect=0.2)
    with pytest.raises(Unattainable):
        seeds_for_tost(power=0.8, sesoi=0.001, seed_sd=10.0, alpha=0.05)
