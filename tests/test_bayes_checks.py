"""Checks on a fitted hierarchy: calibration, replicated data, left-out units, sensitivity, and the archive."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from seedlock.analysis.bayes.archive import save_draws
from seedlock.analysis.bayes.calibration import Planned, calibrate, uniformity
from seedlock.analysis.bayes.cells import CellCounts, CellMeans, count_cells, mean_cells
from seedlock.analysis.bayes.checks import check_fit
from seedlock.analysis.bayes.contrast import contrast
from seedlock.analysis.bayes.hierarchy import HierarchyFit, fit_hierarchy
from seedlock.analysis.bayes.posteriors import left_out
from seedlock.analysis.bayes.predictive_check import predictive_checks
from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior
from seedlock.analysis.bayes.response import parameters
from seedlock.analysis.bayes.sampling import GateRules
from seedlock.analysis.bayes.sensitivity import prior_sensitivity
from seedlock.analysis.bayes.units_left_out import leave_one_cell_out, leave_one_unit_out, thinned, unit_log_likelihood
from seedlock.analysis.simulation.assumptions import assume
from seedlock.analysis.simulation.bayes import planned_cells
from seedlock.prereg.errors import BadInput, NotCounts
from seedlock.prereg.plan.design import Design
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN, StudyFixture

RATES = [30, 45, 20, 38, 60, 70, 66, 52]


def arms(nesting: str = "nested") -> CellCounts:
    return count_cells(
        level=["a"] * 4 + ["b"] * 4,
        unit=list("wxyz") * 2,
        k=RATES,
        n=[100] * 8,
        nesting=nesting,  # type: ignore[arg-type]
    )


def values() -> CellMeans:
    mean = [0.1, 0.5, -0.3, 0.4, 1.2, 1.9, 1.0, 1.6]
    return mean_cells(level=["a"] * 4 + ["b"] * 4, unit=list("wxyz") * 2, mean=mean, nesting="paired")


@pytest.fixture(scope="module")
def nested() -> HierarchyFit:
    return fit_hierarchy(arms(), likelihood="binomial", seed=1)


@pytest.fixture(scope="module")
def paired() -> HierarchyFit:
    return fit_hierarchy(arms("paired"), likelihood="binomial", seed=1)


@pytest.fixture(scope="module")
def paired_means() -> HierarchyFit:
    return fit_hierarchy(values(), likelihood="gaussian", seed=1)


def brute_force(fit: HierarchyFit, cells: CellCounts, draw: int) -> np.ndarray:
    """Log likelihood of each unit by a dense grid over its logits, for one draw."""
    par = parameters(fit.tree)
    mean_A, sd = par.level_mean_KA[draw], par.run_sd_KA[draw, 0]
    z = np.linspace(-8, 8, 801)
    weight = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    k_G = cells.k_GI[:, 0]

    def group(g: int, shift: float) -> float:
        rate = 1 / (1 + np.exp(-(mean_A[cells.design.level_G[g]] + shift + sd * z)))
        return float(weight @ stats.binom.pmf(k_G[g], 100, rate))

    if not cells.design.is_paired:
        return np.log([group(g, 0.0) for g in range(8)])
    coarse, of_coarse = z[::10], weight[::10] / weight[::10].sum()
    shared = par.shared_sd_K[draw]
    return np.log([of_coarse @ [group(s, shared * x) * group(s + 4, shared * x) for x in coarse] for s in range(4)])


@pytest.mark.parametrize("name", ["nested", "paired"])
def test_a_units_likelihood_integrates_its_own_effects_out(name: str, request: pytest.FixtureRequest) -> None:
    fit: HierarchyFit = request.getfixturevalue(name)
    cells = arms(name)
    found_KU = unit_log_likelihood(fit, cells)
    for draw in (0, 3999):
        np.testing.assert_allclose(found_KU[draw], brute_force(fit, cells, draw), atol=2e-3)


def test_paired_means_have_scipys_multivariate_normal_likelihood(paired_means: HierarchyFit) -> None:
    par, cells = parameters(paired_means.tree), values()
    found_KU = unit_log_likelihood(paired_means, cells)
    for draw in (0, 999):
        covariance = np.eye(2) * par.run_sd_KA[draw, 0] ** 2 + par.shared_sd_K[draw] ** 2
        normal = stats.multivariate_normal(par.level_mean_KA[draw], covariance)
        np.testing.assert_allclose(found_KU[draw], normal.logpdf(cells.mean_G.reshape(2, 4).T), rtol=1e-9)


def test_leaving_out_a_unit_finds_the_one_that_does_not_belong() -> None:
    cells = count_cells(level=["a"] * 8, unit=list("pqrstuvw"), k=[20, 22, 19, 24, 21, 18, 23, 90], n=[100] * 8)
    fit = fit_hierarchy(cells, likelihood="binomial", seed=1)
    loo = leave_one_unit_out(fit, unit_log_likelihood(fit, cells))
    assert loo.names[int(np.argmin(loo.elpd_U))] == "a / w"
    assert loo.elpd == pytest.approx(float(loo.elpd_U.sum()))
    assert loo.elpd < float(np.sum(stats.binom.logpmf([20, 22, 19, 24, 21, 18, 23], 100, 0.21)))


@pytest.fixture(scope="module")
def crossed() -> tuple[HierarchyFit, CellCounts]:
    rng = np.random.default_rng(3)
    grid = [(a, u, i) for a in "ab" for u in "wxyz" for i in range(5)]
    rate = (0.1, 0.3, 0.4, 0.6, 0.8)
    cells = count_cells(
        level=[a for a, _, _ in grid],
        unit=[u for _, u, _ in grid],
        item=[f"q{i}" for _, _, i in grid],
        k=rng.binomial(12, [rate[i] for _, _, i in grid]),
        n=[12] * len(grid),
    )
    return fit_hierarchy(cells, likelihood="binomial", seed=1), cells


def test_a_crossed_units_likelihood_integrates_its_run_out_over_its_items(
    crossed: tuple[HierarchyFit, CellCounts],
) -> None:
    """By brute force: a dense grid over the run's logit, scipy's binomial at every item."""
    fit, cells = crossed
    par, at_K = parameters(fit.tree), thinned(fit)
    assert at_K.size == 1000
    found_KG = unit_log_likelihood(fit, cells)
    z = np.linspace(-8, 8, 2001)
    weight = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    shift = fit.tree.posterior["item_shift"].to_numpy().reshape(4000, 2, 5)
    for row in (0, 500, 999):
        k = at_K[row]
        expected = []
        for g, a in enumerate(cells.design.level_G):
            logit = par.level_mean_KA[k, a] + par.run_sd_KA[k, a] * z[:, None] + shift[k, a]
            likelihood = stats.binom.pmf(cells.k_GI[g], 12, 1 / (1 + np.exp(-logit))).prod(axis=1)
            expected.append(np.log(weight @ likelihood))
        np.testing.assert_allclose(found_KG[row], expected, atol=1e-3)


def test_left_out_cells_have_arvizs_own_density(crossed: tuple[HierarchyFit, CellCounts]) -> None:
    """Independent: arviz's loo on scipy's binomial log likelihoods of all draws."""
    from importlib import import_module

    loo, from_dict = import_module("arviz_stats").loo, import_module("arviz_base").from_dict
    fit, cells = crossed
    found = leave_one_cell_out(fit, cells)
    assert found.names[0] == "a / w / q0"
    posterior = fit.tree.posterior
    run, shift = posterior["run"].to_numpy(), posterior["item_shift"].to_numpy()
    logit = run[..., None] + shift[:, :, cells.design.level_G]
    log_likelihood = stats.binom.logpmf(cells.k_GI, 12, 1 / (1 + np.exp(-logit)))
    whole = loo(from_dict({"posterior": {"run": run}, "log_likelihood": {"k": log_likelihood}}))
    assert found.elpd == pytest.approx(float(whole.elpd), abs=0.5)
    assert found.se == pytest.approx(float(whole.se), rel=0.05)
    k_GI = whole.pareto_k.to_numpy()
    assert float(found.pareto_k_U.max()) == pytest.approx(float(k_GI.max()), abs=0.3)


def test_what_cannot_be_left_out_is_refused(nested: HierarchyFit) -> None:
    with pytest.raises(NotCounts, match="a unit is one cell"):
        leave_one_cell_out(nested, arms())
    fit = replace(nested, likelihood="beta-binomial")
    with pytest.raises(NotCounts, match="not offered"):
        unit_log_likelihood(fit, arms())


def test_replicated_units_scatter_like_the_observed_ones(nested: HierarchyFit, paired_means: HierarchyFit) -> None:
    found = [
        *predictive_checks(nested, arms(), np.random.default_rng(1)),
        *predictive_checks(paired_means, values(), np.random.default_rng(1)),
    ]
    assert len(found) == 12
    assert all(0.02 < check.p < 0.98 for check in found)


def test_replicated_units_betray_a_model_whose_runs_cannot_differ_enough() -> None:
    """By hand: a run SD held near 0.01 leaves binomial scatter, 4 points; the observed SD is 27."""
    cells = count_cells(level=["a"] * 6, unit=list("pqrstu"), k=[10, 20, 40, 60, 75, 85], n=[100] * 6)
    tight = HierarchyPriors(run_sd=parse_prior("half-normal(0.01)"))
    fit = fit_hierarchy(cells, likelihood="binomial", seed=1, priors=tight)
    sd = predictive_checks(fit, cells, np.random.default_rng(1))[0]
    assert sd.observed == pytest.approx(np.std([0.1, 0.2, 0.4, 0.6, 0.75, 0.85], ddof=1))
    assert sd.replicated_mean < 0.3 * sd.observed
    assert sd.p < 0.01


def test_a_tight_prior_at_odds_with_the_data_shows_in_the_power_scaling(nested: HierarchyFit) -> None:
    weights = {"a": 0.5, "b": 0.5}
    calm = prior_sensitivity(nested, unit_log_likelihood(nested, arms()), contrast(nested, weights))
    priors = replace(HierarchyPriors(), level_mean=parse_prior("normal(-2, 0.3)"))
    strained_fit = fit_hierarchy(arms(), likelihood="binomial", seed=1, priors=priors)
    log_likelihood = unit_log_likelihood(strained_fit, arms())
    strained = prior_sensitivity(strained_fit, log_likelihood, contrast(strained_fit, weights))
    assert calm.diagnosis == "the data decide"
    assert strained.priors["level_mean"] > max(0.05, 3 * calm.priors["level_mean"])
    assert strained.diagnosis == "prior and data conflict"


def test_the_archive_has_the_same_bytes_for_the_same_fit(nested: HierarchyFit, tmp_path: Path) -> None:
    again = fit_hierarchy(arms(), likelihood="binomial", seed=1, cores=1)
    for name, fit in (("one", nested), ("two", again)):
        save_draws(fit, tmp_path / f"{name}.nc", about={"hypotheses": "H1"})
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()
    with xr.open_dataset(tmp_path / "one.nc") as kept:
        assert list(kept["level"].to_numpy()) == ["a", "b"]
        assert int(kept["sampler_diverging"].sum()) == 0
        assert kept.attrs["hypotheses"] == "H1"


def test_the_archive_blurs_no_number_by_what_its_draws_could_tell(nested: HierarchyFit, tmp_path: Path) -> None:
    save_draws(nested, tmp_path / "fit.nc", about={})
    with xr.open_dataset(tmp_path / "fit.nc") as kept:
        response, sd = nested.response.level_mean_KA, nested.response.level_mean_KA.std(axis=0)
        assert (np.abs(kept["response"].to_numpy().reshape(-1, 2) - response) < sd / 200).all()
        run_sd = nested.tree.posterior["run_sd"].to_numpy()
        np.testing.assert_allclose(kept["run_sd"], run_sd, atol=run_sd.std() / 200)
        assert kept["run"].attrs["every_nth_draw"] == 8
        thinned = nested.tree.posterior["run"].to_numpy()[:, ::8]
        np.testing.assert_allclose(kept["run"], thinned, atol=thinned.std() / 200)


def test_the_archive_takes_a_tenth_of_what_was_drawn(nested: HierarchyFit, tmp_path: Path) -> None:
    save_draws(nested, tmp_path / "fit.nc", about={}, log_likelihood_KU=unit_log_likelihood(nested, arms()))
    whole = sum(array.size * 8 for array in nested.tree.posterior.data_vars.values())
    whole += sum(array.size * 8 for array in nested.tree.sample_stats.data_vars.values()) + 4000 * 8 * 8
    assert (tmp_path / "fit.nc").stat().st_size < 0.1 * whole


def test_far_draws_do_not_blur_the_rest_of_a_parameter(nested: HierarchyFit, tmp_path: Path) -> None:
    tree = nested.tree.copy(deep=True)
    tree.posterior["run_sd"].to_numpy()[0, 0] = 1e9
    save_draws(replace(nested, tree=tree), tmp_path / "fit.nc", about={})
    with xr.open_dataset(tmp_path / "fit.nc") as kept:
        whole = tree.posterior["run_sd"].to_numpy()
        np.testing.assert_allclose(kept["run_sd"], whole, rtol=1e-6)


def test_the_archive_of_many_items_stays_small_and_says_what_it_left_out(
    crossed: tuple[HierarchyFit, CellCounts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedlock.analysis.bayes.archive.MOST_BYTES", 15_000)
    save_draws(crossed[0], tmp_path / "items.nc", about={})
    with xr.open_dataset(tmp_path / "items.nc") as kept:
        every = kept["item_shift"].attrs["every_nth_draw"]
        single = [kept[name] for name in kept if "some_draw" in kept[name].dims]
        assert every > 8
        assert 10_000 < 2 * sum(array.size for array in single) <= 15_000 + 4 * 2 * sum(a[0, 0].size for a in single)
        whole = crossed[0].tree.posterior["item_shift"].to_numpy()[:, ::every]
        np.testing.assert_allclose(kept["item_shift"], whole, atol=whole.std() / 200)
        assert kept["response"].sizes["draw"] == 1000


PLANNED = Planned(design=arms().design, likelihood="binomial", n_GI=np.full((8, 1), 40))
RANKED = GateRules(max_rhat=1.05, min_bulk_ess=100, min_tail_ess=100, max_divergences=5)
"""Enough for a rank among 99 draws; a report's gates are for its quantiles, and make four times the draws of each."""


