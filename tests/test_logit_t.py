"""Rates near 0 and 1 with the seed as unit: by hand, against a lognormal mean, coverage, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.many_studies import ManyLevels
from seedlock.analysis.estimators.internals.rate_pivots import rate_pivots, tails
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.logit_t import logit_t
from seedlock.analysis.estimators.one_sample_t import one_sample_t
from seedlock.analysis.inference.bands import decide_bands
from seedlock.analysis.report.sections.hypotheses import left_though_outside
from seedlock.prereg.errors import NoSpread, NotCounts, NotThisDesign, TooFewUnits
from seedlock.prereg.plan.bands import parse_bands
from tests.sample_builders import level, sample


def arm(name: str, hits: list[int], n: int = 400, weight: float = 1.0) -> Level:
    labels = [f"{i:02d}" for i in range(len(hits))]
    return Level(
        name=name,
        weight=weight,
        unit_means={label: k / n for label, k in zip(labels, hits, strict=True)},
        unit_n=dict.fromkeys(labels, n),
    )


def rates(*levels: Level) -> Sample:
    return Sample(levels=levels, unit="seed", is_proportion=True)


def test_the_pivot_by_hand() -> None:
    """Two seeds without counting noise: for each (z, chi2) the mean rate is an integral, done by scipy."""
    logits = special.logit(np.array([0.1, 0.2]))
    found = rate_pivots(np.array([[0.1, 0.2]]), None, points=8)
    sobol = stats.qmc.Sobol(3, scramble=False).random(8) + 1 / 16
    by_hand = []
    for u, v in sobol[:, :2]:
        sd = math.sqrt(((logits - logits.mean()) ** 2).sum() / stats.chi2.ppf(v, 1))
        centre = logits.mean() - stats.norm.ppf(u) * sd / math.sqrt(2)
        mean, _ = integrate.quad(lambda x, c=centre, s=sd: special.expit(c + s * x) * stats.norm.pdf(x), -12, 12)
        by_hand.append(mean)
    t = np.clip(0.15 + 0.05 * stats.t.ppf((np.arange(8) + 0.5) / 8, 1), 0, 1)
    # The quadrature has 15 nodes: exact to 1e-3 for the SDs of a few logits that two seeds leave open.
    assert found.low[0] == pytest.approx(np.minimum(np.sort(by_hand), t), abs=4e-3)
    assert found.high[0] == pytest.approx(np.maximum(np.sort(by_hand), t), abs=4e-3)


def test_tiny_rates_have_the_interval_of_a_lognormal_mean() -> None:
    """At rates of 1e-5 a logit is a logarithm, and the mean is exp(m + s^2 / 2): drawn here with numpy alone."""
    logs = np.array([-11.2, -10.9, -11.6, -11.0, -11.3])
    rng = np.random.default_rng(4)
    chi = rng.chisquare(4, 400_000)
    variance = ((logs - logs.mean()) ** 2).sum() / chi
    drawn = np.exp(logs.mean() - rng.normal(size=chi.size) * np.sqrt(variance / 5) + variance / 2)
    found = logit_t(sample(level("a", np.exp(logs).tolist()), is_proportion=True), level=0.9, edges=())
    assert found.ci_high == pytest.approx(np.quantile(drawn, 0.95), rel=0.02)
    # Below, t on the rates is the wider of the two.
    assert found.ci_low == pytest.approx(
        one_sample_t(sample(level("a", np.exp(logs).tolist()), is_proportion=True), level=0.9, edges=()).ci_low,
        rel=0.01,
    )


def test_a_rate_of_a_few_percent_has_room_above_and_none_below_zero() -> None:
    few = rates(arm("a", [4, 9, 25, 3, 11]))
    found, plain = (method(few, level=0.95, edges=()) for method in (logit_t, one_sample_t))
    assert found.estimate == plain.estimate == pytest.approx(0.026)
    assert 0 <= found.ci_low <= plain.ci_low + 1e-9
    assert found.ci_high > plain.ci_high
    assert found.prediction is not None
    assert 0 <= found.prediction[0] <= found.ci_low < found.estimate < found.ci_high < found.prediction[1] < 1


def test_an_arm_without_a_hit_ends_at_zero_and_more_answers_or_seeds_never_widen_it() -> None:
    ends = [logit_t(rates(arm("a", [0] * s, n)), level=0.95, edges=()) for s, n in ((3, 50), (3, 400), (6, 400))]
    assert [found.ci_low for found in ends] == [0, 0, 0]
    uppers = [found.ci_high for found in ends]
    assert uppers == sorted(uppers, reverse=True)
    # Never less than all answers as independent ones leave open.
    assert uppers[1] > 1 - 0.025 ** (1 / 1200)


hit_lists = st.lists(st.integers(0, 40), min_size=2, max_size=6).filter(lambda ks: len(set(ks)) > 1)


@settings(max_examples=25)
@given(hit_lists, hit_lists, st.sampled_from([0.8, 0.95]), st.integers(-60, 60).map(lambda e: (e + 0.5) / 61))
def test_a_contrast_is_rejected_exactly_when_its_interval_excludes_the_edge(
    first: list[int], second: list[int], confidence: float, edge: float
) -> None:
    made = rates(arm("a", first, 40), arm("b", second, 40, weight=-1.0))
    found = logit_t(made, level=confidence, edges=(edge,))
    assert -1 <= found.ci_low <= found.estimate <= found.ci_high <= 1
    tail = (1 - confidence) / 2
    assert (found.edges[0].p_above <= tail) == (found.ci_low > edge)
    assert (found.edges[0].p_below <= tail) == (found.ci_high < edge)


@settings(max_examples=15)
@given(hit_lists, st.sampled_from([0.8, 0.95]))
def test_hits_and_misses_mirror_each_other(hits: list[int], confidence: float) -> None:
    found = logit_t(rates(arm("a", hits, 40)), level=confidence, edges=())
    mirrored = logit_t(rates(arm("a", [40 - k for k in hits], 40)), level=confidence, edges=())
    # The points of the sequence do not mirror to the last digit.
    assert (1 - mirrored.ci_high, 1 - mirrored.ci_low) == pytest.approx((found.ci_low, found.ci_high), abs=5e-3)


def test_many_studies_at_once_are_the_method_itself_but_for_their_points() -> None:
    hits = np.array([[2, 9, 5], [0, 0, 0], [7, 7, 7]])
    simulate = ESTIMATORS["logit_t"].simulate
    assert simulate is not None
    levels = [ManyLevels(weight=1.0, means_KU=hits / 200, answers=200.0)]
    many = simulate(levels, level=0.95, edges=(0.02,), limits=(0.0, 1.0))
    assert many.has_answer_K.tolist() == [True, True, False]
    for k in (0, 1):
        one = logit_t(rates(arm("a", hits[k].tolist(), 200)), level=0.95, edges=(0.02,))
        assert (many.low_K[k], many.high_K[k]) == pytest.approx((one.ci_low, one.ci_high), rel=0.03)
        assert many.p_KB[k] == pytest.approx([one.edges[0].p_above, one.edges[0].p_below], abs=2e-3)


@pytest.mark.parametrize(("rate", "sd"), [(0.02, 1.0), (0.5, 0.5), (0.99, 0.25)])
@pytest.mark.parametrize("seeds", [3, 5])
def test_it_covers_on_both_sides_near_the_ends_of_the_scale(rate: float, sd: float, seeds: int) -> None:
    rng = np.random.default_rng([seeds, int(100 * rate)])
    z, w = np.polynomial.hermite_e.hermegauss(41)
    grid = np.linspace(-12, 12, 4001)
    centre = np.interp(rate, special.expit(grid[:, None] + sd * z) @ (w / w.sum()), grid)
    true_KU = special.expit(centre + sd * rng.standard_normal((600, seeds)))
    above_K, below_K = tails(rate_pivots(rng.binomial(400, true_KU) / 400, 400.0, points=512), rate)
    for p_K in (above_K, below_K):
        assert np.mean(p_K <= 0.025) < 0.025 + 4 * math.sqrt(0.025 * 0.975 / 600)


def test_what_it_refuses() -> None:
    with pytest.raises(NotThisDesign, match="yes/no"):
        logit_t(sample(level("a", [0.2, 0.3])), level=0.95, edges=())
    with pytest.raises(NotCounts, match="how many answers"):
        logit_t(sample(level("a", [0.0, 0.3]), is_proportion=True), level=0.95, edges=())
    with pytest.raises(TooFewUnits):
        logit_t(rates(arm("a", [3])), level=0.95, edges=())
    with pytest.raises(NoSpread, match="no evidence of precision"):
        logit_t(rates(arm("a", [3, 3, 3])), level=0.95, edges=())


@settings(max_examples=40, deadline=None)
@given(
    arms=st.integers(3, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 40), min_size=n, max_size=n), min_size=1, max_size=2)
    ),
    alpha=st.sampled_from([0.1, 0.05, 1 / 32, 0.025, 0.01, 1e-4]),
    edges=st.lists(st.floats(-1, 1), min_size=1, max_size=6, unique=True),
)
def test_an_edge_is_rejected_exactly_where_the_interval_excludes_it(
    arms: list[list[int]], alpha: float, edges: list[float]
) -> None:
    levels = [arm(name, hits, n=40, weight=w) for hits, name, w in zip(arms, "ab", (1.0, -1.0), strict=False)]
    try:
        found = logit_t(rates(*levels), level=1 - 2 * alpha, edges=tuple(edges))
    except NoSpread:
        return
    ends = (0.0, 1.0) if len(levels) == 1 else (-1.0, 1.0)  # no interval leaves its scale, however small alpha is
    for test in (test for test in found.edges if ends[0] < test.edge < ends[1]):
        assert (test.p_above <= alpha) == (found.ci_low > test.edge)
        assert (test.p_below <= alpha) == (found.ci_high < test.edge)


def test_an_inner_band_may_be_left_though_the_interval_excludes_it_and_never_the_other_way() -> None:
    """Both of its edges are tested, each at alpha / 2: p is twice the smaller."""
    found = logit_t(rates(arm("a", [28, 39, 40], 40), arm("b", [0, 1, 5], 40, -1.0)), level=0.95, edges=(-0.05, 0.05))
    decided = decide_bands(found.edges, parse_bands(["below", -0.05, "near 0", 0.05, "above"]), 0.025)
    assert found.ci_low > 0.05
    assert decided.verdict == ("near 0", "above")
    assert decided.bands[1].p == 2 * found.edges[1].p_above > 0.025 >= found.edges[1].p_above
    told = [{"name": b.name, "lower": b.lower, "upper": b.upper, "excluded": b.excluded} for b in decided.bands]
    assert left_though_outside({"ci": (found.ci_low, found.ci_high), "bands": told}) == [1]
    assert left_though_outside({"ci": (0.0, found.ci_high), "bands": told}) == []


@pytest.mark.parametrize("hits", [(0, 0, 0, 0), (0, 1, 0, 0), (20, 20, 20, 20), (3, 5, 4, 6)])
def test_the_next_unit_is_never_promised_more_closely_than_the_mean(hits: tuple[int, ...]) -> None:
    found = logit_t(rates(arm("a", [*hits], 20)), level=0.95, edges=())
    assert found.prediction is not None
    assert found.prediction[0] <= found.ci_low <= found.estimate <= found.ci_high <= found.prediction[1]
