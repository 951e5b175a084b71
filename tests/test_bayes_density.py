"""The compiled densities are those of the model as PyMC and scipy state it, with the right gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, FloatArray, count_cells, mean_cells
from seedlock.analysis.bayes.logit_normal import mean_rate, rate_moments
from seedlock.analysis.bayes.model import pymc_counts
from seedlock.analysis.bayes.pieces import binomial_row
from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior
from seedlock.analysis.bayes.problem import Problem, counts_problem, means_problem

SEEDS = st.integers(0, 2**32 - 1)


def counts(rng: np.random.Generator, *, is_paired: bool, items: int, levels: int = 3, units: int = 4) -> CellCounts:
    """Random counts, a few cells unscored where items are crossed."""
    grid = [(a, u, i) for a in range(levels) for u in range(units) for i in range(max(1, items))]
    n = rng.integers(1, 12, len(grid)) * (rng.random(len(grid)) > (0.2 if items else 0.0))
    n[:: max(1, items)] = 5
    return count_cells(
        level=[f"a{a}" for a, _, _ in grid],
        unit=[f"u{u}" for _, u, _ in grid],
        item=[f"i{i}" for _, _, i in grid] if items else None,
        k=rng.binomial(n, 0.3),
        n=n,
        nesting="paired" if is_paired else "nested",
    )


def means(rng: np.random.Generator, *, is_paired: bool, noise: str) -> CellMeans:
    grid = [(a, u) for a in range(3) for u in range(4)]
    return mean_cells(
        level=[f"a{a}" for a, _ in grid],
        unit=[f"u{u}" for _, u in grid],
        mean=rng.normal(size=12),
        n=rng.integers(2, 9, 12) if noise == "residual" else None,
        sd=rng.uniform(0.5, 2.0, 12) if noise == "residual" else None,
        se=rng.uniform(0.5, 2.0, 12) if noise == "known" else None,
        nesting="paired" if is_paired else "nested",
    )


def slope_error(problem: Problem, x_D: FloatArray) -> float:
    """Largest difference between the gradient and central differences, relative to its size."""
    _, grad_D = problem.log_density(x_D)
    step = 1e-6
    numeric_D = np.array(
        [
            (problem.log_density(x_D + step * e)[0] - problem.log_density(x_D - step * e)[0]) / (2 * step)
            for e in np.eye(x_D.size)
        ]
    )
    return float(np.abs(numeric_D - grad_D).max() / (1.0 + np.abs(grad_D).max()))


@settings(max_examples=60)
@given(SEEDS, st.booleans(), st.sampled_from([0, 3]), st.booleans(), st.booleans(), st.booleans())
def test_the_gradient_of_every_hierarchy_of_counts_is_its_slope(  # noqa: PLR0917 - one argument a choice
    seed: int, is_paired: bool, items: int, is_overdispersed: bool, by_level: bool, is_informed: bool
) -> None:
    rng = np.random.default_rng(seed)
    priors = HierarchyPriors(item_sd=parse_prior("exponential(1)"), run_sd=parse_prior("half-t3(2.5)"))
    problem = counts_problem(
        counts(rng, is_paired=is_paired, items=items),
        priors,
        is_informed=is_informed,
        is_overdispersed=is_overdispersed,
        is_run_sd_by_level=by_level,
    )
    assert slope_error(problem, rng.normal(size=problem.start_D.size) * 0.7) < 1e-6


@settings(max_examples=60)
@given(SEEDS, st.booleans(), st.sampled_from(["none", "known", "residual"]), st.booleans(), st.booleans())
def test_the_gradient_of_every_hierarchy_of_means_is_its_slope(
    seed: int, is_paired: bool, noise: str, by_level: bool, is_heavy_tailed: bool
) -> None:
    rng = np.random.default_rng(seed)
    cells = means(rng, is_paired=is_paired, noise="none" if is_heavy_tailed else noise)
    problem = means_problem(cells, HierarchyPriors(), is_heavy_tailed=is_heavy_tailed, is_run_sd_by_level=by_level)
    assert slope_error(problem, rng.normal(size=problem.start_D.size) * 0.7) < 1e-6


@pytest.mark.parametrize("is_paired", [False, True])
@pytest.mark.parametrize("items", [0, 3])
def test_counts_have_the_density_of_the_pymc_model_up_to_a_constant(is_paired: bool, items: int) -> None:
    """Differences between random points agree, after the Jacobian of the standardised latents."""
    rng = np.random.default_rng(7)
    cells = counts(rng, is_paired=is_paired, items=items)
    priors = HierarchyPriors(run_sd=parse_prior("half-t3(2.5)"))
    problem = counts_problem(cells, priors, is_informed=True)
    stated = pymc_counts(cells, priors)
    log_stated = stated.compile_logp()
    gaps = []
    for _ in range(5):
        x_D = rng.normal(size=problem.start_D.size) * 0.6
        named = {name: array[0] for name, array in problem.unpack(x_D[None]).items()}
        point = _pymc_point(stated, named, cells, is_paired=is_paired)
        log_jacobian = _log_jacobian(problem, x_D, cells, is_paired=is_paired)
        gaps.append(problem.log_density(x_D)[0] - float(log_stated(point)) - log_jacobian)
    assert np.ptp(gaps) < 1e-8


def _pymc_point(stated: Any, named: Any, cells: Any, *, is_paired: bool) -> Any:
    """The same parameters in PyMC's free coordinates."""
    point = {
        "level_mean": named["level_mean"],
        "run_sd_log__": np.log(named["run_sd"]),
        "run": named["run"],
    }
    if is_paired:
        point["shared_sd_log__"] = np.log(named["shared_sd"])
        point["shared"] = named["unit_centre"] - named["average"]
    if cells.design.items:
        point["item_sd_log__"] = np.log(named["item_sd"])
        transform = stated.rvs_to_transforms[stated["item_shift"]]
        point["item_shift_zerosum__"] = transform.forward(pt.as_tensor(named["item_shift"])).eval()
    return point


