"""Standardised effects: by hand, against R's effectsize, coverage of the frozen SD, and refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pingouin as pg
import pytest
from hypothesis import given
from scipy import stats

from seedlock.analysis.estimators.internals.effect_size import (
    EffectSize,
    cohens_d,
    cohens_dz,
    exact_j,
    glass_delta,
    hedges_g,
    in_frozen_sds,
    noncentrality_limits,
)
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.estimators.wilson import wilson
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, NoSpread, NotFinite, NotPaired, TooFewUnits
from tests.conftest import PLAN, StudyFixture
from tests.sample_builders import count, seeds_with_spread, two_arms

REFERENCE = json.loads((Path(__file__).parent / "reference/frequentist.json").read_text(encoding="utf-8"))[
    "effect_size"
]


def test_effects_by_hand() -> None:
    # Means 4 and 1, both SDs 1: d = 3; J(4) = sqrt(pi/2) * ... = gamma(2) / (sqrt(2) gamma(1.5)).
    found = cohens_d([3, 4, 5], [0, 1, 2], sd_name="seed")
    assert (found.value, found.sd, found.sd_df) == (3, 1, 4)
    j = 1 / (math.sqrt(2) * math.sqrt(math.pi) / 2)
    assert hedges_g([3, 4, 5], [0, 1, 2], sd_name="seed").value == pytest.approx(3 * j)
    assert glass_delta([3, 4, 5], [0, 2, 4], sd_name="seed").value == 1
    assert cohens_dz([1, 4, 9], [0, 2, 6], sd_name="seed").value == 2


def test_j_is_564_thousandths_for_three_seed_means() -> None:
    assert exact_j(2) == pytest.approx(0.5641895835)
    assert exact_j(1e6) == pytest.approx(1 - 3 / (4e6 - 1), rel=1e-9)
    with pytest.raises(TooFewUnits):
        exact_j(1)


@pytest.mark.parametrize(
    ("effect", "key", "arms"),
    [
        (cohens_d, "d", ("a", "b")),
        (hedges_g, "g", ("a", "b")),
        (glass_delta, "glass", ("a", "b")),
        (cohens_dz, "dz", ("pairs_a", "pairs_b")),
    ],
)
def test_effects_and_intervals_equal_rs_effectsize(
    effect: Callable[..., EffectSize], key: str, arms: tuple[str, str]
) -> None:
    found = effect(REFERENCE[arms[0]], REFERENCE[arms[1]], sd_name="seed")
    assert found.value == pytest.approx(REFERENCE[key]["value"], rel=1e-9)
    # effectsize searches its noncentrality to about 1e-6.
    assert [found.ci_low, found.ci_high] == pytest.approx(REFERENCE[key]["ci"], abs=5e-6)


@given(seeds_with_spread(), seeds_with_spread())
def test_d_is_the_difference_over_the_pooled_sd(treated: list[float], control: list[float]) -> None:
    """Independent: numpy; the value itself is pingouin's."""
    found = cohens_d(treated, control, sd_name="seed")
    df = len(treated) + len(control) - 2
    squares = (len(treated) - 1) * np.var(treated, ddof=1) + (len(control) - 1) * np.var(control, ddof=1)
    expected = (np.mean(treated) - np.mean(control)) / np.sqrt(squares / df)
    assert found.value == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_what_pingouin_answers_without_spread_is_refused_here() -> None:
    """Three identical seeds an arm: pingouin's d is infinite; its g at 2 df is 1% above the exact one."""
    with np.errstate(divide="ignore"):
        assert math.isinf(pg.compute_effsize([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], eftype="cohen"))
    with pytest.raises(NoSpread):
        cohens_d([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], sd_name="seed")
    exact = hedges_g([1.0, 2.0], [0.0, 1.5], sd_name="seed").value
    assert pg.compute_effsize([1.0, 2.0], [0.0, 1.5], eftype="hedges") / exact == pytest.approx(
        0.5714 / 0.5642, rel=1e-3
    )


def test_a_report_names_the_sd_of_each_effect_size(tmp_path: Path) -> None:
    """By hand: 4 seeds an arm with 0, 1, 0, 2 and 7, 9, 8, 10 of 16 answers; 8 items of two answers a seed."""
    study = StudyFixture(StudyPaths(root=tmp_path, name="spread"))
    study.write_plan(PLAN + '\n[report]\neffect_sizes = ["unit", "item", "completion"]\n')
    study.to_report()
    results = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    h = results["hypotheses"][0]
    found = {(size["kind"], size["sd_of"]): size for size in h["effect_sizes"]}
    assert list(found) == [
        ("d", "seed"), ("g", "seed"), ("glass", "seed"), ("standardised", "item"), ("standardised", "completion"),
    ]  # fmt: skip
    plain, coupled = np.array([0, 1, 0, 2]) / 16, np.array([7, 9, 8, 10]) / 16
    seed_sd = np.sqrt((plain.var(ddof=1) + coupled.var(ddof=1)) / 2)
    assert found["d", "seed"]["value"] == pytest.approx((coupled.mean() - plain.mean()) / seed_sd)
    assert found["glass", "seed"]["value"] == pytest.approx((coupled.mean() - plain.mean()) / plain.std(ddof=1))
    squares = [64 * p * (1 - p) for p in (plain.mean(), coupled.mean())]
    completion_sd = np.sqrt(sum(squares) / 126)
    completion = found["standardised", "completion"]
    assert completion["sd"] == pytest.approx(completion_sd)
    assert completion["value"] == pytest.approx(h["estimate"] / completion_sd)
    assert completion["ci"][0] < h["ci"][0] / completion_sd  # the error of the SD is in it
    fires = np.array([[[number < k for number in range(16)] for k in ks] for ks in ((0, 1, 0, 2), (7, 9, 8, 10))])
    by_item = fires.reshape(2, 4, 2, 8).mean(axis=(1, 2))
    assert found["standardised", "item"]["sd"] == pytest.approx(np.sqrt(by_item.var(axis=1, ddof=1).mean()))
    assert "pingouin" in {entry["name"] for entry in results["software"]}
    assert "bambi" not in {entry["name"] for entry in results["software"]}
    page = (study.paths.report / "report.md").read_text("utf-8")
    assert "in SDs between seed" in page.replace("`", "")
    assert "pingouin" in page


