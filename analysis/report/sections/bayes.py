"""The Bayesian answer beside the frequentist one: numbers, gates, sensitivity; or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.report.formats import exact_spec, interval, spread_spec
from analysis.report.pieces import Line, Number, Quote, Table, pointer
from analysis.report.sections.records import key_pieces, records_table, value_line

type Fact = tuple[str, Line]


def bayes_facts(ref: str, hypothesis: Mapping[str, Any], spec: str) -> tuple[Fact, ...]:
    """Label and line for every number of the seed hierarchy; the reason where it gave none."""
    bayes = hypothesis["bayes"]
    if bayes is None:
        return ()
    at = f"{ref}/bayes"
    facts: list[Fact] = [("Model", (Quote(f"{at}/model"),))]
    if bayes["reason"] is not None:
        facts.append(("No verdict, because", (Quote(f"{at}/reason"),)))
    if bayes["estimate"] is not None:
        facts += _numbers(at, bayes, spec)
    gates = {True: "passed", False: "failed: these numbers carry no verdict", None: "not run"}[bayes["gates_passed"]]
    return (*facts, ("Sampler gates", (gates,)))


def _numbers(at: str, bayes: Mapping[str, Any], spec: str) -> list[Fact]:
    level: Line = ()
    if bayes["ci_level"] is not None:
        level = (Number(f"{at}/ci_level", exact_spec(bayes["ci_level"], "percent")), " ")
    facts: list[Fact] = [
        ("Posterior mean", (Number(f"{at}/estimate", spec),)),
        ("Credible interval", (*level, *interval(f"{at}/ci", bayes["ci"], spec))),
        ("Interval for a new unit", interval(f"{at}/new_unit_ci", bayes["new_unit_ci"], spec)),
        ("Probability of the predicted band", (Number(f"{at}/p_predicted", "percent1"),)),
        ("The same for a new unit", (Number(f"{at}/p_predicted_new_seed", "percent1"),)),
    ]
    if bayes["unit_sd"] is not None:
        wide = spread_spec(spec)
        sd = (Number(f"{at}/unit_sd", wide), " ", *interval(f"{at}/unit_sd_ci", bayes["unit_sd_ci"], wide))
        facts.append(("SD between units", sd))
    if bayes["icc"] is not None:
        facts.append(("Intra-class correlation", (Number(f"{at}/icc", "number2"),)))
    return facts


def bayes_tables(ref: str, hypothesis: Mapping[str, Any], spec: str) -> list[Table | None]:
    """Sampler diagnostics and prior sensitivity, where there are any."""
    bayes = hypothesis["bayes"]
    if bayes is None:
        return []
    sensitivity = records_table(
        f"{ref}/bayes/sensitivity", bayes["sensitivity"], caption="The same model under other priors", spec=spec
    )
    return [sensitivity, _diagnostics(f"{ref}/bayes/diagnostics", bayes["diagnostics"])]


def _diagnostics(ref: str, diagnostics: Mapping[str, float | int | None]) -> Table | None:
    if not diagnostics:
        return None
    rows = tuple(
        (key_pieces(name), value_line(f"{ref}{pointer(name)}", value, "", "number3"))
        for name, value in diagnostics.items()
    )
    return Table(caption="Sampler diagnostics", head=("Diagnostic", "Value"), rows=rows, numeric=frozenset({1}))
