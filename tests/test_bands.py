"""Band verdicts: TOST inside, neighbours only, and a simulated error rate for the whole rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seedlock.analysis.estimators.internals.sample import EdgeTest
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.inference.bands import decide_bands, inner_band_p
from seedlock.analysis.inference.claims import ClaimPart, all_of, any_of
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.bands import Bands, parse_bands
from tests.sample_builders import alphas, seeds_with_spread, sesois, two_arms

LEAK = parse_bands(["none", 0.05, "intermediate", 0.25, "like EM"])


def edges_at(*triples: tuple[float, float, float]) -> list[EdgeTest]:
    return [EdgeTest(edge=edge, p_above=above, p_below=below) for edge, above, below in triples]


def test_bands_by_hand() -> None:
    # Above 5% (p = .004) and below 25% (p = .01): the middle band is all that is left, at p = .01.
    found = decide_bands(edges_at((0.05, 0.004, 0.996), (0.25, 0.99, 0.01)), LEAK, 0.05)
    assert [band.p for band in found.bands] == [0.004, 1.0, 0.01]
    assert found.verdict == ("intermediate",)
    assert (found.outcome, found.decision) == ("decided", "intermediate")
    assert found.p_for("intermediate") == 0.01
    # Above 25% at p = .03: the inner band needs alpha / 2 at its edge, so it stays.
    found = decide_bands(edges_at((0.25, 0.03, 0.97), (0.05, 0.001, 0.999)), LEAK, 0.05)
    assert found.verdict == ("intermediate", "like EM")
    assert found.decision == "inconclusive: intermediate or like EM"
    assert found.bands[1].p == 0.06


def test_marker_cells_leak_at_an_intermediate_rate() -> None:
    from seedlock.analysis.estimators.one_sample_t import one_sample_t
    from tests.sample_builders import level, sample

    cells = sample(level("benign", [k / 3080 for k in (385, 458, 214, 336, 405)]), is_proportion=True)
    found = one_sample_t(cells, level=0.95, edges=LEAK.edges)
    assert decide_bands(found.edges, LEAK, 0.05).verdict == ("intermediate",)


@given(seeds_with_spread(), seeds_with_spread(), sesois, alphas)
def test_only_the_middle_band_is_left_exactly_when_tost_rejects(
    treated: list[float], control: list[float], sesoi: float, alpha: float
) -> None:
    contrast = two_arms(treated, control)
    bands = parse_bands(["opposite", -sesoi, "negligible", sesoi, "supported"])
    edges = pooled_t(contrast, level=1 - 2 * alpha, edges=bands.edges).edges
    found = decide_bands(edges, bands, alpha)
    p_equivalent = max(edges[0].p_above, edges[1].p_below)
    assert found.p_for("negligible") == p_equivalent
    assert (p_equivalent <= alpha) == (found.verdict == ("negligible",))


@st.composite
def any_edge_tests(draw: st.DrawFn) -> tuple[list[EdgeTest], Bands]:
    """Edge tests that need not be consistent: any p-values at all."""
    edges = sorted(draw(st.sets(st.integers(-5, 5), min_size=1, max_size=5)))
    spelled: list[str | float] = ["b0"]
    for i, edge in enumerate(edges):
        spelled += [float(edge), f"b{i + 1}"]
    p = st.floats(1e-9, 1)
    return edges_at(*((float(edge), draw(p), draw(p)) for edge in edges)), parse_bands(spelled)


@given(any_edge_tests(), alphas)
def test_the_bands_left_are_always_neighbours(made: tuple[list[EdgeTest], Bands], alpha: float) -> None:
    edge_tests, bands = made
    found = decide_bands(edge_tests, bands, alpha)
    assert "".join(bands.names).find("".join(found.verdict)) >= 0
    assert {"decided": 1, "no band left": 0}.get(found.outcome, len(found.verdict)) == len(found.verdict)
    for band in found.bands:
        assert band.excluded == (band.p <= alpha)


@given(seeds_with_spread(), seeds_with_spread(), alphas)
def test_t_tests_never_exclude_every_band_nor_the_one_with_the_estimate(
    treated: list[float], control: list[float], alpha: float
) -> None:
    bands = parse_bands(["a", -1.0, "b", 0.0, "c", 1.5, "d"])
    found = pooled_t(two_arms(treated, control), level=0.9, edges=bands.edges)
    decision = decide_bands(found.edges, bands, alpha)
    home = bands.names[sum(found.estimate > edge for edge in bands.edges)]
    assert home in decision.verdict


def test_contradictory_edge_tests_leave_no_band_and_say_so() -> None:
    found = decide_bands(edges_at((0.0, 0.001, 0.001)), parse_bands(["below", 0.0, "above"]), 0.05)
    assert found.verdict == ()
    assert found.outcome == "no band left"
    assert found.decision == "no band left: the edge tests contradict each other"


def test_bands_on_a_standardised_scale_meet_their_raw_edges() -> None:
    bands = parse_bands(["opposite", -0.2, "negligible", 0.2, "supported"])
    raw = edges_at((-0.2 * 0.37, 0.001, 0.999), (0.2 * 0.37, 0.002, 0.998))
    assert decide_bands(raw, bands, 0.05, scale=0.37).verdict == ("supported",)


def test_a_missing_edge_and_a_wild_alpha_are_bad_input() -> None:
    with pytest.raises(BadInput, match=r"edge 0\.25"):
        decide_bands(edges_at((0.05, 0.1, 0.9)), LEAK, 0.05)
    for alpha in (0.0, 0.5, 1.2, math.nan):
        with pytest.raises(BadInput):
            decide_bands(edges_at((0.05, 0.1, 0.9), (0.25, 0.1, 0.9)), LEAK, alpha)
    with pytest.raises(BadInput):
        decide_bands(edges_at((0.05, 0.1, 0.9), (0.25, 0.1, 0.9)), LEAK, 0.05, scale=0.0)
    with pytest.raises(BadInput, match="bands are none"):
        decide_bands(edges_at((0.05, 0.1, 0.9), (0.25, 0.1, 0.9)), LEAK, 0.05).p_for("huge")


@pytest.mark.parametrize("df", [1, 2, 4, 14])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_the_inner_band_keeps_its_level_although_the_standard_error_is_estimated(df: int, alpha: float) -> None:
    """Rejection probability at a band's edge, integrated over the estimated standard error (true SE 1)."""
    quantiles = (np.arange(2_000) + 0.5) / 2_000
    se_K = stats.chi.ppf(quantiles, df) / math.sqrt(df)
    for width in (0.01, 0.3, 1.0, 3.0, 10.0, 30.0):
        low_K, high_K = np.zeros_like(se_K), np.full_like(se_K, 1e4)
        for _ in range(60):  # t at the upper edge from which the band is excluded, by bisection
            t_K = (low_K + high_K) / 2
            p_K = stats.t.sf(t_K, df) + stats.t.sf(t_K + width / se_K, df)
            low_K, high_K = np.where(p_K > alpha, t_K, low_K), np.where(p_K > alpha, high_K, t_K)
        level = float(np.mean(stats.norm.sf(high_K * se_K) + stats.norm.sf(high_K * se_K + width)))
        assert 0.7 * alpha < level <= alpha * (1 + 1e-4)


