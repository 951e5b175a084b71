"""bambi states every hierarchy, and its posterior is that of the engine: counts, means and ratings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, Design, count_cells, mean_cells
from seedlock.analysis.bayes.contrast import contrast
from seedlock.analysis.bayes.hierarchy import Cells, HierarchyFit, fit_hierarchy
from seedlock.analysis.bayes.mcmc import bulk_ess
from seedlock.analysis.bayes.model import bambi_model
from seedlock.analysis.bayes.models import Engine, Likelihood
from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior
from seedlock.analysis.bayes.rating_cells import CellRatings, rating_cells
from seedlock.analysis.bayes.stated import state
from seedlock.prereg.errors import NotInstalled
from tests.conftest import PLAN, StudyFixture

LEVEL, UNIT = ["a"] * 4 + ["b"] * 4, list("wxyz") * 2
PRIORS = HierarchyPriors(run_sd=parse_prior("half-normal(0.7)"))


def counts(nesting: str = "nested", items: int = 0) -> CellCounts:
    rows = [(a, u, i) for a, u in zip(LEVEL, UNIT, strict=True) for i in range(max(1, items))]
    k = [30, 45, 20, 38, 60, 70, 66, 52] if not items else [3] * len(rows)
    return count_cells(
        level=[a for a, _, _ in rows],
        unit=[u for _, u, _ in rows],
        item=[f"q{i}" for _, _, i in rows] if items else None,
        k=k,
        n=[100] * len(rows),
        nesting=nesting,  # type: ignore[arg-type]  # parametrised
    )


def means() -> CellMeans:
    return mean_cells(level=LEVEL, unit=UNIT, mean=[0.1, 0.5, -0.3, 0.4, 1.2, 1.9, 1.0, 1.6])


def ratings() -> CellRatings:
    n = [20, 15, 22, 18, 9, 5, 8, 10, *[10] * 8, 5, 10, 4, 8, 16, 20, 18, 14]
    return rating_cells(level=LEVEL * 3, unit=UNIT * 3, score=[1.0] * 8 + [2.0] * 8 + [3.0] * 8, n=n)


KINDS: Mapping[str, tuple[Cells, Likelihood, bool]] = {
    "counts": (counts(), "binomial", False),
    "means": (means(), "gaussian", True),
    "ratings": (ratings(), "cumulative-logit", False),
}


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest) -> tuple[HierarchyFit, HierarchyFit]:
    """One small fit of each kind by either engine; means have an SD a level."""
    cells, likelihood, by_level = KINDS[request.param]
    engines: tuple[Engine, Engine] = ("seedlock", "bambi")
    one, other = (
        fit_hierarchy(
            cells, likelihood=likelihood, seed=3, priors=PRIORS, engine=engine, is_run_sd_by_level=by_level, draws=1500
        )
        for engine in engines
    )
    return one, other


def test_both_engines_have_one_posterior(pair: tuple[HierarchyFit, HierarchyFit]) -> None:
    """Means of level means, their difference and the SDs agree within four Monte Carlo errors; SDs within their own."""
    one, other = (_numbers(fit) for fit in pair)
    assert one.keys() == other.keys()
    for name in one:
        (first, n_first), (second, n_second) = one[name], other[name]
        error = np.hypot(first.std() / np.sqrt(n_first), second.std() / np.sqrt(n_second))
        assert abs(first.mean() - second.mean()) < 4 * error, name
        for share in (0.1, 0.9):
            apart = abs(np.quantile(first, share) - np.quantile(second, share))
            assert apart < 8 * error, f"{name} at {share}"


def _numbers(fit: HierarchyFit) -> dict[str, tuple[np.ndarray[Any, Any], float]]:
    """Draws of what the report reads, and their effective sample size."""
    assert fit.is_sound, fit.reasons
    response = fit.response
    found = {
        "a": response.level_mean_KA[:, 0],
        "b": response.level_mean_KA[:, 1],
        "difference": contrast(fit, {"b": 1.0, "a": -1.0}).mean_K,
        "SD of a": response.unit_sd_model_KA[:, 0],
        "SD of b": response.unit_sd_model_KA[:, 1],
    }
    chains = fit.sampler.chains
    return {name: (draws, float(bulk_ess(draws.reshape(chains, -1)))) for name, draws in found.items()}


@pytest.mark.parametrize(
    ("cells", "likelihood", "by_level", "formula"),
    [
        (counts(items=3), "binomial", False, "p(k, n) ~ 0 + arm + (0 + arm | item) + (1 | run)"),
        (counts("paired"), "binomial", False, "p(k, n) ~ 0 + arm + (1 | unit) + (1 | run)"),
        (counts(items=3), "beta-binomial", True, "p(k, n) ~ 0 + arm + (0 + arm | item) + (0 + arm | run)"),
        (means(), "gaussian", False, "mean ~ 0 + arm"),
        (means(), "student-t", False, "mean ~ 0 + arm"),
        (means(), "gaussian", True, "mean ~ 0 + arm; sigma ~ 0 + arm"),
        (ratings(), "cumulative-logit", False, "score ~ C(arm, Sum) + (1 | run)"),
    ],
)
def test_bambi_builds_what_the_report_states(
    cells: Cells, likelihood: Likelihood, by_level: bool, formula: str
) -> None:
    """Every stated prior belongs to a term or parameter of bambi's own model, and every one of its terms is stated."""
    stated = state(cells.design, likelihood, PRIORS.in_unit(1.0, 0.0), is_run_sd_by_level=by_level)
    assert stated.text == formula
    model = bambi_model(cells, likelihood, PRIORS.in_unit(1.0, 0.0), is_run_sd_by_level=by_level)
    parent = model.parameters[model.family.likelihood.parent]
    built = {*parent.common_terms, *parent.group_specific_terms, *(set(model.parameters) - {parent.name})}
    assert built == set(stated.priors)
    assert model.family.name == stated.family


