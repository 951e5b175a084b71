"""Random effects over studies: equal to R's metafor, to arithmetic and to statsmodels; what it refuses; what covers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import combine_effects

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.inference.random_effects import Width, pool, pool_many, reml_tau2
from seedlock.prereg.errors import BadInput, NoSpread, NotFinite, TooFewUnits

STORED: dict[str, Any] = json.loads((Path(__file__).parent / "reference/random_effects.json").read_text())
CASES = [name for name in STORED if name != "versions"]


def arrays(*values: list[float]) -> tuple[FloatArray, ...]:
    return tuple(np.array(one, dtype=float) for one in values)


@pytest.mark.parametrize("name", CASES)
def test_it_is_what_metafor_says(name: str) -> None:
    case = STORED[name]
    effect, se = arrays(case["effect"], case["se"])
    widths: tuple[tuple[str, Width], ...] = (("knha", "hksj"), ("adhoc", "hksj, never narrower"))
    for width, ours in widths:
        found = pool(effect, se, level=0.95, width=ours)
        assert found.estimate == pytest.approx(case[width]["estimate"], rel=1e-9)
        assert found.se == pytest.approx(case[width]["se"], rel=1e-9)
        assert found.ci == pytest.approx(case[width]["ci"], rel=1e-8)
        assert found.tau2 == pytest.approx(case["tau2"], rel=1e-8, abs=1e-12)
        assert found.tau2_ci == pytest.approx(case["tau2_ci"], rel=1e-6, abs=1e-9)
        assert found.i2 == pytest.approx(case["i2"], rel=1e-8, abs=1e-9)
        assert found.i2_ci == pytest.approx(case["i2_ci"], rel=1e-6, abs=1e-9)
        assert (found.q, found.q_p) == pytest.approx((case["q"], case["q_p"]), rel=1e-8)
        assert found.weights_J == pytest.approx(case["weights"], rel=1e-8)
        assert (found.prediction is None) == (len(effect) == 2)
        if found.prediction is not None:
            assert found.prediction == pytest.approx(case[width]["prediction"], rel=1e-8)


def test_with_equal_standard_errors_it_is_the_t_interval_over_studies() -> None:
    """Then REML is the moment estimate, and HKSJ forgets the standard errors; statsmodels says the same."""
    effect, se = arrays([0.1, 0.5, 0.3, 0.8], [0.1] * 4)
    found = pool(effect, se, level=0.9, edges=(0.2,), width="hksj")
    by_hand = stats.ttest_1samp(effect, 0.2, alternative="greater")
    assert found.tau2 == pytest.approx(effect.var(ddof=1) - 0.01)
    assert found.ci == pytest.approx(stats.ttest_1samp(effect, 0).confidence_interval(0.9))
    assert found.edges[0].p_above == pytest.approx(by_hand.pvalue)
    theirs = combine_effects(effect, se**2, method_re="pm", use_t=True, alpha=0.1)
    assert found.tau2 == pytest.approx(theirs.tau2, rel=1e-4)
    assert found.ci == pytest.approx(theirs.conf_int(alpha=0.1, use_t=True)[3], rel=1e-4)


def test_without_spread_between_studies_it_is_the_weighted_mean() -> None:
    effect, se = arrays([0.21, 0.22, 0.20], [0.05, 0.03, 0.08])
    theirs = combine_effects(effect, se**2, use_t=True)
    plain, kept = (pool(effect, se, level=0.95, width=w) for w in ("hksj", "hksj, never narrower"))
    assert plain.tau2 == 0
    assert plain.estimate == pytest.approx(theirs.mean_effect_fe)
    assert plain.se == pytest.approx(theirs.sd_eff_w_fe_hksj)
    assert kept.se == pytest.approx(theirs.sd_eff_w_fe), "not narrower than the standard errors ask for"


def test_two_studies_have_one_degree_of_freedom_and_no_prediction() -> None:
    found = pool(*arrays([0.23, 0.15], [0.011, 0.025]), level=0.95)
    assert found.df == 1
    assert found.prediction is None
    assert found.ci[1] - found.ci[0] > 0.9, "12.7 standard errors each way"


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0.05, 2)), min_size=2, max_size=9),
    st.floats(0.1, 10),
    st.floats(-3, 3),
)
def test_the_variance_between_studies_is_a_maximum_whatever_the_unit(
    studies: list[tuple[float, float]], unit: float, shift: float
) -> None:
    effect, se = np.array(studies).T
    (tau2,) = reml_tau2(effect[None], se[None] ** 2)

    def log_likelihood(at: float) -> float:
        w = 1 / (se**2 + at)
        mean = (w * effect).sum() / w.sum()
        return float(0.5 * (np.log(w).sum() - math.log(w.sum()) - (w * (effect - mean) ** 2).sum()))

    near = max(tau2, 0.01)
    assert (
        log_likelihood(tau2) >= max(log_likelihood(tau2 + near / 50), log_likelihood(max(0, tau2 - near / 50))) - 1e-9
    )
    (moved,) = reml_tau2((unit * effect + shift)[None], (unit * se[None]) ** 2)
    assert moved == pytest.approx(tau2 * unit**2, rel=1e-4, abs=1e-7 * unit**2)


def test_many_syntheses_at_once_are_each_one_by_itself() -> None:
    rng = np.random.default_rng(3)
    effect, se = rng.normal(0, 1, (20, 4)), rng.uniform(0.1, 1, (20, 4))
    many = pool_many(effect, se)
    for i in range(20):
        one = pool(effect[i], se[i], level=0.95)
        assert (one.estimate, one.se, one.tau2) == pytest.approx(
            (many.estimate_K[i], many.se_K[i], many.tau2_K[i]), rel=1e-9, abs=1e-12
        )


def test_the_q_profile_ends_where_q_is_a_quantile_of_chi_squared() -> None:
    effect, se = arrays([0.1, 0.31, 0.55], [0.05, 0.03, 0.08])
    found = pool(effect, se, level=0.95)
    for end, p in zip(found.tau2_ci, (0.975, 0.025), strict=True):
        w = 1 / (se**2 + end)
        q = optimize.minimize_scalar(lambda m, w=w: float((w * (effect - m) ** 2).sum())).fun
        assert stats.chi2.cdf(q, 2) == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize(
    ("effect", "se", "refusal"),
    [
        ([0.1], [0.1], TooFewUnits),
        ([0.1, 0.2], [0.1, 0.0], BadInput),
        ([0.1, math.nan], [0.1, 0.1], NotFinite),
        ([0.1, 0.2], [0.1], BadInput),
    ],
)
def test_what_cannot_be_pooled_is_refused(effect: list[float], se: list[float], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        pool(*arrays(effect, se), level=0.95)


def test_equal_estimates_leave_plain_hksj_without_a_standard_error() -> None:
    effect, se = arrays([0.2, 0.2, 0.2], [0.1, 0.1, 0.2])
    with pytest.raises(NoSpread):
        pool(effect, se, level=0.95, width="hksj")
    assert pool(effect, se, level=0.95).se == pytest.approx(1 / math.sqrt(225))