def test_a_wide_inner_band_costs_no_more_than_its_nearer_edge() -> None:
    assert inner_band_p(above=(1e-9, 0.03), below=(1.0, 0.97), is_t=True) == pytest.approx(0.03)
    assert inner_band_p(above=(0.03, 0.03), below=(0.97, 0.97), is_t=True) == pytest.approx(0.06)
    assert inner_band_p(above=(1e-9, 0.03), below=(1.0, 0.97), is_t=False) == pytest.approx(0.06)


@pytest.mark.parametrize("seeds", [3, 5, 8])
@pytest.mark.parametrize("width", [0.1, 1.0, 4.0])
def test_the_true_band_is_excluded_with_probability_at_most_alpha(seeds: int, width: float) -> None:
    """Two arms with estimated variance; truths on the edges, inside and outside; bands narrow to wide."""
    alpha, draws = 0.05, 4_000
    rng = np.random.default_rng([seeds, round(10 * width)])
    bands = parse_bands(["low", -width / 2, "middle", width / 2, "high"])
    df, se_factor = 2 * (seeds - 1), math.sqrt(2 / seeds)
    for truth in (-width / 2, -width / 4, 0.0, width / 2, width / 2 + 0.5):
        estimate_K = truth + rng.normal(size=draws) * se_factor
        se_K = np.sqrt(rng.chisquare(df, draws) / df) * se_factor
        p_above_KE = stats.t.sf((estimate_K[:, None] - np.array(bands.edges)) / se_K[:, None], df)
        lost = dict.fromkeys(bands.names, 0)
        for p_above_E in p_above_KE.tolist():
            edge_tests = [
                EdgeTest(edge=e, p_above=p, p_below=1 - p, t=0.0) for e, p in zip(bands.edges, p_above_E, strict=True)
            ]
            for name in set(bands.names) - set(decide_bands(edge_tests, bands, alpha).verdict):
                lost[name] += 1
        # On an edge, either neighbour may be called the true band.
        for band in bands.bands:
            if (band.lower is None or truth >= band.lower) and (band.upper is None or truth <= band.upper):
                assert lost[band.name] / draws <= alpha + 4 * math.sqrt(alpha * (1 - alpha) / draws)