def test_the_words_of_a_prior_name_its_unit_and_its_levels() -> None:
    stated = state(means().design, "gaussian", PRIORS.in_unit(2.0, 5.0), is_run_sd_by_level=True)
    assert stated.priors == {"arm": "normal(5, 5)", "sigma": "half-normal(1.4) in each arm"}
    assert isinstance(means().design, Design)


MODELLED = (
    PLAN.replace('predicted = "more"', 'predicted = "more"\nbayes     = "seed_hierarchy"') + "\n[bayes]\ndraws = 500\n"
)


@pytest.fixture(scope="module")
def by_bambi(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, str]:
    """Results, report and replay of a study whose hierarchy was sampled by bambi's own model."""
    from seedlock.prereg.base.paths import StudyPaths

    study = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("bambi"), name="spread"))
    study.write_plan(MODELLED)
    study.run("lock")
    study.run("import", str(study.bring_data()))
    study.run("analyze", "--engine", "bambi")
    replay = study.run("verify", "--replay")
    page = (study.paths.report / "report.md").read_text("utf-8").replace("\\", "")
    return json.loads((study.paths.report / "results.json").read_text("utf-8")), page, replay


def test_analyze_fits_bambis_own_model_where_it_is_asked_to(by_bambi: tuple[dict[str, Any], str, str]) -> None:
    results, page, replay = by_bambi
    bayes = results["hypotheses"][0]["bayes"]
    assert (bayes["engine"], bayes["formula"]) == ("bambi", "p(k, n) ~ 0 + arm + (1 | run)")
    assert bayes["priors"]["1|run"] == "normal(0, SD), SD ~ half-normal(1)"
    assert sum(bayes["band_posteriors"].values()) == pytest.approx(1.0)
    assert "p(k, n) ~ 0 + arm + (1 | run)" in page
    assert "built by bambi" in page
    ran = {entry["name"] for entry in results["software"]}
    assert {"bambi", "pymc", "nutpie"} <= ran
    assert "the same numbers" in replay or "numbers again" in replay


def test_without_bambi_its_engine_is_refused_at_once(study: StudyFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    study.write_plan(PLAN)
    study.run("lock")
    study.run("import", str(study.bring_data()))
    monkeypatch.setattr("seedlock.prereg.plan.extras._is_here", lambda module: module not in {"bambi", "pip"})
    said = study.run("analyze", "--engine", "bambi", ok=NotInstalled.exit_code)
    assert "no bambi" in said
    assert "--engine" in said
    assert "look.opened" not in study.paths.ledger.read_text("utf-8")
