"""Holm and Benjamini-Hochberg by hand, against scipy and statsmodels, and what stays in the family."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from seedlock.analysis.estimators.internals.many_studies import ManyLevels
from seedlock.analysis.estimators.pooled_t import pooled_t_in_many
from seedlock.analysis.inference.multiplicity import bh, holm, places
from seedlock.analysis.simulation.rules import shares
from seedlock.prereg.errors import BadInput

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def named(p_values: list[float]) -> dict[str, float | None]:
    return {f"H{i}": p for i, p in enumerate(p_values)}


def test_holm_by_hand() -> None:
    found = holm(named([0.01, 0.04, 0.03]), alpha=0.05)
    assert [a.p_adjusted for a in found.values()] == pytest.approx([0.03, 0.06, 0.06])
    assert [a.rejected for a in found.values()] == [True, False, False]


def test_benjamini_hochberg_by_hand() -> None:
    found = bh(named([0.01, 0.04, 0.03]), alpha=0.05)
    assert [a.p_adjusted for a in found.values()] == pytest.approx([0.03, 0.04, 0.04])
    assert all(a.rejected for a in found.values())


@given(p_lists)
def test_benjamini_hochberg_agrees_with_scipy(p_values: list[float]) -> None:
    found = bh(named(p_values), alpha=0.05)
    assert [a.p_adjusted for a in found.values()] == pytest.approx(stats.false_discovery_control(p_values).tolist())


@pytest.mark.parametrize("seed", range(5))
def test_holm_agrees_with_statsmodels(seed: int) -> None:
    p_values = np.random.default_rng(seed).uniform(0, 0.2, size=4 + seed).tolist()
    found = holm(named(p_values), alpha=0.05)
    assert [a.p_adjusted for a in found.values()] == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


@given(p_lists, st.sampled_from([0.01, 0.05, 0.2]))
def test_holm_rejects_what_bonferroni_rejects_and_never_more_than_no_correction(
    p_values: list[float], alpha: float
) -> None:
    for a in holm(named(p_values), alpha=alpha).values():
        assert a.p is not None
        assert a.p_adjusted is not None
        assert a.p <= a.p_adjusted <= 1
        if a.p < alpha / len(p_values) * (1 - 1e-12):
            assert a.rejected


def test_a_refused_test_keeps_its_place_in_the_family() -> None:
    found = holm({"a": 0.02, "b": None, "c": 0.9}, alpha=0.05)
    assert found["a"].p_adjusted == pytest.approx(0.06)
    assert found["b"].p_adjusted is None
    assert not found["b"].rejected


def test_what_is_not_a_family_is_bad_input() -> None:
    with pytest.raises(BadInput):
        holm({}, alpha=0.05)
    with pytest.raises(BadInput, match=r"a = 1\.2"):
        bh({"a": 1.2}, alpha=0.05)


def test_a_family_leaves_its_members_a_level_by_hand() -> None:
    # .001 <= .05/3 is decided at .05/3; .03 > .05/2 is not, nor is the last; both are then judged at .05/2.
    p = named([0.03, 0.001, 0.4])
    found = places(p, {"H0": 0.03, "H1": 0.001, "H2": 0.99}, alpha=0.05, method="holm")
    assert [place.share for place in found.values()] == pytest.approx([1 / 2, 1 / 3, 1 / 2])
    assert [place.p_adjusted for place in found.values()] == pytest.approx([0.06, 0.003, 1.0])


def test_a_refused_member_keeps_its_place_and_has_no_p() -> None:
    found = places({"a": 0.02, "b": None}, {"a": 0.02, "b": None}, alpha=0.05, method="holm")
    assert found["a"].share == 0.5
    assert found["a"].p_adjusted == pytest.approx(0.04)
    assert found["b"].p_adjusted is None


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from(["holm", "bh"]), st.sampled_from([0.025, 0.2])
)
def test_the_simulated_families_are_the_ones_of_the_analysis(p: list[float], method: str, alpha: float) -> None:
    one = places(named(p), named(p), alpha=alpha, method=method)
    many = shares(np.array([p]), alpha=alpha, method=method)[0]
    assert [place.share for place in one.values()] == pytest.approx(many.tolist())
    for p_one, place in zip(p, one.values(), strict=True):
        assert 0 < place.share <= 1
        # Judged at the level that the family leaves, a member is decided exactly when its adjusted p says so.
        if place.p_adjusted is not None and abs(place.p_adjusted - alpha) > 1e-9:
            assert (p_one <= alpha * place.share * (1 + 1e-12)) == (place.p_adjusted <= alpha)


@pytest.mark.parametrize("members", [8, 16])
@pytest.mark.parametrize("truth", ["no effect anywhere", "half of the effects large"])
def test_a_family_rarely_excludes_the_true_band_of_any_member(members: int, truth: str) -> None:
    """Five seeds an arm, predicted "more": before, a false "less" came in .18 of families of 8 and .33 of 16."""
    alpha, studies = 0.025, 4000
    rng = np.random.default_rng([members, len(truth)])
    shift_M = np.where(np.arange(members) < members / 2, 8.0, 0.0) if truth.startswith("half") else np.zeros(members)
    arms = rng.normal(size=(2, studies, members, 5))
    arms[0] += shift_M[:, None]
    p_KMB = np.stack(
        [
            pooled_t_in_many(
                [ManyLevels(weight=1.0, means_KU=arms[0, :, m]), ManyLevels(weight=-1.0, means_KU=arms[1, :, m])],
                level=1 - 2 * alpha,
                edges=(0.0,),
                limits=(-np.inf, np.inf),
            ).p_KB
            for m in range(members)
        ],
        axis=1,
    )
    share_KM = shares(np.sort(p_KMB, axis=2)[:, :, -2], alpha=alpha, method="holm")
    excluded_KMB = p_KMB <= alpha * share_KM[:, :, None]
    null_M = shift_M == 0
    error = alpha + 4 * np.sqrt(alpha * (1 - alpha) / studies)
    # At no effect "less" is the side that a prediction of "more" did not protect; "more" is held to the same.
    for band in (0, 1):
        assert excluded_KMB[:, null_M, band].any(axis=1).mean() <= error
    if not null_M.all():
        assert excluded_KMB[:, ~null_M, 1].mean() == 0
        assert excluded_KMB[:, ~null_M, 0].mean() > 0.9
