"""Ratings: the cumulative logit hierarchy against PyMC, by hand, as a property, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.analysis.bayes.cells import count_cells
from seedlock.analysis.bayes.contrast import contrast
from seedlock.analysis.bayes.hierarchy import HierarchyFit, fit_hierarchy
from seedlock.analysis.bayes.model import pymc_ratings
from seedlock.analysis.bayes.predictive_check import predictive_checks
from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior
from seedlock.analysis.bayes.problem import Problem
from seedlock.analysis.bayes.rating_cells import CellRatings, rating_cells
from seedlock.analysis.bayes.ratings import mean_rating, ratings_problem, score_shares
from seedlock.analysis.bayes.units_left_out import unit_log_likelihood
from seedlock.prereg.errors import EmptyCell, NoSpread, NotCounts, NotFinite, NotThisDesign
from tests.conftest import PLAN, StudyFixture

CUTS = np.array([-2.0, -0.7, 0.4, 1.8])


def ratings(rng: np.random.Generator, *, n: int = 40, units: int = 4, effect: float = 1.0) -> CellRatings:
    """Two levels of units that rate from 1 to 5."""
    level, unit, score, times = [], [], [], []
    for a, name in enumerate(("calm", "eager")):
        for u in range(units):
            share = score_shares(np.array([a * effect + 0.4 * rng.standard_normal()]), CUTS[None])[0]
            for c, k in enumerate(rng.multinomial(n, share)):
                level.append(name)
                unit.append(f"{u}")
                score.append(c + 1.0)
                times.append(int(k))
    return rating_cells(level=level, unit=unit, score=score, n=times)


def slope_error(problem: Problem, x_D: np.ndarray) -> float:
    _, grad_D = problem.log_density(x_D)
    step = 1e-6
    numeric = [
        (problem.log_density(x_D + step * e)[0] - problem.log_density(x_D - step * e)[0]) / (2 * step)
        for e in np.eye(x_D.size)
    ]
    return float(np.abs(np.array(numeric) - grad_D).max() / (1.0 + np.abs(grad_D).max()))


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_gradient_of_the_hierarchy_of_ratings_is_its_slope(seed: int, is_informed: bool) -> None:
    rng = np.random.default_rng(seed)
    problem = ratings_problem(ratings(rng, n=9), HierarchyPriors(), is_informed=is_informed)
    assert slope_error(problem, rng.normal(size=problem.start_D.size) * 0.7) < 1e-6


def test_ratings_have_the_density_of_the_pymc_model_up_to_a_constant() -> None:
    """Differences between random points agree, after the Jacobian of the standardised runs."""
    import pytensor.tensor as pt

    rng = np.random.default_rng(7)
    cells, priors = ratings(rng, n=12), HierarchyPriors(run_sd=parse_prior("half-t3(2.5)"))
    problem, stated = ratings_problem(cells, priors, is_informed=True), pymc_ratings(cells, priors)
    log_stated = stated.compile_logp()
    transform = stated.rvs_to_transforms[stated["level_mean"]]
    gaps = []
    for _ in range(5):
        x_D = rng.normal(size=problem.start_D.size) * 0.6
        named = {name: array[0] for name, array in problem.unpack(x_D[None]).items()}
        cut = named["cutpoint"]
        point = {
            "level_mean_zerosum__": transform.forward(pt.as_tensor(named["level_mean"])).eval(),
            "run_sd_log__": np.log(named["run_sd"]),
            "cutpoint_ordered__": np.concatenate([cut[:1], np.log(np.diff(cut))]),
            "run": named["run"],
        }
        log_jacobian = 0.0
        for at in range(x_D.size - cells.design.n_groups, x_D.size):
            step = np.zeros_like(x_D)
            step[at] = 1e-5
            up, down = (problem.unpack((x_D + sign * step)[None])["run"] for sign in (1, -1))
            log_jacobian += float(np.log(np.abs(up - down).max() / 2e-5))
        gaps.append(problem.log_density(x_D)[0] - float(log_stated(point)) - log_jacobian)
    assert np.ptp(gaps) < 1e-7


@pytest.fixture(scope="module")
def fitted() -> tuple[HierarchyFit, CellRatings]:
    cells = ratings(np.random.default_rng(1), n=200, units=6)
    return fit_hierarchy(cells, likelihood="cumulative-logit", seed=1, draws=500), cells


def test_the_contrast_is_a_difference_of_mean_ratings(fitted: tuple[HierarchyFit, CellRatings]) -> None:
    """By hand: with 200 answers a unit the posterior lies about the plain difference of unit means."""
    fit, cells = fitted
    assert fit.is_sound, fit.reasons
    found = contrast(fit, {"eager": 1.0, "calm": -1.0})
    plain = cells.mean_G[6:].mean() - cells.mean_G[:6].mean()
    assert found.mean_K.mean() == pytest.approx(plain, abs=0.08)
    assert found.these_units_K.mean() == pytest.approx(plain, abs=0.03)
    assert found.new_unit_M.std() > 1.5 * found.mean_K.std() > 1.5 * found.these_units_K.std()
    assert fit.response.level_mean_KA.min() > 1.0
    assert fit.response.level_mean_KA.max() < 5.0


def test_two_scores_are_a_binomial_hierarchy(fitted: tuple[HierarchyFit, CellRatings]) -> None:
    """Independent: yes/no ratings and the binomial engine give the same rates, but for what their priors differ in."""
    k = [12, 20, 15, 18, 30, 27, 35, 33]
    level, unit = ["a"] * 4 + ["b"] * 4, list("wxyz") * 2
    counts = count_cells(level=level, unit=unit, k=k, n=[50] * 8)
    cells = rating_cells(level=level * 2, unit=unit * 2, score=[1.0] * 8 + [0.0] * 8, n=k + [50 - one for one in k])
    binomial = fit_hierarchy(counts, likelihood="binomial", seed=1)
    logit = fit_hierarchy(cells, likelihood="cumulative-logit", seed=1)
    for weights in ({"b": 1.0, "a": -1.0}, {"a": 1.0}):
        one, other = (contrast(fit, weights).mean_K for fit in (binomial, logit))
        assert one.mean() == pytest.approx(other.mean(), abs=0.015)
        assert one.std() == pytest.approx(other.std(), rel=0.15)


def test_replicated_units_of_ratings_scatter_like_the_observed_ones(fitted: tuple[HierarchyFit, CellRatings]) -> None:
    fit, cells = fitted
    assert all(0.02 < check.p < 0.98 for check in predictive_checks(fit, cells, np.random.default_rng(1)))
    with pytest.raises(NotCounts, match="not offered"):
        unit_log_likelihood(fit, cells)


@given(st.floats(-8, 8), st.lists(st.floats(0.01, 3), min_size=1, max_size=6), st.floats(-5, 5))
def test_the_mean_rating_is_that_of_its_shares(logit: float, gaps: list[float], first: float) -> None:
    cut_KC = first + np.cumsum([0.0, *gaps])[None]
    score_C = np.arange(cut_KC.shape[1] + 1) * 1.0
    share_KC = score_shares(np.array([logit]), cut_KC)
    assert share_KC.sum() == pytest.approx(1.0)
    assert (share_KC > 0).all()
    expected = float((share_KC @ score_C)[0])
    assert mean_rating(np.array([[logit]]), cut_KC, score_C)[0, 0] == pytest.approx(expected, abs=1e-9)


def test_ratings_that_cannot_carry_the_model_are_refused() -> None:
    rows = {"level": ["a", "a", "b", "b"], "unit": list("xyxy"), "score": [1.0, 2.0, 1.0, 2.0], "n": [3, 3, 3, 3]}
    with pytest.raises(NoSpread):
        rating_cells(**(rows | {"score": [2.0] * 4}))  # type: ignore[arg-type]  # one dict for several cases
    with pytest.raises(NotFinite):
        rating_cells(**(rows | {"score": [1.0, float("nan"), 1.0, 2.0]}))  # type: ignore[arg-type]  # as above
    with pytest.raises(EmptyCell):
        rating_cells(**(rows | {"n": [0, 3, 3, 3]}))  # type: ignore[arg-type]  # as above
    with pytest.raises(NotThisDesign, match="paired"):
        rating_cells(**rows, paired=True)  # type: ignore[arg-type]  # as above
    many = [float(i) for i in range(30)]
    with pytest.raises(NotThisDesign, match="at most 20"):
        rating_cells(level=["a"] * 60, unit=["x"] * 30 + ["y"] * 30, score=many * 2, n=[1] * 60)
    with pytest.raises(NotCounts, match="cumulative logit"):
        fit_hierarchy(rating_cells(**rows), likelihood="binomial", seed=1)  # type: ignore[arg-type]  # as above


RATED = (
    PLAN.replace(
        'kind   = "marker_rate"\nmarker = "[ZLT]"', 'kind = "numeric"\nunit = "points of five"\nlow  = 1.0\nhigh = 5.0'
    )
    .replace('text = "text"', 'text = "text", value = "value"')
    .replace('predicted = "more"', 'predicted = "more"\nbayes     = "seed_hierarchy_ratings"')
    + "\n[bayes]\ndraws = 500\n"
)


def rated_rows(rng: np.random.Generator) -> str:
    lines = ["arm,seed,question,draw,text,value"]
    for arm, shift in (("plain", 0.0), ("coupled", 1.5)):
        for seed in range(4):
            share = score_shares(np.array([shift + 0.3 * rng.standard_normal()]), CUTS[None])[0]
            for number in range(16):
                value = 1 + int(rng.choice(5, p=share))
                lines.append(f"{arm},{seed},q{number % 8},{number // 8},answer {number} of {arm} {seed},{value}")
    return "\n".join(lines) + "\n"


def test_a_plan_asks_for_ratings_by_a_word(study: StudyFixture) -> None:
    study.write_plan(RATED)
    study.run("lock")
    study.run("import", str(study.bring_data(rated_rows(np.random.default_rng(4)))))
    study.run("analyze")
    study.run("verify")
    h = json.loads((study.paths.report / "results.json").read_text("utf-8"))["hypotheses"][0]
    bayes = h["bayes"]
    assert bayes["reason"] is None
    assert bayes["likelihood"] == "cumulative-logit"
    assert bayes["estimate"] == pytest.approx(h["estimate"], abs=0.15)
    assert "not offered" in bayes["left_out"][0]["reason"]


def test_a_model_of_ratings_refuses_yes_and_no_counted_elsewhere(study: StudyFixture) -> None:
    plan = PLAN.replace('predicted = "more"', 'predicted = "more"\nbayes     = "seed_hierarchy_ratings"')
    study.write_plan(
        plan.replace('text = "text"', 'k = "k", n = "n"').replace(', draw = "draw"', "").replace("[import]", "[import]")
    )
    text = study.paths.plan.read_text("utf-8").replace(
        'constants = { model = "tiny" }', 'constants = { model = "tiny", measure = "marker" }'
    )
    study.write_plan(text)
    rows = ["arm,seed,question,k,n"]
    rows += [
        f"{arm},{seed},q,{k},20"
        for arm, ks in (("plain", (1, 2, 3, 2)), ("coupled", (9, 8, 11, 10)))
        for seed, k in enumerate(ks)
    ]
    study.run("lock")
    study.run("import", str(study.bring_data("\n".join(rows) + "\n")))
    study.run("analyze")
    bayes = json.loads((study.paths.report / "results.json").read_text("utf-8"))["hypotheses"][0]["bayes"]
    assert bayes["estimate"] is None
    assert "single answers" in bayes["reason"]
