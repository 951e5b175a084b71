"""Several arms at once: Dunnett against R's multcomp, and the combined directional contrast."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from seedlock.analysis.estimators.paired_t import paired_t
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.estimators.welch_t import welch_t
from seedlock.analysis.extra.directional import directional
from seedlock.analysis.extra.dunnett import dunnett
from seedlock.prereg.errors import BadInput, NoSpread, NotFinite, TooFewUnits
from tests.sample_builders import level, sample, seeds_with_spread

REFERENCE = json.loads((Path(__file__).parent / "reference/frequentist.json").read_text(encoding="utf-8"))["dunnett"]


def test_dunnett_equals_multcomp() -> None:
    groups: dict[str, list[float]] = {}
    for arm, y in zip(REFERENCE["arm"], REFERENCE["y"], strict=True):
        groups.setdefault(arm, []).append(y)
    arms = tuple(level(arm, groups[arm]) for arm in ("x", "y", "z"))
    found = dunnett(arms, level("control", groups["control"]), level=0.95)
    assert [a.estimate for a in found] == pytest.approx(REFERENCE["estimate"])
    # multcomp integrates with random points, its critical value to about .002.
    assert [a.p_adjusted for a in found] == pytest.approx(REFERENCE["p"], abs=1e-4)
    assert [a.ci_low for a in found] == pytest.approx(REFERENCE["ci_low"], abs=0.01)
    assert [a.ci_high for a in found] == pytest.approx(REFERENCE["ci_high"], abs=0.01)


def test_dunnett_agrees_with_scipys_random_integration() -> None:
    rng = np.random.default_rng(2)
    groups = [rng.normal(i / 2, 1, size=4 + i).tolist() for i in range(4)]
    found = dunnett(tuple(level(str(i), g) for i, g in enumerate(groups[1:])), level("c", groups[0]), level=0.95)
    other = stats.dunnett(*groups[1:], control=groups[0], rng=rng)
    assert [a.p_adjusted for a in found] == pytest.approx(other.pvalue.tolist(), abs=3e-3)


def test_dunnett_with_one_arm_is_students_t() -> None:
    a, b = [3.0, 4.0, 5.5], [1.0, 2.0, 2.2]
    (only,) = dunnett((level("a", a),), level("b", b), level=0.95)
    other = stats.ttest_ind(a, b)
    interval = other.confidence_interval(0.95)
    assert only.p_adjusted == pytest.approx(other.pvalue, rel=1e-8)
    assert (only.ci_low, only.ci_high) == pytest.approx((interval.low, interval.high), rel=1e-7)


def test_dunnett_is_wider_than_one_comparison() -> None:
    rng = np.random.default_rng(3)
    arms = tuple(level(f"a{i}", rng.normal(size=4).tolist()) for i in range(3))
    control = level("c", rng.normal(size=4).tolist())
    together = dunnett(arms, control, level=0.95)
    everyone = [
        level(lv.name, list(lv.unit_means.values()), weight=w)
        for lv, w in zip((*arms, control), (1.0, 0.0, 0.0, -1.0), strict=True)
    ]
    alone = pooled_t(sample(*everyone), level=0.95, edges=())
    assert together[0].estimate == pytest.approx(alone.estimate)
    assert together[0].ci_low < alone.ci_low < alone.ci_high < together[0].ci_high


def test_dunnett_refuses_degenerate_arms() -> None:
    with pytest.raises(NoSpread):
        dunnett((level("a", [1, 1]),), level("c", [2, 2]), level=0.95)
    with pytest.raises(TooFewUnits):
        dunnett((level("a", [1]),), level("c", [2, 3]), level=0.95)
    with pytest.raises(NotFinite):
        dunnett((level("a", [1, math.nan]),), level("c", [2, 3]), level=0.95)
    with pytest.raises(BadInput):
        dunnett((), level("c", [2, 3]), level=0.95)


EAGER, NEUTRAL, CAUTIOUS = [0.9, 1.1, 1.3], [0.2, 0.1, 0.4], [-0.4, -0.7, -0.9]


def test_neutral_cancels_from_the_combined_contrast() -> None:
    one = sample(level("eager", EAGER), level("neutral", NEUTRAL), level("cautious", CAUTIOUS))
    other = sample(level("eager", EAGER), level("neutral", [5.0, 6.5, 9.0]), level("cautious", CAUTIOUS))
    for arms in (one, other):
        found = directional(arms, welch_t, up="eager", neutral="neutral", down="cautious", level=0.95)
        assert found.combined.estimate == pytest.approx((1.1 + 2 / 3) / 2)
        # (se_up^2 + se_down^2) / 4, each arm's variance over its three seeds.
        assert found.combined.se == pytest.approx(math.sqrt((np.var(EAGER, ddof=1) + np.var(CAUTIOUS, ddof=1)) / 12))


def test_both_directions_is_as_weak_as_the_weaker_one() -> None:
    arms = sample(level("eager", EAGER), level("neutral", NEUTRAL), level("cautious", CAUTIOUS))
    found = directional(arms, pooled_t, up="eager", neutral="neutral", down="cautious", level=0.95)
    assert found.p_both == max(found.up.edges[0].p_above, found.down.edges[0].p_above)
    assert found.p_combined < found.p_both
    assert found.up.df == found.combined.df == 6


@given(seeds_with_spread(least=3, most=3), seeds_with_spread(least=3, most=3), seeds_with_spread(least=3, most=3))
def test_the_two_directions_average_to_the_combined_contrast(a: list[float], b: list[float], c: list[float]) -> None:
    arms = sample(level("up", a), level("mid", b), level("down", c))
    found = directional(arms, pooled_t, up="up", neutral="mid", down="down", level=0.95)
    average = (found.up.estimate + found.down.estimate) / 2
    assert found.combined.estimate == pytest.approx(average, abs=1e-12)


def test_a_directional_contrast_of_missing_or_constant_arms_is_refused() -> None:
    arms = sample(level("eager", EAGER), level("neutral", NEUTRAL), level("cautious", CAUTIOUS))
    with pytest.raises(BadInput, match="bold"):
        directional(arms, pooled_t, up="bold", neutral="neutral", down="cautious", level=0.95)
    flat = sample(level("eager", [1, 1, 1]), level("neutral", [0, 0, 0]), level("cautious", [-1, -1, -1]))
    with pytest.raises(NoSpread):
        directional(flat, paired_t, up="eager", neutral="neutral", down="cautious", level=0.95)
