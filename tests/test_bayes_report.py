"""The Bayesian answer in results.json and the report: checks in words, draws beside it, words of the plan."""

from __future__ import annotations

import json
from typing import Any

import pytest
import xarray as xr

from tests.conftest import PLAN, StudyFixture

BAYES = '\n[bayes]\ndraws = 500\nsensitivity = ["half-t3(2.5)"]\n'


def with_model(word: str) -> str:
    return PLAN.replace('predicted = "more"', f'predicted = "more"\nbayes     = "{word}"') + BAYES


def analysed(study: StudyFixture, word: str) -> dict[str, Any]:
    study.write_plan(with_model(word))
    study.run("lock")
    study.run("import", str(study.bring_data()))
    study.run("analyze")
    study.run("verify")
    results: dict[str, Any] = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    found: dict[str, Any] = results["hypotheses"][0]["bayes"]
    return found


@pytest.mark.parametrize("word", ["seed_hierarchy", "seed_hierarchy_items"])
def test_a_report_carries_the_checks_of_its_hierarchy_and_its_draws(study: StudyFixture, word: str) -> None:
    bayes = analysed(study, word)
    assert (bayes["model"], bayes["likelihood"], bayes["gates_passed"]) == (word, "binomial", True)
    assert {check["statistic"] for check in bayes["predictive_checks"]} == {"sd", "smallest", "largest"}
    unit, cell = bayes["left_out"]
    assert unit["n"] == 8
    if word == "seed_hierarchy":
        assert "a unit is one cell" in cell["reason"]
    else:
        assert cell["n"] == 64
    assert set(bayes["power_scaling"]["priors"]) >= {"level_mean", "run_sd"}
    assert bayes["power_scaling"]["diagnosis"]
    page = (study.paths.report / "report.md").read_text("utf-8")
    assert "Does the model make units like these?" in page
    assert "Prior or data?" in page
    kept = study.paths.report / bayes["draws_file"]
    assert bayes["draws_file"] in (study.paths.report / "manifest.sha256").read_text("utf-8")
    with xr.open_dataset(kept) as draws:
        assert draws.attrs["hypotheses"] == "H1"
        contrast = draws["response"].sel(level="coupled") - draws["response"].sel(level="plain")
        assert float(contrast.mean()) == pytest.approx(bayes["estimate"], abs=1e-4)


def test_each_arm_has_its_own_spread_where_the_plan_says_so(study: StudyFixture) -> None:
    plan = with_model("seed_hierarchy").replace("[bayes]", '[bayes]\nrun_sd = "by level"')
    study.write_plan(plan.replace('test      = "pooled_t"', 'test      = "welch_t"'))
    study.run("lock")
    study.run("import", str(study.bring_data()))
    study.run("analyze")
    bayes = json.loads((study.paths.report / "results.json").read_text("utf-8"))["hypotheses"][0]["bayes"]
    assert bayes["reason"] is None
    with xr.open_dataset(study.paths.report / bayes["draws_file"]) as draws:
        assert draws["run_sd"].dims == ("chain", "draw", "level")


def test_draws_that_were_changed_break_the_report(broken: StudyFixture) -> None:
    study = StudyFixture(broken.paths)
    study.write_plan(with_model("seed_hierarchy"))
    study.run("amend", "--reason", "design-change", "--note", "the Bayesian answer too")
    study.run("analyze")
    file = study.paths.report / "posteriors" / "fit-1.nc"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    assert "fit-1.nc" in study.run("verify", ok=3)


def test_a_model_that_does_not_fit_the_data_gives_its_reason_and_no_number(study: StudyFixture) -> None:
    study.write_plan(
        with_model("seed_hierarchy_items").replace('test      = "pooled_t"', 'test = "welch_t"\nunit = "item"')
    )
    study.run("lock")
    study.run("import", str(study.bring_data()))
    study.run("analyze")
    bayes = json.loads((study.paths.report / "results.json").read_text("utf-8"))["hypotheses"][0]["bayes"]
    assert bayes["estimate"] is None
    assert bayes["draws_file"] is None
    assert "the items are the units" in bayes["reason"]


def test_an_unknown_model_is_refused_with_the_known_words(study: StudyFixture) -> None:
    study.write_plan(with_model("seed_hierachy"))
    assert "did you mean 'seed_hierarchy'?" in study.run("check", ok=2)
