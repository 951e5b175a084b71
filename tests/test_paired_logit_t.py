"""Matched rates near 0 and 1 with the seed as unit: by hand, by random draws, coverage, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.many_studies import ManyLevels
from seedlock.analysis.estimators.internals.paired_rate_pivots import paired_rate_pivots
from seedlock.analysis.estimators.internals.rate_pivots import rate_pivots
from seedlock.analysis.estimators.paired_logit_t import paired_logit_t
from seedlock.analysis.estimators.paired_t import paired_t
from seedlock.prereg.errors import NoSpread, NotCounts, NotPaired, NotThisDesign, TooFewUnits
from tests.sample_builders import level, sample
from tests.test_logit_t import arm, rates

A, B = [9, 22, 41], [3, 2, 9]


def test_the_pivot_by_hand() -> None:
    """Six seeds without counting noise: for each point two integrals, and the t of the differences beside them."""
    first, second = np.array([0.1, 0.2, 0.3, 0.2, 0.25, 0.15]), np.array([0.05, 0.02, 0.06, 0.03, 0.05, 0.04])
    found = paired_rate_pivots([first[None], second[None]], [1.0, -1.0], [None, None], points=8)
    point = stats.qmc.Sobol(7, scramble=False).random(8) + 1 / 16
    deviation = np.array([special.logit(x) - special.logit(x).mean() for x in (first, second)])
    root = np.linalg.cholesky(deviation @ deviation.T)
    by_hand = []
    for u in point:
        q = np.array(
            [[math.sqrt(stats.chi2.ppf(u[2], 5)), 0], [stats.norm.ppf(u[6]), math.sqrt(stats.chi2.ppf(u[3], 4))]]
        )
        star = root @ np.linalg.inv(q)
        centre = special.logit(np.array([first, second])).mean(axis=1) - star @ stats.norm.ppf(u[:2]) / math.sqrt(6)
        sd = np.sqrt(np.diag(star @ star.T))
        means = [
            integrate.quad(lambda x, m=m, s=s: special.expit(m + s * x) * stats.norm.pdf(x), -12, 12, limit=200)[0]
            for m, s in zip(centre, sd, strict=True)
        ]
        by_hand.append(means[0] - means[1])
    d = first - second
    t = d.mean() + d.std(ddof=1) / math.sqrt(6) * stats.t.ppf((np.arange(8) + 0.5) / 8, 5)
    assert found.low[0] == pytest.approx(np.minimum(np.sort(by_hand), t), abs=1e-4)
    assert found.high[0] == pytest.approx(np.maximum(np.sort(by_hand), t), abs=1e-4)


def test_the_interval_is_that_of_random_draws() -> None:
    """Six pairs of tiny rates: a logit is a logarithm, a mean exp(m + s^2 / 2); drawn with numpy alone."""
    logs = np.array([[-7.2, -6.9, -7.6, -7.0, -7.3, -6.8], [-9.1, -8.9, -9.3, -9.2, -8.7, -9.0]])
    rng = np.random.default_rng(7)
    n, draws = logs.shape[1], 200_000
    deviation = logs - logs.mean(axis=1, keepdims=True)
    (v11, _), (v21, v22) = np.linalg.cholesky(deviation @ deviation.T)
    q11, q22 = (np.sqrt(rng.chisquare(n - 1 - k, draws)) for k in (0, 1))
    q21, z1, z2 = rng.standard_normal((3, draws))
    a11, a21, a22 = v11 / q11, v21 / q11 - v22 * q21 / (q11 * q22), v22 / q22
    first = np.exp(logs[0].mean() - a11 * z1 / math.sqrt(n) + a11**2 / 2)
    second = np.exp(logs[1].mean() - (a21 * z1 + a22 * z2) / math.sqrt(n) + (a21**2 + a22**2) / 2)
    made = sample(
        level("a", np.exp(logs[0]).tolist()), level("b", np.exp(logs[1]).tolist(), weight=-1.0), is_proportion=True
    )
    found, plain = (method(made, level=0.9, edges=()) for method in (paired_logit_t, paired_t))
    assert found.ci_high == pytest.approx(max(plain.ci_high, np.quantile(first - second, 0.95)), rel=0.02)
    assert found.ci_low == pytest.approx(min(plain.ci_low, np.quantile(first - second, 0.05)), rel=0.02)
    assert found.estimate == plain.estimate
    assert found.unit_sd == plain.unit_sd


def test_a_level_that_does_not_vary_adds_nothing_but_its_rate() -> None:
    """Nothing varies in b but counting: the difference has the pivots of a alone, less that rate."""
    first = np.array([[0.1, 0.2, 0.4, 0.25]])
    alone = rate_pivots(first, 4000.0, points=4096)
    paired = paired_rate_pivots([first, np.full((1, 4), 1e-6)], [1.0, -1.0], [4000.0, 1e12], points=4096)
    for cut in (102, 409, 3686, 3993):
        assert paired.low[0, cut] == pytest.approx(alone.low[0, cut], abs=4e-3)
        assert paired.high[0, cut] == pytest.approx(alone.high[0, cut], abs=4e-3)


hits = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=6)


@settings(max_examples=25, deadline=None)
@given(hits, st.sampled_from([0.8, 0.95]), st.lists(st.floats(-0.99, 0.99), min_size=1, max_size=3, unique=True))
def test_an_edge_is_rejected_exactly_where_the_interval_excludes_it(
    pairs: list[tuple[int, int]], confidence: float, edges: list[float]
) -> None:
    made = rates(arm("a", [a for a, _ in pairs], 40), arm("b", [b for _, b in pairs], 40, -1.0))
    try:
        found = paired_logit_t(made, level=confidence, edges=tuple(edges))
    except NoSpread:
        return
    assert -1 <= found.ci_low <= found.estimate <= found.ci_high <= 1
    for test in found.edges:
        assert (test.p_above <= (1 - confidence) / 2) == (found.ci_low > test.edge)
        assert (test.p_below <= (1 - confidence) / 2) == (found.ci_high < test.edge)
    try:
        plain = paired_t(made, level=confidence, edges=())
    except NoSpread:
        return
    assert found.ci_low <= plain.ci_low + 1e-3
    assert found.ci_high >= plain.ci_high - 1e-3


def test_the_order_in_which_a_plan_names_its_levels_changes_only_the_sign() -> None:
    forth = paired_logit_t(rates(arm("a", A), arm("b", B, weight=-1.0)), level=0.95, edges=())
    back = paired_logit_t(rates(arm("b", B), arm("a", A, weight=-1.0)), level=0.95, edges=())
    assert (-back.ci_high, -back.ci_low) == pytest.approx((forth.ci_low, forth.ci_high), abs=2e-3)
    assert back.prediction is not None
    assert forth.prediction == pytest.approx((-back.prediction[1], -back.prediction[0]), abs=5e-3)


def test_many_studies_at_once_are_the_method_itself_but_for_their_points() -> None:
    first, second = (
        np.array([[2, 9, 5, 30], [0, 0, 0, 0], [7, 8, 9, 12]]),
        np.array([[1, 0, 2, 4], [0, 0, 0, 0], [6, 7, 8, 11]]),
    )
    simulate = ESTIMATORS["paired_logit_t"].simulate
    assert simulate is not None
    levels = [ManyLevels(weight=w, means_KU=k / 200, answers=200.0) for w, k in ((1.0, first), (-1.0, second))]
    many = simulate(levels, level=0.95, edges=(0.0,), limits=(-1.0, 1.0))
    assert many.has_answer_K.tolist() == [True, True, False]
    for k in (0, 1):
        made = rates(arm("a", first[k].tolist(), 200), arm("b", second[k].tolist(), 200, -1.0))
        one = paired_logit_t(made, level=0.95, edges=(0.0,))
        assert (many.low_K[k], many.high_K[k]) == pytest.approx((one.ci_low, one.ci_high), rel=0.1, abs=2e-3)
        assert many.p_KB[k] == pytest.approx([one.edges[0].p_above, one.edges[0].p_below], abs=6e-3)


@pytest.mark.parametrize(
    ("pair", "sds"), [((0.01, 0.05), (0.01, 1.0)), ((0.05, 0.2), (1.0, 1.0)), ((0.98, 0.9), (1.0, 0.5))]
)
@pytest.mark.parametrize("seeds", [3, 5])
def test_it_covers_where_the_paired_t_falls_short(
    pair: tuple[float, float], sds: tuple[float, float], seeds: int
) -> None:
    rng = np.random.default_rng([seeds, int(100 * pair[1])])
    z, w = np.polynomial.hermite_e.hermegauss(41)
    grid = np.linspace(-12, 12, 4001)
    common = rng.standard_normal((300, seeds))
    own = [0.7 * common + math.sqrt(1 - 0.7**2) * rng.standard_normal((300, seeds)) for _ in pair]
    drawn = []
    for rate, sd, e in zip(pair, sds, own, strict=True):
        centre = np.interp(rate, special.expit(grid[:, None] + sd * z) @ (w / w.sum()), grid)
        drawn.append(rng.binomial(400, special.expit(centre + sd * e)) / 400)
    simulate = ESTIMATORS["paired_logit_t"].simulate
    assert simulate is not None
    levels = [ManyLevels(weight=w, means_KU=x, answers=400.0) for w, x in zip((1.0, -1.0), drawn, strict=True)]
    many = simulate(levels, level=0.95, edges=(pair[0] - pair[1],), limits=(-1.0, 1.0))
    wrong_K = (many.p_KB <= 0.025).any(axis=1) & many.has_answer_K
    assert wrong_K.mean() < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_what_it_refuses() -> None:
    a = arm("a", A)
    with pytest.raises(NotThisDesign, match="yes/no"):
        paired_logit_t(sample(level("a", [0.2, 0.3, 0.5]), level("b", [0.1, 0.2, 0.6])), level=0.95, edges=())
    with pytest.raises(NotThisDesign, match="two or more levels"):
        paired_logit_t(rates(a), level=0.95, edges=())
    with pytest.raises(NotPaired):
        paired_logit_t(rates(a, arm("b", [*B, 3], weight=-1.0)), level=0.95, edges=())
    with pytest.raises(TooFewUnits):
        paired_logit_t(rates(arm("a", A[:2]), arm("b", B[:2], weight=-1.0)), level=0.95, edges=())
    no_counts = sample(level("a", [0.0, 0.3, 0.2]), level("b", [0.1, 0.2, 0.3], weight=-1.0), is_proportion=True)
    with pytest.raises(NotCounts, match="how many answers"):
        paired_logit_t(no_counts, level=0.95, edges=())
    with pytest.raises(NoSpread):
        paired_logit_t(rates(a, arm("b", [k + 5 for k in A], weight=-1.0)), level=0.95, edges=())
    with pytest.raises(NoSpread):
        paired_logit_t(rates(a, arm("b", [5, 5, 5], weight=-1.0)), level=0.95, edges=())
    none = paired_logit_t(rates(arm("a", [0, 0, 0]), arm("b", [0, 0, 0], weight=-1.0)), level=0.95, edges=())
    assert none.ci_low < 0 == none.estimate < none.ci_high