def test_all_of_is_as_strong_as_its_weakest_part() -> None:
    parts = [ClaimPart(name="H1[llama]", p=0.001), ClaimPart(name="H1[qwen]", p=0.04)]
    assert all_of(parts, alpha=0.05).p == 0.04
    assert all_of(parts, alpha=0.05).holds is True
    assert all_of(parts, alpha=0.01).holds is False
    assert all_of(parts, alpha=0.01).holding == ("H1[llama]",)


def test_any_of_corrects_for_the_number_of_parts() -> None:
    parts = [ClaimPart(name="a", p=0.03), ClaimPart(name="b", p=0.2)]
    found = any_of(parts, alpha=0.05)
    assert (found.p, found.holds) == (0.06, False)


def test_a_part_that_is_not_testable_leaves_all_of_open_unless_another_fails() -> None:
    blank = ClaimPart(name="b", p=None, reason="no-spread")
    found = all_of([ClaimPart(name="a", p=0.001), blank], alpha=0.05)
    assert (found.p, found.holds, found.reason) == (None, None, "b: no-spread")
    assert all_of([ClaimPart(name="a", p=0.9), blank], alpha=0.05).holds is False


def test_a_part_that_is_not_testable_does_not_loosen_any_of() -> None:
    blank = ClaimPart(name="b", p=None)
    assert any_of([ClaimPart(name="a", p=0.03), blank], alpha=0.05).p == 0.06
    assert any_of([blank], alpha=0.05).holds is None


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=6), alphas)
def test_all_of_implies_any_of_only_after_correction(p_values: list[float], alpha: float) -> None:
    parts = [ClaimPart(name=str(i), p=p) for i, p in enumerate(p_values)]
    together, either = all_of(parts, alpha=alpha), any_of(parts, alpha=alpha)
    assert together.p == max(p_values)
    assert either.p is not None
    assert min(p_values) <= either.p <= min(1.0, min(p_values) * len(parts)) * (1 + 1e-12)


def test_a_claim_about_nothing_or_twice_the_same_is_bad_input() -> None:
    with pytest.raises(BadInput):
        all_of([], alpha=0.05)
    with pytest.raises(BadInput):
        any_of([ClaimPart(name="a", p=0.1)] * 2, alpha=0.05)