def _log_jacobian(problem: Problem, x_D: FloatArray, cells: CellCounts, *, is_paired: bool) -> float:
    """Log |d latent / d z|, by differences: each latent depends on its own z alone (items after a rotation)."""
    design = cells.design
    free = len(design.levels) * (len(design.items) - 1) if design.items else 0
    latents = free + (len(design.units) if is_paired else 0) + design.n_groups
    total = 0.0
    for at in range(x_D.size - latents, x_D.size):
        name = ("item_shift", "unit_centre", "run")[
            (at >= x_D.size - latents + free) + (at >= x_D.size - design.n_groups)
        ]
        step = np.zeros_like(x_D)
        step[at] = 1e-5
        up, down = (problem.unpack((x_D + sign * step)[None])[name] for sign in (1, -1))
        total += np.log(np.linalg.norm(up - down) / 2e-5)
    return float(total)


@pytest.mark.parametrize("noise", ["none", "known"])
@pytest.mark.parametrize("is_paired", [False, True])
def test_unit_means_have_scipys_multivariate_normal_density(is_paired: bool, noise: str) -> None:
    rng = np.random.default_rng(3)
    cells = means(rng, is_paired=is_paired, noise=noise)
    priors = HierarchyPriors()
    problem = means_problem(cells, priors)
    same_unit_GG = np.equal.outer(cells.design.unit_G, cells.design.unit_G) if is_paired else np.zeros((12, 12))
    gaps = []
    for _ in range(4):
        x_D = rng.normal(size=problem.start_D.size)
        named = {name: array[0] for name, array in problem.unpack(x_D[None]).items()}
        known_G = np.zeros(12) if cells.se_G is None else cells.se_G**2
        covariance_GG = np.diag(named["run_sd"] ** 2 + known_G) + named.get("shared_sd", 0.0) ** 2 * same_unit_GG
        expected = stats.multivariate_normal(named["level_mean"][cells.design.level_G], covariance_GG).logpdf(
            cells.mean_G
        )
        expected += stats.norm(0, 2.5).logpdf(named["level_mean"]).sum()
        for name, scale in (("run_sd", 1.0), ("shared_sd", 1.5)):
            if name in named:
                expected += stats.halfnorm(0, scale).logpdf(named[name]) + np.log(named[name])
        gaps.append(problem.log_density(x_D)[0] - expected)
    assert np.ptp(gaps) < 1e-9


@settings(max_examples=60)
@given(SEEDS, st.booleans(), st.sampled_from([-300.0, -40.0, -3.0, 0.0, 3.0, 40.0, 300.0]))
def test_a_row_of_cells_has_scipys_binomial_likelihood_at_any_logit(seed: int, is_even: bool, run: float) -> None:
    """Differences from logit 0; 500 cells, so that several share a logarithm; unscored cells say nothing."""
    rng = np.random.default_rng(seed)
    n_I = np.full(500, 10) if is_even else rng.integers(0, 12, 500)
    k_I, item_I = rng.binomial(n_I, 0.4), rng.normal(0, 2, 500)

    def found(logit: float) -> tuple[float, float, FloatArray]:
        d_item_I = np.zeros(500)
        value, slope = binomial_row(k_I.astype(float), n_I.astype(float), logit, item_I, np.exp(item_I), d_item_I)
        return value, slope, d_item_I

    def stated(logit: float) -> float:
        eta_I = logit + item_I
        return float(-(k_I * np.logaddexp(0, -eta_I) + (n_I - k_I) * np.logaddexp(0, eta_I)).sum())

    value, slope, d_item_I = found(run)
    assert value == pytest.approx(stated(run), rel=1e-12, abs=1e-9)
    np.testing.assert_allclose(d_item_I, k_I - n_I / (1 + np.exp(-(run + item_I))), atol=1e-11)
    assert slope == pytest.approx(d_item_I.sum(), abs=1e-8)


@settings(max_examples=40)
@given(st.floats(-6, 6), st.floats(0.01, 6))
def test_the_mean_rate_of_new_units_is_the_logit_normal_integral(centre: float, sd: float) -> None:
    z = np.linspace(-9, 9, 20001)
    weight = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    rate = mean_rate(centre + sd * z)
    found = rate_moments(np.array([centre]), np.array([sd]))
    mean = float(weight @ rate)
    assert found.mean_K[0] == pytest.approx(mean, abs=2e-5)
    assert found.sd_K[0] == pytest.approx(float(np.sqrt(weight @ (rate - mean) ** 2)), abs=1e-4)
