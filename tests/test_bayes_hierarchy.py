"""Fits of the seed hierarchy: against quadrature, against bambi, on degenerate data, and what they may not claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from seedlock.analysis.bayes.cells import CellCounts, count_cells, mean_cells
from seedlock.analysis.bayes.contrast import contrast, eti, prob_above
from seedlock.analysis.bayes.hierarchy import HierarchyFit, fit_hierarchy
from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior
from seedlock.analysis.bayes.sampling import GateRules
from seedlock.prereg.errors import BadInput, DiagnosticsFailed, NoSpread, NotCounts

BIRDS = [50, 72, 81, 59, 92, 64, 75, 40, 69, 79, 87, 72, 67, 84, 87, 70, 68, 75, 74, 73, 64, 75, 78]
"""Published answers of 100 that read as 19th-century, one fine-tuning seed each (gpt-4.1-mini, seeds 1-23)."""
SCHOOLS = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
SCHOOL_SES = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]


def one_arm(k: list[int], n: int) -> CellCounts:
    return count_cells(level=["birds"] * len(k), unit=[f"{s:02}" for s in range(len(k))], k=k, n=[n] * len(k))


def two_arms(k: list[int], n: int) -> CellCounts:
    half = len(k) // 2
    unit = [str(s) for s in range(half)] * 2
    return count_cells(level=["control"] * half + ["treated"] * half, unit=unit, k=k, n=[n] * len(k))


@pytest.fixture(scope="module")
def birds() -> HierarchyFit:
    return fit_hierarchy(one_arm(BIRDS, 100), likelihood="binomial", seed=1)


@pytest.fixture(scope="module")
def schools() -> HierarchyFit:
    cells = mean_cells(level=["schools"] * 8, unit=list("ABCDEFGH"), mean=SCHOOLS, se=SCHOOL_SES)
    priors = HierarchyPriors(
        run_sd=parse_prior("half-cauchy(5)"),
        level_mean=parse_prior("normal(0, 5)"),
        outcome_sd=1.0,
        outcome_centre=0.0,
    )
    return fit_hierarchy(cells, likelihood="gaussian", seed=1, priors=priors, draws=4000)


def width(fit: HierarchyFit, weights: dict[str, float]) -> float:
    interval = eti(contrast(fit, weights).mean_K)
    return interval.high - interval.low


def bird_posterior_by_quadrature() -> dict[str, float]:
    """Sum over a grid of level mean, run SD and each seed's logit: no sampler, none of the engine's code."""
    mu, sd = np.linspace(0.2, 1.8, 81), np.linspace(0.15, 1.6, 73)
    theta = np.linspace(-3.0, 5.0, 801)
    log_likelihood = np.array([stats.binom.logpmf(k, 100, 1 / (1 + np.exp(-theta))) for k in BIRDS])
    log_joint = stats.norm.logpdf(mu, 0, 2.5)[:, None] + stats.halfnorm.logpdf(sd)
    likelihood_T = np.exp(log_likelihood).T
    mean_rate = np.empty((mu.size, sd.size))
    for j, s in enumerate(sd):
        density = stats.norm.pdf(theta[None, :], mu[:, None], s) * (theta[1] - theta[0])
        log_joint[:, j] += np.log(density @ likelihood_T).sum(axis=1)
        mean_rate[:, j] = density @ (1 / (1 + np.exp(-theta))) / density.sum(axis=1)
    weight = np.exp(log_joint - log_joint.max())
    weight /= weight.sum()
    new_above_half = stats.norm.cdf(mu[:, None] / sd)
    order = np.argsort(mean_rate.ravel())
    below = np.cumsum(weight.ravel()[order])
    low, high = (mean_rate.ravel()[order][np.searchsorted(below, q)] for q in (0.025, 0.975))
    return {
        "mean_rate": float((weight * mean_rate).sum()),
        "run_sd": float((weight * sd).sum()),
        "new_above_half": float((weight * new_above_half).sum()),
        "low": float(low),
        "high": float(high),
    }


def test_the_bird_study_agrees_with_brute_force_quadrature(birds: HierarchyFit) -> None:
    exact = bird_posterior_by_quadrature()
    found = contrast(birds, {"birds": 1.0})
    interval = eti(found.mean_K)
    assert found.mean_K.mean() == pytest.approx(exact["mean_rate"], abs=0.002)
    assert birds.response.unit_sd_model_KA.mean() == pytest.approx(exact["run_sd"], abs=0.01)
    assert prob_above(found.new_unit_M, 0.5) == pytest.approx(exact["new_above_half"], abs=0.01)
    assert (interval.low, interval.high) == pytest.approx((exact["low"], exact["high"]), abs=0.005)


def test_the_bird_study_speaks_of_seeds_not_of_answers(birds: HierarchyFit) -> None:
    """About [66, 76]% for the mean over seeds, where pooled Wald says [70.5, 74.0]%; a new seed is far less sure."""
    found = contrast(birds, {"birds": 1.0})
    mean, new, these = (eti(draws) for draws in (found.mean_K, found.new_unit_M, found.these_units_K))
    assert 0.655 < mean.low < 0.675
    assert 0.755 < mean.high < 0.775
    assert new.low < 0.50
    assert new.high > 0.87
    assert these.high - these.low < 0.5 * (mean.high - mean.low)
    assert found.n_units == 23
    assert birds.response.unit_sd_KA.mean() == pytest.approx(0.113, abs=0.01)


def test_eight_schools_agree_with_quadrature_and_the_published_answer(schools: HierarchyFit) -> None:
    """P(mu > 0) = .905 and P(new school > 0) = .828 by quadrature; published .908 and .828 from draws."""
    mu, tau = np.linspace(-40, 50, 901)[:, None], (np.linspace(0, 1, 1501)[1:] ** 2 * 400)[None, :]
    log_weight = stats.norm.logpdf(mu, 0, 5) + stats.halfcauchy.logpdf(tau, 0, 5) + 0.5 * np.log(tau)
    for effect, se in zip(SCHOOLS, SCHOOL_SES, strict=True):
        log_weight = log_weight + stats.norm.logpdf(effect, mu, np.sqrt(tau**2 + se**2))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    found = contrast(schools, {"schools": 1.0})
    assert prob_above(found.mean_K, 0.0) == pytest.approx(float((weight * (mu > 0)).sum()), abs=0.01)
    assert prob_above(found.new_unit_M, 0.0) == pytest.approx(
        float((weight * stats.norm.cdf(mu / tau)).sum()), abs=0.01
    )
    assert prob_above(found.mean_K, 0.0) == pytest.approx(0.908, abs=0.012)
    assert prob_above(found.new_unit_M, 0.0) == pytest.approx(0.828, abs=0.012)


def test_the_schools_at_hand_shrink_towards_their_mean(schools: HierarchyFit) -> None:
    found = contrast(schools, {"schools": 1.0})
    assert np.mean(found.mean_K) < np.mean(found.these_units_K) < np.mean(SCHOOLS)


def test_the_same_seed_gives_the_same_numbers_whatever_the_cores_and_the_row_order(birds: HierarchyFit) -> None:
    order = np.random.default_rng(0).permutation(23)
    shuffled = count_cells(
        level=["birds"] * 23, unit=[f"{s:02}" for s in order], k=[BIRDS[s] for s in order], n=[100] * 23
    )
    again = fit_hierarchy(shuffled, likelihood="binomial", seed=1, cores=1)
    np.testing.assert_array_equal(again.response.level_mean_KA, birds.response.level_mean_KA)
    np.testing.assert_array_equal(again.response.new_unit_MA, birds.response.new_unit_MA)


def test_more_answers_from_the_same_seeds_do_not_narrow_the_interval_for_seeds() -> None:
    """A hundred times the answers at the same rates: only the units at hand are known better."""
    rates = [30, 45, 20, 60, 70, 66]
    few = fit_hierarchy(two_arms(rates, 100), likelihood="binomial", seed=1)
    many = fit_hierarchy(two_arms([100 * k for k in rates], 10_000), likelihood="binomial", seed=1)
    weights = {"treated": 1.0, "control": -1.0}
    assert width(many, weights) > 0.8 * width(few, weights)
    these_few, these_many = (eti(contrast(fit, weights).these_units_K) for fit in (few, many))
    assert these_many.high - these_many.low < 0.2 * (these_few.high - these_few.low)


def test_paired_units_share_what_pairing_removes() -> None:
    """Units far apart, differences alike: pairing knows the difference well, for a new unit too."""
    control, treated = [5, 20, 50, 80, 95], [10, 31, 66, 90, 98]
    nested = two_arms(control + treated, 100)
    paired = count_cells(
        level=["control"] * 5 + ["treated"] * 5,
        unit=list("abcde") * 2,
        k=control + treated,
        n=[100] * 10,
        nesting="paired",
    )
    weights = {"treated": 1.0, "control": -1.0}
    found, apart = (
        contrast(fit_hierarchy(cells, likelihood="binomial", seed=1), weights) for cells in (paired, nested)
    )
    assert found.n_units == 5
    assert apart.n_units == 10
    assert np.std(found.mean_K) < 0.6 * np.std(apart.mean_K)
    assert prob_above(found.new_unit_M, 0.0) > 0.85 > prob_above(apart.new_unit_M, 0.0)


def test_one_paired_level_is_a_plain_hierarchy() -> None:
    cells = count_cells(level=["a"] * 4, unit=list("pqrs"), k=[3, 4, 5, 6], n=[10] * 4, nesting="paired")
    assert not cells.design.is_paired
    assert cells.design.n_units == 4


@pytest.mark.parametrize("k", [[0] * 10, [0] * 5 + [280] * 5])
def test_cells_of_nought_and_of_everything_get_finite_answers(k: list[int]) -> None:
    fit = fit_hierarchy(two_arms(k, 280), likelihood="binomial", seed=1)
    found = contrast(fit, {"treated": 1.0, "control": -1.0})
    expected = 1.0 if k[-1] else 0.0
    assert np.isfinite(found.mean_K).all()
    assert found.mean_K.mean() == pytest.approx(expected, abs=0.02)
    assert np.std(found.mean_K) > 1e-4


def test_unit_means_alone_and_flat_priors_give_back_students_t() -> None:
    """By hand: with very wide priors the interval of a mean of 30 units is the t interval."""
    values = stats.norm.ppf((np.arange(30) + 0.5) / 30) * 2.0 + 5.0
    cells = mean_cells(level=["a"] * 30, unit=[f"{s:02}" for s in range(30)], mean=values)
    priors = HierarchyPriors(
        run_sd=parse_prior("half-cauchy(100)"),
        level_mean=parse_prior("normal(0, 1000)"),
        outcome_sd=1.0,
        outcome_centre=0.0,
    )
    fit = fit_hierarchy(cells, likelihood="gaussian", seed=1, priors=priors, draws=4000)
    found = contrast(fit, {"a": 1.0})
    half = stats.t.ppf(0.975, 29) * np.std(values, ddof=1) / np.sqrt(30)
    interval = eti(found.mean_K)
    assert (interval.low, interval.high) == pytest.approx((5.0 - half, 5.0 + half), abs=0.03)
    assert fit.response.icc_KA is None


def test_answers_within_units_separate_their_noise_from_the_spread_between_units() -> None:
    """By hand: unit means scatter no more than ten answers of SD 1 explain, so little spread is left between units."""
    mean = [1.0, 1.3, 0.7, 1.1, 0.9, 1.2]
    level, unit = ["a"] * 6, list("uvwxyz")
    noisy = mean_cells(level=level, unit=unit, mean=mean, n=[10] * 6, sd=[1.0] * 6)
    alone = mean_cells(level=level, unit=unit, mean=mean)
    of_noisy, of_alone = (fit_hierarchy(cells, likelihood="gaussian", seed=1) for cells in (noisy, alone))
    assert of_noisy.response.unit_sd_KA.mean() < 0.75 * of_alone.response.unit_sd_KA.mean()
    assert of_noisy.response.icc_KA is not None
    assert of_noisy.response.icc_KA.mean() < 0.1
    assert of_noisy.is_scale_from_data


def test_heavy_tails_keep_one_wild_seed_from_moving_the_mean() -> None:
    values = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 6.0]
    cells = mean_cells(level=["a"] * 8, unit=list("abcdefgh"), mean=values)
    normal, heavy = (
        float(np.mean(contrast(fit_hierarchy(cells, likelihood=name, seed=1), {"a": 1.0}).mean_K))
        for name in ("gaussian", "student-t")
    )
    assert heavy < 0.9 * normal


def crossed(rng: np.random.Generator, *, overdispersion: float = 0.0) -> CellCounts:
    """Two arms x 4 runs x 6 items of 10 answers."""
    grid = [(a, s, i) for a in range(2) for s in range(4) for i in range(6)]
    item_I = rng.normal(0, 1, 6)
    run_AS = rng.normal(0, 0.5, (2, 4))
    rate = np.array([1 / (1 + np.exp(-(-1.5 + a + run_AS[a, s] + item_I[i]))) for a, s, i in grid])
    if overdispersion:
        rate = rng.beta(rate / overdispersion, (1 - rate) / overdispersion)
    return count_cells(
        level=[f"arm{a}" for a, _, _ in grid],
        unit=[str(s) for _, s, _ in grid],
        item=[f"q{i}" for _, _, i in grid],
        k=rng.binomial(10, rate),
        n=[10] * len(grid),
    )


def test_new_items_are_less_certain_than_the_items_at_hand() -> None:
    cells = crossed(np.random.default_rng(4))
    weights = {"arm1": 1.0}
    these, new = (fit_hierarchy(cells, likelihood="binomial", seed=1, items=target) for target in ("these", "new"))
    assert width(new, weights) > 1.1 * width(these, weights)


def test_overdispersed_cells_are_recognised_where_items_are_crossed() -> None:
    rng = np.random.default_rng(2)
    plain, wild = crossed(rng), crossed(rng, overdispersion=0.6)
    omega = [
        float(fit_hierarchy(cells, likelihood="beta-binomial", seed=1).tree.posterior["overdispersion"].mean())
        for cells in (plain, wild)
    ]
    assert omega[0] < 0.3 < omega[1]


def test_a_fit_that_fails_its_gates_is_tried_again_and_then_says_nothing() -> None:
    rules = GateRules(min_bulk_ess=1e9)
    fit = fit_hierarchy(one_arm(BIRDS, 100), likelihood="binomial", seed=1, draws=200, chains=2, rules=rules)
    assert [attempt.geometry for attempt in fit.attempts] == ["informed", "informed", "non-centred"]
    assert fit.attempts[1].sampler.draws == 800
    assert not fit.is_sound
    with pytest.raises(DiagnosticsFailed, match="bulk ESS"):
        contrast(fit, {"birds": 1.0})


def test_data_that_the_priors_cannot_reach_get_no_verdict() -> None:
    priors = HierarchyPriors(level_mean=parse_prior("normal(-4, 0.1)"), run_sd=parse_prior("half-normal(0.1)"))
    fit = fit_hierarchy(one_arm(BIRDS, 100), likelihood="binomial", seed=1, priors=priors, draws=200)
    assert len(fit.attempts) == 1
    with pytest.raises(DiagnosticsFailed, match="prior predictive does not reach birds / 00"):
        contrast(fit, {"birds": 1.0})


def test_a_likelihood_that_does_not_fit_the_cells_is_refused() -> None:
    values = mean_cells(level=["a"] * 3, unit=list("xyz"), mean=[1.0, 2.0, 3.0], se=[1.0, 1.0, 1.0])
    with pytest.raises(NotCounts, match="needs means"):
        fit_hierarchy(one_arm(BIRDS, 100), likelihood="gaussian", seed=1)
    with pytest.raises(NotCounts, match="needs counts"):
        fit_hierarchy(values, likelihood="binomial", seed=1)
    with pytest.raises(NotCounts, match="one cell a unit"):
        fit_hierarchy(one_arm(BIRDS, 100), likelihood="beta-binomial", seed=1)
    with pytest.raises(NotCounts, match="heavy tails"):
        fit_hierarchy(values, likelihood="student-t", seed=1)
    with pytest.raises(BadInput, match="name no items"):
        fit_hierarchy(one_arm(BIRDS, 100), likelihood="binomial", seed=1, items="new")


def test_unit_means_without_any_spread_are_refused() -> None:
    same = mean_cells(level=["a", "a", "b", "b"], unit=list("xyxy"), mean=[1.0, 1.0, 2.0, 2.0])
    with pytest.raises(NoSpread):
        fit_hierarchy(same, likelihood="gaussian", seed=1)
