"""Looks at any time: e-values over seeds, their confidence sequence, and what stopping at will costs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pingouin
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from seedlock.analysis.analyze import analyze_study
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.many_studies import ManyLevels
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.inference.anytime import anytime, anytime_p, critical_t, log_e_value
from seedlock.analysis.simulation.anytime import anytime_many
from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.analysis.simulation.run import simulate_design
from seedlock.generation.import_completions import import_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, NotThisDesign, Unattainable
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.lock import create_lock
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PLAN, completions

LOOKS = '\n[[look]]\nseeds = 3\nrule = "anytime"\n'


def plan(text: str = PLAN + LOOKS) -> Plan:
    return parse_plan(text.encode(), Path("plan.toml"))


def e_value(t: float, **design: float) -> float:
    return math.exp(float(log_e_value(np.array(t), **design)))


@pytest.mark.parametrize(
    ("t", "df", "size", "effect"), [(2.0, 4, 1.5, 3.0), (-1.0, 8, 2.5, 2.0), (3.3, 14, 4.0, 1.5), (0.0, 2, 3.0, 3.0)]
)
def test_it_is_the_likelihood_ratio_of_the_t_statistic_mixed_over_half_a_normal(
    t: float, df: float, size: float, effect: float
) -> None:
    """By quadrature over noncentral t densities, which nothing here is made of."""

    def ratio(delta: float) -> float:
        prior = 2 * stats.norm.pdf(delta, scale=effect)
        return float(prior * stats.nct.pdf(t, df, delta * math.sqrt(size)) / stats.t.pdf(t, df))

    expected, _ = integrate.quad(ratio, 0, 12 * effect, limit=400)
    assert e_value(t, df=df, size=size, effect=effect) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("t", "n"), [(2.3, 12), (0.4, 8), (-3.1, 20)])
def test_mixed_over_the_effect_it_is_the_bayes_factor_that_pingouin_gives(t: float, n: int) -> None:
    """Both halves together, mixed over effect^2 ~ inverse gamma(1/2, r^2/2), are the JZS factor with a Cauchy prior."""
    r = 0.707

    def both(effect: float) -> float:
        design = {"df": n - 1.0, "size": float(n), "effect": effect}
        factor = (e_value(t, **design) + e_value(-t, **design)) / 2
        return factor * float(stats.invgamma.pdf(effect**2, 0.5, scale=r**2 / 2)) * 2 * effect

    expected = float(pingouin.bayesfactor_ttest(t, n, paired=True, r=r))
    found, _ = integrate.quad(both, 0, np.inf, limit=400)
    assert found == pytest.approx(expected, rel=1e-3)


def test_many_seeds_give_the_mixture_of_known_variance() -> None:
    """Howard, Ramdas, McAuliffe & Sekhon (2021), one-sided normal mixture: z over n observations of variance 1."""
    n, z, effect = 50, 2.4, 0.7
    v, rho = n, 1 / effect**2
    s = z * math.sqrt(n)
    expected = (
        2 * math.sqrt(rho / (v + rho)) * math.exp(s**2 / (2 * (v + rho))) * stats.norm.cdf(s / math.sqrt(v + rho))
    )
    assert e_value(z, df=1e7, size=n, effect=effect) == pytest.approx(expected, rel=1e-4)


@given(st.floats(-50, 50), st.integers(1, 30), st.floats(0.5, 20), st.floats(0.2, 10))
def test_evidence_rises_with_t_and_the_critical_t_is_where_it_suffices(
    t: float, df: int, size: float, effect: float
) -> None:
    design = {"df": float(df), "size": size, "effect": effect}
    assert e_value(t, **design) <= e_value(t + 0.5, **design) * (1 + 1e-9)
    critical = critical_t(alpha=0.05, df=df, size=size, effect=effect)
    most = math.log(2) + df / 2 * math.log1p(size * effect**2)
    assert math.isfinite(critical) == (most > math.log(20) + 1e-6) or abs(most - math.log(20)) < 1e-3
    if math.isfinite(critical):
        assert float(anytime_p(np.array(critical), df=df, size=size, effect=effect)) == pytest.approx(0.05, rel=1e-4)


def sample(*means: tuple[float, ...], weights: tuple[float, ...] = (1.0, -1.0)) -> Sample:
    levels = tuple(
        Level(name=f"arm {a}", weight=w, unit_means={str(s): m for s, m in enumerate(own)})
        for a, (own, w) in enumerate(zip(means, weights, strict=True))
    )
    return Sample(levels=levels, unit="seed", is_proportion=False)


def test_by_hand_two_arms_of_three_seeds() -> None:
    """Means 0.8 and 0.2, every variance 0.01: se = 0.1 sqrt(2/3), t = 7.348, 4 df, effective size 1.5."""
    found = ESTIMATORS["pooled_t"].run(sample((0.7, 0.8, 0.9), (0.1, 0.2, 0.3)), level=0.9, edges=(0.0,))
    looked = anytime(found, alpha=0.05, effect=3.0)
    x2 = 54 / (4 + 54)
    k = 13.5 / 14.5
    two_sided = 14.5**-0.5 * (1 - k * x2) ** -2.5
    half = stats.t.cdf(math.sqrt(x2 * k * 5 / (1 - k * x2)), 5)
    assert 1 / looked.edges[0].p_above == pytest.approx(2 * two_sided * half, rel=1e-9)
    assert looked.edges[0].p_below == 1.0
    low = (0.6 - looked.ci_low) / (0.1 * math.sqrt(2 / 3))
    assert low == pytest.approx(critical_t(alpha=0.05, df=4, size=1.5, effect=3.0))
    assert looked.ci_low < found.ci_low


def test_too_few_seeds_and_two_variances_are_refused() -> None:
    two = ESTIMATORS["pooled_t"].run(sample((0.7, 0.9), (0.1, 0.3)), level=0.95, edges=())
    with pytest.raises(Unattainable):
        anytime(two, alpha=0.025, effect=1.0)
    welch = ESTIMATORS["welch_t"].run(sample((0.7, 0.8, 0.9), (0.1, 0.2, 0.4)), level=0.95, edges=())
    with pytest.raises(NotThisDesign):
        anytime(welch, alpha=0.025, effect=3.0)


@pytest.mark.parametrize("test", ["pooled_t", "paired_t", "one_sample_t"])
def test_many_studies_are_what_the_analysis_gives(test: str) -> None:
    rng = np.random.default_rng(3)
    weights = (1.0,) if test == "one_sample_t" else (1.0, -1.0)
    means_KAS = rng.normal(0.5, 0.3, (4, len(weights), 5))
    estimator = ESTIMATORS[test]
    levels = [ManyLevels(weight=w, means_KU=means_KAS[:, a]) for a, w in enumerate(weights)]
    edges, ends = (-0.2, 0.1), (-math.inf, math.inf)
    assert estimator.simulate is not None
    plain = estimator.simulate(levels, level=0.9, edges=edges, limits=ends)
    many = anytime_many(plain, levels, is_paired=estimator.is_paired, alpha=0.05, edges=edges, effect=3.0)
    for k in range(4):
        one = anytime(
            estimator.run(sample(*map(tuple, means_KAS[k]), weights=weights), level=0.9, edges=edges),
            alpha=0.05,
            effect=3.0,
        )
        assert (many.low_K[k], many.high_K[k]) == pytest.approx((one.ci_low, one.ci_high))
        assert many.p_KB[k, 0] == pytest.approx(one.edges[0].p_above)
        assert many.p_KB[k, -1] == pytest.approx(one.edges[-1].p_below)


def looked_at(
    design: str, effect: float, studies: int, shift: float, rng: np.random.Generator, *, seeds: range = range(2, 61)
) -> float:
    """Share of studies in which some look says "above 0" at .05, the truth lying `shift` SDs from it."""
    paired = design == "paired"
    x = rng.normal(shift, 1, (studies, seeds.stop)) if paired else rng.normal(shift / 2, 1, (studies, seeds.stop))
    y = None if paired else rng.normal(-shift / 2, 1, (studies, seeds.stop))
    ever = np.zeros(studies, dtype=bool)
    for n in seeds:
        if y is None:
            t, df, size = x[:, :n].mean(axis=1) / (x[:, :n].std(axis=1, ddof=1) / math.sqrt(n)), n - 1.0, float(n)
        else:
            pooled = (x[:, :n].var(axis=1, ddof=1) + y[:, :n].var(axis=1, ddof=1)) / 2
            t = (x[:, :n].mean(axis=1) - y[:, :n].mean(axis=1)) / np.sqrt(2 * pooled / n)
            df, size = 2.0 * n - 2, n / 2
        ever |= anytime_p(t, df=df, size=size, effect=effect) <= 0.05
    return float(ever.mean())


@pytest.mark.parametrize("design", ["paired", "two arms"])
@pytest.mark.parametrize("effect", [1.0, 3.0])
def test_the_error_over_all_looks_together_stays_at_alpha(design: str, effect: float) -> None:
    """A look at every number of seeds from 2 to 60, at the edge and inside the null."""
    rng = np.random.default_rng(11)
    studies = 20_000
    at_edge = looked_at(design, effect, studies, 0.0, rng)
    assert at_edge <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)
    assert looked_at(design, effect, 4_000, -0.5, rng) <= at_edge
    assert looked_at(design, effect, 2_000, 1.5, rng) > 0.95


def test_one_look_of_the_rule_is_a_look_at_every_number_of_seeds() -> None:
    assert [(look.seeds, look.rule) for look in plan().look] == [(3, "anytime"), (4, "anytime")]
    assert plan().looks_at_any_time
    assert not plan(PLAN).looks_at_any_time


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('rule = "anytime"\n', 'rule = "anytime"\nspend = "pocock"\n', "neither spend nor when"),
        (LOOKS, LOOKS + "\n[[look]]\nseeds = 4\n", "two rules"),
    ],
)
def test_looks_of_two_kinds_are_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        plan((PLAN + LOOKS).replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("", "", set()),
        ('"pooled_t"', '"welch_t"', {"anytime-test"}),
        ('rule = "anytime"', 'rule = "anytime"\neffect = 0.1', {"anytime-hopeless"}),
    ],
)
def test_check_says_what_looks_at_any_time_cannot_answer(old: str, new: str, codes: set[str]) -> None:
    found = design_lints(plan((PLAN + LOOKS).replace(old, new) if old else PLAN + LOOKS))
    assert {lint.code for lint in found if lint.code.startswith("anytime")} == codes


def test_a_study_may_end_at_its_first_look_and_the_report_draws_the_course(tmp_path: Path) -> None:
    paths = StudyPaths(root=tmp_path, name="looked")
    paths.study.mkdir(parents=True)
    paths.plan.write_text(PLAN + LOOKS)
    create_lock(paths, design_check={})
    rows = completions().splitlines()
    file = tmp_path / "first.csv"
    file.write_text("\n".join([rows[0], *(row for row in rows[1:] if row.split(",")[1] != "3")]) + "\n")
    import_study(require_lock(paths), [file])
    results = analyze_study(require_lock(paths))
    (found,) = results.hypotheses
    look = results.accounting.look
    assert look is not None
    assert (look.place, look.seeds, look.goes_on, look.at_will, look.next_seeds) == (1, 3, True, True, 4)
    assert "valid at any look" in str(found.ci_method)
    assert found.anytime is not None
    assert [point.units for point in found.anytime.points] == [2, 3]
    last = found.anytime.points[-1]
    assert last.ci == pytest.approx(found.ci)
    assert found.ci is not None
    top = max(band.upper for band in found.bands if band.upper is not None)
    assert (last.log10_above[-1] >= found.anytime.log10_needed) == (found.ci[0] >= top)
    assert verify_study(paths).exit_code == 0
    page = (paths.report / "report.md").read_text("utf-8")
    assert "the study may end here, or go on to 4 seeds" in page
    assert "Looks at any time" in page
    whole = tmp_path / "all.csv"
    whole.write_text("\n".join(rows) + "\n")
    import_study(require_lock(paths), [whole])
    again = analyze_study(require_lock(paths))
    assert again.accounting.looks_used == 2
    assert again.hypotheses[0].anytime is not None
    assert again.hypotheses[0].anytime.points[:2] == found.anytime.points
    assert verify_study(paths).exit_code == 0


DESIGN = """
[design]
items = 8

[design.measures.marker]
base = 0.1
seed_sd = [0.5]

[design.expected]
H1 = 0.5
"""


def test_simulate_says_what_looks_at_any_time_cost() -> None:
    text = PLAN.replace("[0, 1, 2, 3]", "[0, 1, 2, 3, 4, 5, 6, 7]") + LOOKS + DESIGN
    result = simulate_design(plan(text), simulations=400, seed=2, most_seeds=0)
    costs = {(row.scenario, row.way): row for row in result.look_costs}
    assert {way for _, way in costs} == {"anytime", "obrien-fleming", "one look"}
    expected = costs["expected", "anytime"]
    assert expected.seeds.value is not None
    assert 3 <= expected.seeds.value < 8
    assert costs["expected", "one look"].seeds.value == 8
    error = costs["null", "anytime"].error
    assert error is not None
    assert error.value is not None
    assert error.value <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / 400)
    assert expected.power is not None
    assert expected.power.value is not None
    assert expected.power.value > 0.8
    assert result.findings == []
    assert not simulate_design(plan(PLAN + DESIGN), simulations=100, seed=2, most_seeds=0).look_costs