@given(seeds_with_spread(), seeds_with_spread())
def test_the_noncentral_interval_holds_the_estimates_it_cannot_reject(
    treated: list[float], control: list[float]
) -> None:
    found = cohens_d(treated, control, sd_name="seed", level=0.9)
    root_n, df = 1 / math.sqrt(1 / len(treated) + 1 / len(control)), len(treated) + len(control) - 2
    t = found.value * root_n
    assert float(stats.nct.sf(t, df, found.ci_low * root_n)) == pytest.approx(0.05, abs=1e-4)
    assert float(stats.nct.cdf(t, df, found.ci_high * root_n)) == pytest.approx(0.05, abs=1e-4)


@given(seeds_with_spread(), seeds_with_spread())
def test_swapping_arms_mirrors_d(treated: list[float], control: list[float]) -> None:
    one, two = (cohens_d(a, b, sd_name="item") for a, b in ((treated, control), (control, treated)))
    assert (one.value, one.ci_low) == pytest.approx((-two.value, -two.ci_high), rel=1e-6, abs=1e-6)


def test_limits_of_a_central_t_are_symmetric() -> None:
    low, high = noncentrality_limits(0.0, 5, 0.95)
    assert (low, high) == pytest.approx((-1.959964, 1.959964), abs=1e-6)


def test_an_effect_in_frozen_sds_by_hand() -> None:
    estimate = pooled_t(two_arms([3, 4, 5], [0, 1, 2]), level=0.95, edges=())
    known = in_frozen_sds(estimate, sd=2.0, sd_df=None, sd_name="item")
    assert (known.value, known.ci_low) == pytest.approx((1.5, estimate.ci_low / 2))
    unsure = in_frozen_sds(estimate, sd=2.0, sd_df=9, sd_name="item")
    variance = 2 / 3 / 4 + 1.5**2 / 18
    df = variance**2 / ((2 / 3 / 4) ** 2 / 4 + (1.5**2 / 18) ** 2 / 9)
    assert unsure.ci_high == pytest.approx(1.5 + stats.t.ppf(0.975, df) * math.sqrt(variance))


def test_the_interval_in_frozen_sds_covers_although_the_sd_was_estimated() -> None:
    rng = np.random.default_rng(9)
    draws, truth = 1_500, 0.8
    covered = 0
    for _ in range(draws):
        pilot_sd = float(np.std(rng.normal(size=10), ddof=1))
        seeds = rng.normal(0, 0.4, size=(2, 5)) + np.array([[truth], [0.0]])
        estimate = pooled_t(two_arms(list(seeds[0]), list(seeds[1])), level=0.95, edges=())
        found = in_frozen_sds(estimate, sd=pilot_sd, sd_df=9, sd_name="seed")
        covered += found.ci_low <= truth <= found.ci_high
    # The delta method is not exact: within two points of its level.
    assert 0.93 < covered / draws < 0.98


EFFECTS = [cohens_d, hedges_g, glass_delta, cohens_dz]


@pytest.mark.parametrize("effect", EFFECTS)
def test_effects_without_a_spread_or_with_one_seed_are_refused(effect: Callable[..., EffectSize]) -> None:
    with pytest.raises(NoSpread):
        effect([0.3] * 3, [0.1] * 3, sd_name="seed")
    with pytest.raises(TooFewUnits):
        effect([0.3], [0.1], sd_name="seed")
    with pytest.raises(NotFinite):
        effect([0.3, math.nan], [0.1, 0.2], sd_name="seed")


def test_glass_needs_a_control_with_spread() -> None:
    with pytest.raises(NoSpread, match="control"):
        glass_delta([1, 2, 3], [2, 2, 2], sd_name="seed")


def test_pairs_of_different_length_and_sds_that_are_none_are_refused() -> None:
    with pytest.raises(NotPaired):
        cohens_dz([1, 2, 3], [1, 2], sd_name="seed")
    estimate = pooled_t(two_arms([3, 4, 5], [0, 1, 2]), level=0.95, edges=())
    with pytest.raises(BadInput):
        in_frozen_sds(estimate, sd=0.0, sd_df=None, sd_name="item")
    with pytest.raises(BadInput, match="without standard error"):
        in_frozen_sds(wilson(count(3, 9), level=0.95, edges=()), sd=1.0, sd_df=None, sd_name="item")
