"""The alpha of planned looks: boundaries against R, the error rate with a few seeds, and refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedlock.analysis.inference.alpha_spending import Spending, planned_looks
from seedlock.prereg.errors import BadInput

REFERENCE = json.loads((Path(__file__).parent / "reference/frequentist.json").read_text(encoding="utf-8"))["looks"]


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_boundaries_equal_those_solved_from_the_multivariate_normal_in_r(spending: Spending) -> None:
    found = planned_looks([1, 2, 3, 4, 5], alpha=REFERENCE["alpha"], spending=spending)
    expected = REFERENCE[spending.replace("-", "_")]
    assert [look.boundary_z for look in found] == pytest.approx(expected, abs=5e-4)


def test_one_look_spends_everything() -> None:
    (only,) = planned_looks([5], alpha=0.05, spending="pocock")
    assert only.nominal_alpha == pytest.approx(0.05)
    assert only.spent == pytest.approx(0.05)


def test_two_looks_by_hand() -> None:
    # Look 1 at half: 2 (1 - Phi(z(alpha/2) / sqrt(1/2))).
    first, second = planned_looks([3, 6], alpha=0.05, spending="obrien-fleming")
    assert first.nominal_alpha == pytest.approx(2 * stats.norm.sf(1.959963984540054 * math.sqrt(2)))
    # What is left is spent exactly: P(not 1, then 2), by the bivariate normal with correlation sqrt(1/2).
    both = stats.multivariate_normal([0, 0], [[1, math.sqrt(0.5)], [math.sqrt(0.5), 1]])
    stay = both.cdf(np.array([first.boundary_z, second.boundary_z]))
    assert 1 - stay == pytest.approx(0.05, abs=1e-5)


@settings(max_examples=20)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(sorted),
    st.sampled_from([0.01, 0.025, 0.05]),
    st.sampled_from(["obrien-fleming", "pocock"]),
)
def test_spending_grows_to_alpha_and_no_look_gets_more_than_alpha(
    seeds: list[int], alpha: float, spending: Spending
) -> None:
    found = planned_looks(seeds, alpha=alpha, spending=spending)
    spent = [look.spent for look in found]
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(alpha)
    assert all(0 < look.nominal_alpha <= alpha * (1 + 1e-9) for look in found)
    assert sum(look.nominal_alpha for look in found) >= alpha * (1 - 1e-6)


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_three_then_five_seeds_tested_by_t_stay_near_alpha(spending: Spending) -> None:
    rng = np.random.default_rng(21)
    draws, alpha = 40_000, 0.05
    looks = planned_looks([3, 5], alpha=alpha, spending=spending)
    data_KAS = rng.normal(size=(draws, 2, 5))
    crossed_K = np.zeros(draws, dtype=bool)
    for seeds, look in zip((3, 5), looks, strict=True):
        seen = data_KAS[:, :, :seeds]
        se_K = np.sqrt(seen.var(axis=2, ddof=1).mean(axis=1) * 2 / seeds)
        t_K = (seen[:, 0].mean(axis=1) - seen[:, 1].mean(axis=1)) / se_K
        crossed_K |= stats.t.sf(t_K, 2 * (seeds - 1)) <= look.nominal_alpha
    monte_carlo_error = math.sqrt(alpha * (1 - alpha) / draws)
    assert alpha - 0.01 < crossed_K.mean() <= alpha + 0.003 + 4 * monte_carlo_error


def test_looks_that_make_no_sense_are_bad_input() -> None:
    for seeds in ([], [3, 3], [5, 3], [0, 2]):
        with pytest.raises(BadInput):
            planned_looks(seeds, alpha=0.05, spending="pocock")
    with pytest.raises(BadInput):
        planned_looks([3, 5], alpha=0.5, spending="pocock")
