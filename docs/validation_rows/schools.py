"""Rows for the Bayesian engine: the eight schools of Rubin 1981."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from docs.validation_rows.check import Check
from seedlock.analysis.bayes.cells import mean_cells
from seedlock.analysis.bayes.contrast import contrast, prob_above
from seedlock.analysis.bayes.hierarchy import fit_hierarchy
from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior

EFFECTS = (28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0)
SES = (15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0)
GIVEN = "eight schools, mu ~ normal(0, 5), tau ~ half-Cauchy(5)"


def school_checks() -> Iterator[Check]:
    """Compute the rows; 4 chains of 4,000 draws at a fixed seed."""
    cells = mean_cells(level=["schools"] * 8, unit=list("ABCDEFGH"), mean=EFFECTS, se=SES)
    priors = HierarchyPriors(
        run_sd=parse_prior("half-cauchy(5)"),
        level_mean=parse_prior("normal(0, 5)"),
        outcome_sd=1.0,
        outcome_centre=0.0,
    )
    fit = fit_hierarchy(cells, likelihood="gaussian", seed=1, priors=priors, draws=4000)
    found = contrast(fit, {"schools": 1.0})
    probabilities = (prob_above(found.mean_K, 0.0), prob_above(found.new_unit_M, 0.0))
    for source, expected, error in (
        ("numerical integration of the same posterior", _by_quadrature(), 0.01),
        ("published for this setting, by draws", (0.908, 0.828), 0.012),
    ):
        yield Check(
            method="`fit_hierarchy`: P(mu > 0), P(effect in a new school > 0)",
            source=source,
            given=GIVEN,
            expected=expected,
            found=probabilities,
            digits=3,
            monte_carlo=error,
        )
    yield Check(
        method="`fit_hierarchy`: posterior mean of mu, of tau",
        source="posteriordb, eight_schools_noncentered: 10,000 reference draws, error .033 and .032",
        given=GIVEN,
        expected=(4.4105, 3.6021),
        found=(float(found.mean_K.mean()), float(fit.response.unit_sd_model_KA.mean())),
        digits=2,
        monte_carlo=0.15,
    )


def _by_quadrature() -> tuple[float, float]:
    """Sum over a grid of mu and tau, the schools integrated out: nothing of the engine's."""
    mu, tau = np.linspace(-40, 50, 901)[:, None], (np.linspace(0, 1, 1501)[1:] ** 2 * 400)[None, :]
    log_weight = stats.norm.logpdf(mu, 0, 5) + stats.halfcauchy.logpdf(tau, 0, 5) + 0.5 * np.log(tau)
    for effect, se in zip(EFFECTS, SES, strict=True):
        log_weight = log_weight + stats.norm.logpdf(effect, mu, np.sqrt(tau**2 + se**2))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    return float((weight * (mu > 0)).sum()), float((weight * stats.norm.cdf(mu / tau)).sum())
