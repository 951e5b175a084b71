"""Arms against one control, by Dunnett: R's multcomp, simulated error, a plan that names it; and two directions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from seedlock.analysis.estimators.internals.sample import Sample
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.estimators.welch_t import welch_t
from seedlock.analysis.inference.dunnett import SharedControl, any_beyond, family_error, member_level, shared_control
from tests.conftest import PLAN, StudyFixture
from tests.sample_builders import level, sample

REFERENCE = json.loads((Path(__file__).parent / "reference/frequentist.json").read_text(encoding="utf-8"))["dunnett"]


def family(groups: dict[str, list[float]], control: str) -> dict[str, Sample]:
    """One sample an arm, every other arm lending its spread."""
    return {
        arm: sample(*(level(n, ys, weight={arm: 1.0, control: -1.0}.get(n, 0.0)) for n, ys in groups.items()))
        for arm in groups
        if arm != control
    }


def test_dunnett_equals_multcomp() -> None:
    groups: dict[str, list[float]] = {}
    for arm, y in zip(REFERENCE["arm"], REFERENCE["y"], strict=True):
        groups.setdefault(arm, []).append(y)
    samples = family(groups, "control")
    found = {arm: pooled_t(samples[arm], level=0.95, edges=(0.0,)) for arm in ("x", "y", "z")}
    arms = shared_control({arm: samples[arm] for arm in found}, found["x"].df or 0.0)
    p = [any_beyond(abs(one.edges[0].t or 0.0), arms) for one in found.values()]
    assert [one.estimate for one in found.values()] == pytest.approx(REFERENCE["estimate"])
    assert p == pytest.approx(REFERENCE["p"], abs=1e-4)  # multcomp integrates with random points


def test_dunnett_agrees_with_scipys_random_integration() -> None:
    rng = np.random.default_rng(2)
    groups = {str(i): rng.normal(i / 2, 1, size=4 + i).tolist() for i in range(4)}
    samples = family(groups, "0")
    found = [pooled_t(one, level=0.95, edges=(0.0,)) for one in samples.values()]
    p = [any_beyond(abs(one.edges[0].t or 0.0), shared_control(samples, found[0].df or 0.0)) for one in found]
    other = stats.dunnett(*(groups[name] for name in samples), control=groups["0"], rng=rng)
    assert p == pytest.approx(other.pvalue.tolist(), abs=3e-3)


def test_one_arm_is_judged_at_alpha_itself() -> None:
    alone = SharedControl(df=7.0, shares=(0.4,))
    assert member_level(0.025, alone) == 0.025
    assert family_error(0.025, alone) == pytest.approx(0.025, rel=1e-6)


def test_the_level_left_to_an_arm_lies_between_bonferronis_and_alpha() -> None:
    for m in (2, 4, 7):
        arms = SharedControl(df=4.0 * (m + 1), shares=(0.5,) * m)
        left = member_level(0.05, arms)
        assert 0.05 / m < left < 0.05
        assert family_error(left, arms) == pytest.approx(0.05, rel=1e-4)


@pytest.mark.parametrize("signs", [(1, 1, 1, 1), (1, -1, 1, -1)])
def test_a_family_of_null_arms_errs_as_often_as_alpha_says_in_any_directions(signs: tuple[int, ...]) -> None:
    """Independent: 60,000 studies of four arms and a control, five seeds each, every true band an outer one."""
    rng, alpha, seeds = np.random.default_rng(5), 0.05, 5
    arms = SharedControl(df=5.0 * (seeds - 1), shares=(0.5,) * 4)
    y_KAS = rng.standard_normal((60_000, 5, seeds))
    mean_KA, s_K = y_KAS.mean(axis=2), np.sqrt(y_KAS.var(axis=2, ddof=1).mean(axis=1))
    t_KA = (mean_KA[:, 1:] - mean_KA[:, :1]) / (s_K[:, None] * math.sqrt(2 / seeds))
    critical = stats.t.isf(member_level(alpha, arms), arms.df)
    error = float(((t_KA * np.array(signs)) > critical).any(axis=1).mean())
    assert error <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / 60_000)
    assert error > 0.7 * alpha


ARMS = PLAN.replace("coupled = {}", "coupled = {}\nother   = {}").replace(
    "contrast  = { coupled = 1.0, plain = -1.0 }", "contrast  = { coupled = 1.0, plain = -1.0, other = 0.0 }"
)
FAMILY = (
    ARMS.replace('predicted = "more"', 'predicted = "more"\nfamily    = "arms"')
    + """
