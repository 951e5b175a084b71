"""Holm and Benjamini-Hochberg by hand, against scipy and statsmodels, and what stays in the family."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from seedlock.analysis.inference.multiplicity import bh, by_family, holm
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


def test_families_are_corrected_apart_and_keep_their_order() -> None:
    family = {"a": "main", "b": "main", "c": "guard"}
    found = by_family({"a": 0.02, "c": 0.04, "b": 0.5}, family, alpha=0.05)
    assert list(found) == ["a", "c", "b"]
    assert found["a"].p_adjusted == pytest.approx(0.04)
    assert found["c"].p_adjusted == pytest.approx(0.04)


def test_what_is_not_a_family_is_bad_input() -> None:
    with pytest.raises(BadInput):
        holm({}, alpha=0.05)
    with pytest.raises(BadInput, match=r"a = 1\.2"):
        bh({"a": 1.2}, alpha=0.05)
    with pytest.raises(BadInput, match="b"):
        by_family({"a": 0.1, "b": 0.2}, {"a": "main"}, alpha=0.05)
