"""What the report says ran is what ran."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

import duckdb  # noqa: F401 - what the versions are read of
import pytest

from seedlock.analysis.findings.software import software_used
from seedlock.analysis.results.judge import AgreementResult
from seedlock.analysis.results.posterior import BayesResult
from seedlock.analysis.results.schema import HypothesisResult
from tests.report_fixture import hypothesis


def modelled(**bayes: Any) -> HypothesisResult:
    posterior = BayesResult.model_validate({"model": "seed_hierarchy", **bayes})
    return HypothesisResult.model_validate({**hypothesis("H1"), "bayes": posterior})


def named(*hypotheses: HypothesisResult, agreements: tuple[AgreementResult, ...] = ()) -> dict[str, str]:
    return {entry.name: entry.did for entry in software_used(hypotheses, [], agreements)}


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every library counts as imported."""
    for module in ("duckdb", "scipy", "bambi", "pymc", "numba", "nutpie", "arviz_stats", "pingouin", "statsmodels"):
        monkeypatch.setitem(sys.modules, module, sys)


@pytest.mark.usefixtures("everything")
def test_a_library_that_did_nothing_is_not_named_though_it_is_imported() -> None:
    assert set(named(modelled())) == {"duckdb", "scipy"}
    own = named(modelled(engine="seedlock"))
    assert {"bambi", "pymc", "pingouin", "statsmodels"}.isdisjoint(own)
    assert "Seedlock's own log density" in own["numba"]
    assert {"nutpie", "arviz-stats"} <= set(own)
    stated = named(modelled(engine="bambi"))
    assert stated["bambi"] == "stated the seed hierarchy and built it"
    assert "Seedlock" not in stated["numba"]


def test_a_library_that_was_not_imported_is_not_named_whatever_the_results_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bambi", raising=False)
    assert "bambi" not in named(modelled(engine="bambi"))


@pytest.mark.usefixtures("everything")
def test_pingouin_is_named_for_what_it_computed() -> None:
    size = {"kind": "g", "sd_of": "seed", "value": 1.2, "ci": (0.1, 2.3), "ci_level": 0.95, "sd": 0.1, "sd_df": 8.0,
            "ci_method": "noncentral t"}  # fmt: skip
    h = HypothesisResult.model_validate({**hypothesis("H1"), "effect_sizes": [size]})
    assert named(h)["pingouin"] == "computed effect sizes"
    glass = HypothesisResult.model_validate({**hypothesis("H1"), "effect_sizes": [{**size, "kind": "glass"}]})
    assert "pingouin" not in named(glass)
    rated = AgreementResult(
        judges=["a", "b"], kind="ICC(A,1)", n=9, value=0.8, ci=(0.5, 0.9), ci_level=0.95, reason=None
    )
    assert named(agreements=(rated,))["pingouin"] == "computed intraclass correlations"


def test_versions_are_those_installed() -> None:
    (entry,) = [one for one in software_used([], [], []) if one.name == "duckdb"]
    assert entry.version == version("duckdb")
