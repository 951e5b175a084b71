"""What a seed hierarchy accepts and refuses, the words of its priors, and what bands make of draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from seedlock.analysis.bayes.cells import FloatArray, count_cells, mean_cells
from seedlock.analysis.bayes.contrast import band_posteriors, eti, hdi
from seedlock.analysis.bayes.priors import WORDS, HierarchyPriors, Prior, parse_prior
from seedlock.prereg.errors import BadInput, EmptyCell, NotCounts, NotFinite, NotPaired, SeedlockError, TooFewUnits


def test_rows_of_a_cell_are_added_whatever_their_order() -> None:
    cells = count_cells(
        level=["b", "a", "b", "a", "b"], unit=["0", "1", "1", "0", "0"], k=[1, 2, 3, 4, 5], n=[10, 10, 10, 10, 10]
    )
    assert cells.design.levels == ("a", "b")
    assert cells.k_GI[:, 0].tolist() == [4, 2, 6, 3]
    assert cells.n_GI[:, 0].tolist() == [10, 10, 20, 10]
    assert cells.design.n_units == 4


def test_an_item_that_a_run_never_answered_is_no_failure() -> None:
    cells = count_cells(level=["a", "a", "a"], unit=["0", "0", "1"], item=["p", "q", "p"], k=[1, 1, 1], n=[2, 2, 2])
    assert cells.n_GI.tolist() == [[2, 2], [2, 0]]


@pytest.mark.parametrize(
    ("change", "refusal", "says"),
    [
        ({"unit": ["0", "0", "0", "0"]}, TooFewUnits, "level 'a'"),
        ({"k": [1, 2, 3, 11]}, NotCounts, "0 <= k <= n"),
        ({"k": [1, 2, 3, 1.5]}, NotCounts, "whole number"),
        ({"k": [1, 2, 3, float("nan")]}, NotCounts, "finite"),
        ({"k": [0, 2, 3, 4], "n": [0, 10, 10, 10]}, EmptyCell, "a / 0"),
        ({"unit": ["0", "1", "0", "2"], "nesting": "paired"}, NotPaired, "unit '1'"),
        ({"level": [], "unit": [], "k": [], "n": []}, EmptyCell, "no scored answer"),
        ({"k": [1, 2, 3]}, NotCounts, "every column"),
    ],
)
def test_counts_that_cannot_carry_seed_level_inference_are_refused(
    change: dict[str, object], refusal: type[SeedlockError], says: str
) -> None:
    rows = {"level": ["a", "a", "b", "b"], "unit": ["0", "1", "0", "1"], "k": [1, 2, 3, 4], "n": [10] * 4} | change
    with pytest.raises(refusal) as caught:
        count_cells(**rows)  # type: ignore[arg-type]
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"mean": [1.0, float("inf"), 2.0, 3.0]}, NotFinite),
        ({"se": [1.0, -1.0, 1.0, 1.0]}, NotFinite),
        ({"sd": [1.0] * 4}, NotFinite),
        ({"unit": ["0", "0", "0", "1"]}, NotCounts),
    ],
)
def test_means_that_are_no_numbers_are_refused(change: dict[str, object], refusal: type[SeedlockError]) -> None:
    rows = {"level": ["a", "a", "b", "b"], "unit": ["0", "1", "0", "1"], "mean": [1.0, 2.0, 3.0, 4.0]} | change
    with pytest.raises(refusal):
        mean_cells(**rows)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "reference"),
    [
        ("half-normal(1)", stats.halfnorm(0, 1)),
        ("half-normal( 0.25 )", stats.halfnorm(0, 0.25)),
        ("half-cauchy(5)", stats.halfcauchy(0, 5)),
        ("exponential(2)", stats.expon(0, 2)),
        ("normal(-1, 2.5)", stats.norm(-1, 2.5)),
    ],
)
def test_a_prior_is_the_distribution_its_words_name(words: str, reference: stats.rv_continuous) -> None:
    prior = parse_prior(words)
    at = np.array([0.1, 1.0, 3.7])
    np.testing.assert_allclose(prior.log_density(at), reference.logpdf(at), rtol=1e-12)
    assert stats.kstest(prior.draw(np.random.default_rng(0), 2000), reference.cdf).pvalue > 0.001


def test_a_half_t_is_a_folded_t_and_integrates_to_one() -> None:
    prior = parse_prior("half-t3(2.5)")
    assert prior == Prior(family="half-t", scale=2.5, df=3.0)
    at = np.linspace(0, 4000, 2_000_001)
    assert np.trapezoid(np.exp(prior.log_density(at)), at) == pytest.approx(1.0, abs=1e-5)
    folded = prior.draw(np.random.default_rng(0), 4000) / 2.5
    assert stats.kstest(folded, lambda x: 2 * stats.t(3).cdf(x) - 1).pvalue > 0.001


@pytest.mark.parametrize(
    "words",
    [
        "flat",
        "uniform(0, 1)",
        "half-t(2.5)",
        "half-normal(0)",
        "half-normal(-1)",
        "half-normal3(1)",
        "normal(1)",
        "half-normal(x)",
    ],
)
def test_a_prior_that_is_not_known_is_refused_with_the_list(words: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_prior(words)
    assert repr(words) in str(caught.value)
    assert all(known in str(caught.value) for known in WORDS.values())


@given(st.sampled_from(["half-normal", "half-cauchy", "exponential"]), st.floats(1e-3, 1e3))
def test_a_printed_prior_reads_back(word: str, scale: float) -> None:
    prior = parse_prior(f"{word}({scale:g})")
    assert parse_prior(str(prior)) == prior


def test_a_run_sd_may_not_have_a_prior_that_reaches_below_nought() -> None:
    with pytest.raises(BadInput, match="positive prior"):
        HierarchyPriors(run_sd=parse_prior("normal(0, 1)"))
    with pytest.raises(BadInput, match="level means is normal"):
        HierarchyPriors(level_mean=parse_prior("half-normal(1)"))


finite_draws = arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e3, 1e3))
increasing_edges = st.lists(st.floats(-1e3, 1e3), max_size=5, unique=True).map(sorted)


@given(finite_draws, increasing_edges)
def test_the_bands_share_out_the_whole_posterior(draws: FloatArray, edges: list[float]) -> None:
    bands = band_posteriors(draws, edges)
    assert sum(band.probability for band in bands) == pytest.approx(1.0, abs=1e-12)
    assert [band.lower for band in bands[1:]] == [band.upper for band in bands[:-1]] == edges
    for band in bands:
        assert band.probability == np.mean((draws >= band.lower) & (draws < band.upper))


def test_bands_refuse_draws_that_are_no_numbers_and_edges_that_do_not_increase() -> None:
    with pytest.raises(NotFinite):
        band_posteriors(np.array([0.0, np.nan]), [0.0])
    with pytest.raises(BadInput, match="increase"):
        band_posteriors(np.array([0.0]), [0.2, 0.2])


def test_intervals_of_a_skewed_posterior_are_scipys_quantiles_and_the_narrowest() -> None:
    draws = stats.expon.ppf((np.arange(20_000) + 0.5) / 20_000)
    equal, narrow = eti(draws, 0.9), hdi(draws, 0.9)
    assert (equal.low, equal.high) == pytest.approx((stats.expon.ppf(0.05), stats.expon.ppf(0.95)), abs=1e-3)
    assert (narrow.low, narrow.high) == pytest.approx((0.0, stats.expon.ppf(0.9)), abs=1e-2)