@pytest.mark.slow
def test_the_truth_ranks_evenly_among_the_draws_at_the_planned_design() -> None:
    found = calibrate(PLANNED, priors=HierarchyPriors(), simulations=60, seed=5, draws=150, rules=RANKED)
    assert set(found.p_values) == {"level_mean[0]", "level_mean[1]", "run_sd"}
    assert found.is_calibrated
    assert found.unsound <= 9
    assert found.simulations + found.refused == 60


@pytest.mark.slow
@pytest.mark.parametrize("nesting", ["nested", "paired"])
def test_unit_means_are_calibrated_too(nesting: str) -> None:
    design = arms(nesting).design
    planned = Planned(design=design, likelihood="gaussian")
    found = calibrate(planned, priors=HierarchyPriors(), simulations=60, seed=5, draws=150, rules=RANKED)
    assert ("shared_sd" in found.p_values) == (nesting == "paired")
    assert found.is_calibrated
    assert found.unsound <= 9


def test_even_ranks_pass_and_ranks_that_pile_up_do_not() -> None:
    """By hand: one rank of each kind is perfectly even; an interval too narrow piles ranks up at both ends."""
    even = np.arange(100)
    assert uniformity(even) == pytest.approx(1.0)
    narrow = np.concatenate([np.zeros(30, dtype=np.int64), np.full(30, 99), np.arange(20, 60)])
    assert uniformity(narrow) < 1e-6