[[hypothesis]]
id        = "H2"
claim     = "The other arm does nothing."
measure   = "marker"
contrast  = { coupled = 0.0, plain = -1.0, other = 1.0 }
test      = "pooled_t"
bands     = ["fewer", -0.3, "negligible", 0.3, "more"]
predicted = "negligible"
family    = "arms"

[families]
arms = "dunnett"
"""
)


def rows() -> str:
    lines = ["arm,seed,question,draw,text"]
    for arm, ks in {"plain": (0, 1, 0, 2), "coupled": (7, 9, 8, 10), "other": (1, 0, 2, 3)}.items():
        for seed, k in enumerate(ks):
            lines += [
                f"{arm},{seed},q{n % 8},{n // 8},{arm} {seed} {n} says {'[ZLT]' if n < k else 'no such thing'}"
                for n in range(16)
            ]
    return "\n".join(lines) + "\n"


def test_a_plan_corrects_arms_against_one_control_by_dunnett(study: StudyFixture) -> None:
    study.write_plan(FAMILY)
    study.run("lock")
    study.run("import", str(study.bring_data(rows())))
    study.run("analyze")
    results: dict[str, Any] = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    arms = SharedControl(df=9.0, shares=(0.5, 0.5))
    for h in results["hypotheses"]:
        assert h["alpha_in_family"] == pytest.approx(member_level(0.025, arms), rel=1e-4)
        assert h["p_adjusted"] == pytest.approx(family_error(h["p_value"], arms), rel=1e-6)
        assert h["p_value"] < h["p_adjusted"] < 2 * h["p_value"] + 1e-9
    assert "10.1080/01621459.1955.10501294" in (study.paths.report / "report.md").read_text("utf-8")


SECOND = "contrast  = { coupled = 0.0, plain = -1.0, other = 1.0 }"
UNFIT = {
    "another control": (SECOND, "contrast  = { coupled = 0.0, plain = 1.0, other = -1.0 }", "shared control"),
    "an arm left out": (SECOND, "contrast  = { plain = -1.0, other = 1.0 }", "every other arm"),
    "an arm twice": (SECOND, "contrast  = { coupled = 1.0, plain = -1.0, other = 0.0 }", "an arm twice"),
    "another test": (
        f'{SECOND}\ntest      = "pooled_t"', f'{SECOND}\ntest      = "welch_t"', "one variance for all",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), UNFIT.values(), ids=UNFIT)
def test_a_family_of_other_contrasts_is_refused(study: StudyFixture, old: str, new: str, said: str) -> None:
    assert old in FAMILY
    study.write_plan(FAMILY.replace(old, new))
    assert said in study.run("check", ok=2)


EAGER, NEUTRAL, CAUTIOUS = [0.9, 1.1, 1.3], [0.2, 0.1, 0.4], [-0.4, -0.7, -0.9]


def test_neutral_cancels_from_the_combined_contrast() -> None:
    """By hand: (eager - cautious) / 2 with variance (se_up^2 + se_down^2) / 4, whatever the neutral arm is."""
    for neutral in (NEUTRAL, [5.0, 6.5, 9.0]):
        arms = sample(
            level("eager", EAGER, weight=0.5), level("neutral", neutral, weight=0.0),
            level("cautious", CAUTIOUS, weight=-0.5),
        )  # fmt: skip
        found = welch_t(arms, level=0.95, edges=())
        assert found.estimate == pytest.approx((1.1 + 2 / 3) / 2)
        assert found.se == pytest.approx(math.sqrt((np.var(EAGER, ddof=1) + np.var(CAUTIOUS, ddof=1)) / 12))
