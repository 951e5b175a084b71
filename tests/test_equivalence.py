"""TOST and its power: by hand, against statsmodels and simulation, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.inference.bands import decide_bands
from seedlock.analysis.simulation.tost_power import tost_power
from seedlock.prereg.errors import BadInput, NoSpread, TooFewUnits
from seedlock.prereg.plan.bands import parse_bands
from tests.sample_builders import alphas, level, sample, seeds_with_spread, sesois, two_arms


def inner(sample: Sample, method: str, sesoi: float, alpha: float = 0.05) -> tuple[Estimate, float, tuple[str, ...]]:
    """The estimate, the p that only the inner band is left, and the verdict."""
    bands = parse_bands(["lower", -sesoi, "negligible", sesoi, "higher"])
    found = ESTIMATORS[method].run(sample, level=1 - 2 * alpha, edges=bands.edges)
    decision = decide_bands(found.edges, bands, alpha)
    return found, decision.p_for("negligible"), decision.verdict


def of_one(diffs: list[float]) -> Sample:
    return sample(level("difference", diffs))


def test_equivalence_by_hand() -> None:
    # Differences -1, 0, 1: mean 0, SE 1/sqrt(3); bounds 4 lie 4 sqrt(3) SE away; t(2) tail by its closed form.
    t = 4 * math.sqrt(3)
    tail = 0.5 * (1 - t / math.sqrt(2 + t * t))
    _, p, verdict = inner(of_one([-1.0, 0.0, 1.0]), "one_sample_t", 4.0)
    assert p == pytest.approx(tail)
    assert verdict == ("negligible",)


@given(seeds_with_spread(), seeds_with_spread(), sesois)
def test_the_inner_band_agrees_with_statsmodels_tost(treated: list[float], control: list[float], sesoi: float) -> None:
    for method, usevar in (("pooled_t", "pooled"), ("welch_t", "unequal")):
        _, p, _ = inner(two_arms(treated, control), method, sesoi)
        other = ttost_ind(np.array(treated), np.array(control), -sesoi, sesoi, usevar=usevar)[0]
        assert p == pytest.approx(float(other), rel=1e-7, abs=1e-12)


@given(seeds_with_spread(), sesois)
def test_the_inner_band_of_paired_differences_agrees_with_statsmodels(diffs: list[float], sesoi: float) -> None:
    _, p, _ = inner(of_one(diffs), "one_sample_t", sesoi)
    other = ttost_paired(np.array(diffs), np.zeros(len(diffs)), -sesoi, sesoi)[0]
    assert p == pytest.approx(float(other), rel=1e-7, abs=1e-12)


@given(seeds_with_spread(), sesois, alphas)
def test_the_inner_band_is_left_exactly_when_the_interval_fits_inside_its_edges(
    diffs: list[float], sesoi: float, alpha: float
) -> None:
    found, p, _ = inner(of_one(diffs), "one_sample_t", sesoi, alpha)
    if min(abs(found.ci_low + sesoi), abs(found.ci_high - sesoi)) > 1e-9:
        assert (p < alpha) == (-sesoi < found.ci_low and found.ci_high < sesoi)


@pytest.mark.parametrize(
    ("diffs", "verdict"),
    [
        ([0.40, 0.42, 0.44], ("higher",)),
        ([-0.01, 0.0, 0.01], ("negligible",)),
        ([0.15, 0.25, 0.35], ("negligible", "higher")),
        ([-0.5, 0.1, 0.9], ("lower", "negligible", "higher")),
    ],
)
def test_equivalent_larger_or_undecided(diffs: list[float], verdict: tuple[str, ...]) -> None:
    assert inner(of_one(diffs), "one_sample_t", 0.2)[2] == verdict


def test_three_identical_values_are_refused_where_pingouin_answers_a_number() -> None:
    import pingouin as pg

    identical = np.array([0.1, 0.1, 0.1])
    with pytest.warns(RuntimeWarning, match="Precision loss"):
        answer = pg.tost(identical, identical, bound=0.2)
    assert float(answer["pval"].iloc[0]) < 1e-10
    with pytest.raises(NoSpread):
        inner(two_arms([0.1] * 3, [0.1] * 3), "pooled_t", 0.2)
    with pytest.raises(TooFewUnits):
        inner(of_one([0.1]), "one_sample_t", 0.2)


@pytest.mark.parametrize(("seed_sd", "power"), [(0.05, 0.98), (0.08, 0.63), (0.10, 0.38), (0.15, 0.10), (0.20, 0.03)])
def test_power_with_three_seeds_an_arm(seed_sd: float, power: float) -> None:
    assert tost_power(sesoi=0.2, seed_sd=seed_sd, seeds=3, alpha=0.05) == pytest.approx(power, abs=5e-3)


def test_eighteen_seeds_an_arm_for_eighty_percent_at_sd_020() -> None:
    seventeen, eighteen = (tost_power(sesoi=0.2, seed_sd=0.2, seeds=n, alpha=0.05) for n in (17, 18))
    assert seventeen < 0.8 < eighteen


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


def test_power_refuses_what_is_no_design() -> None:
    with pytest.raises(TooFewUnits):
        tost_power(sesoi=0.2, seed_sd=0.1, seeds=1, alpha=0.05)
    with pytest.raises(BadInput):
        tost_power(sesoi=0.2, seed_sd=0.0, seeds=3, alpha=0.05)
    with pytest.raises(BadInput):
        tost_power(sesoi=0.2, seed_sd=0.1, seeds=3, alpha=0.7)
    with pytest.raises(BadInput):
        tost_power(sesoi=0.2, seed_sd=0.1, seeds=3, alpha=0.05, weights=(0.0,))