def test_too_few_simulations_and_likelihoods_that_are_not_simulated_are_refused() -> None:
    with pytest.raises(BadInput, match="at least 20"):
        calibrate(PLANNED, priors=HierarchyPriors(), simulations=5, seed=1)
    heavy = Planned(design=arms().design, likelihood="student-t")
    with pytest.raises(BadInput, match="not student-t"):
        calibrate(heavy, priors=HierarchyPriors(), simulations=20, seed=1)


PLAN_TO_CALIBRATE = PLAN.replace('predicted = "more"', 'predicted = "more"\nbayes     = "{word}"')


def test_a_plan_is_calibrated_at_its_own_seeds_items_and_answers() -> None:
    """The fixture's plan: 2 arms x 4 seeds, 2 draws; the items are told."""
    for word, items, n in (("seed_hierarchy", 0, 16), ("seed_hierarchy_items", 8, 2)):
        plan = parse_plan(PLAN_TO_CALIBRATE.replace("{word}", word).encode(), Path("plan.toml"))
        plan = plan.model_copy(update={"design": Design(items=8)})
        ((identity, cells),) = planned_cells(plan, assume(plan))
        assert identity == "H1"
        assert not isinstance(cells, str)
        assert cells.design.levels == ("coupled", "plain")
        assert (cells.design.n_units, len(cells.design.items)) == (8, items)
        assert cells.n_GI is not None
        assert np.unique(cells.n_GI).tolist() == [n]


def test_a_hierarchy_that_cannot_be_simulated_says_why() -> None:
    plan = parse_plan(PLAN_TO_CALIBRATE.replace("{word}", "seed_hierarchy_overdispersed").encode(), Path("plan.toml"))
    ((_, why),) = planned_cells(plan, assume(plan))
    assert why == "seed_hierarchy_overdispersed is not calibrated before the lock"


@pytest.mark.slow
def test_simulate_calibrates_the_planned_hierarchies_and_the_lock_records_it(study: StudyFixture) -> None:
    study.write_plan(PLAN_TO_CALIBRATE.replace("{word}", "seed_hierarchy"))
    said = study.run("simulate", "--simulations", "100", "--bayes", "20", "--json")
    (row,) = json.loads(said)["calibration"]
    assert row["ids"] == ["H1"]
    assert row["simulations"] + row["refused"] == 20
    assert row["is_calibrated"] is True
    study.run("lock")


def test_a_density_is_no_number_where_its_weights_fail_for_most_units(
    crossed: tuple[HierarchyFit, CellCounts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit's answers to many items inform all items, and weights cannot undo that: here a steep likelihood."""
    fit, cells = crossed
    steep_KU = 30.0 * unit_log_likelihood(fit, cells)
    monkeypatch.setattr("seedlock.analysis.bayes.checks.unit_log_likelihood", lambda *_: steep_KU)
    asked = check_fit(fit, cells)
    told = left_out("unit", asked.unit)
    assert told["elpd"] is None
    assert "importance weights fail for 8 of 8" in told["reason"]
    assert not isinstance(asked.cell, str)
