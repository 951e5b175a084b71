"""The Bayesian answer beside the frequentist one: numbers, gates, sensitivity; or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seedlock.analysis.report.text.formats import exact_spec, interval, spread_spec
from seedlock.analysis.report.text.pieces import Code, Line, Number, Quote, Table, joined, pointer
from seedlock.analysis.report.text.records import key_pieces, records_table, value_line

type Fact = tuple[str, Line]

_LEANS = {
    "the data decide": "the data decide: raising any prior to a power near one hardly moves the answer",
    "the prior decides": "the prior decides: the answer moves with a prior and hardly with the data",
    "prior and data conflict": "prior and data pull apart: the answer moves with a prior and with the data",
    "the prior matters": "the answer moves with a prior; the weight of the data is not known for this model",
}
_EXTREME = 0.025


def bayes_facts(ref: str, hypothesis: Mapping[str, Any], spec: str) -> tuple[Fact, ...]:
    """Label and line for every number of the seed hierarchy; the reason where it gave none."""
    bayes = hypothesis["bayes"]
    if bayes is None:
        return ()
    at = f"{ref}/bayes"
    facts: list[Fact] = [("Model", (Quote(f"{at}/model"),)), *_stated(at, bayes)]
    if bayes["reason"] is not None:
        facts.append(("No verdict, because", (Quote(f"{at}/reason"),)))
    if bayes["estimate"] is not None:
        facts += [*_numbers(at, bayes, spec), *_checks(at, bayes)]
    gates = {True: "passed", False: "failed: these numbers carry no verdict", None: "not run"}[bayes["gates_passed"]]
    return (*facts, ("Sampler gates", (gates,)))


def _stated(at: str, bayes: Mapping[str, Any]) -> list[Fact]:
    """The model as bambi states it: formula, priors, and whose SD between runs is whose."""
    if bayes.get("formula") is None:
        return []
    priors = ((Code(term), " ~ ", Quote(f"{at}/priors{pointer(term)}")) for term in bayes["priors"])
    facts: list[Fact] = [("Stated in bambi", (Quote(f"{at}/formula"),)), ("Priors", joined(priors, "; "))]
    why: Line = ("; ", Quote(f"{at}/run_sd_reason")) if bayes.get("run_sd_reason") is not None else ()
    return [*facts, ("SD between runs", (Quote(f"{at}/run_sd"), *why))]


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
        facts.append(("SD of this number between new units", sd))
    if bayes["icc"] is not None:
        facts.append(("Intra-class correlation", (Number(f"{at}/icc", "number2"),)))
    return facts


def _checks(at: str, bayes: Mapping[str, Any]) -> list[Fact]:
    """A sentence for each check of the model, and where its draws lie."""
    facts: list[Fact] = []
    if bayes["predictive_checks"]:
        odd = [c for c in bayes["predictive_checks"] if not _EXTREME <= c["p"] <= 1 - _EXTREME]
        says = "no: units at hand differ from units the model makes, as the table of replicated units shows"
        facts.append(("Does the model make units like these?", (says if odd else "yes",)))
    for i, left in enumerate(bayes["left_out"]):
        if left.get("n_influential") is None:
            continue
        what = "unit" if left["left_out"] == "unit" else "cell"
        many: Line = (Number(f"{at}/left_out/{i}/n_influential", "integer"), " of them, worst first: ")
        leant_on: Line = (*many, Quote(f"{at}/left_out/{i}/influential")) if left["n_influential"] else ("none",)
        facts.append((f"Single {what}s that the posterior leans on", leant_on))
    if bayes["power_scaling"] is not None:
        facts.append(("Prior or data?", (_LEANS[bayes["power_scaling"]["diagnosis"]],)))
    if bayes["draws_file"] is not None:
        facts.append(("Draws", (Quote(f"{at}/draws_file"),)))
    return facts


def bayes_tables(ref: str, hypothesis: Mapping[str, Any], spec: str) -> list[Table | None]:
    """Sampler diagnostics and prior sensitivity, where there are any."""
    bayes = hypothesis["bayes"]
    if bayes is None:
        return []
    sensitivity = records_table(
        f"{ref}/bayes/sensitivity", bayes["sensitivity"], caption="The same model under other priors", spec=spec
    )
    replicated = records_table(
        f"{ref}/bayes/predictive_checks",
        bayes["predictive_checks"],
        caption="Units at hand beside units replicated by the model: share of replications at least as large",
        spec="number3",
        names={"p": "share"},
    )
    left_out = records_table(
        f"{ref}/bayes/left_out",
        bayes["left_out"],
        caption="Leaving one out: expected log predictive density, and Pareto k of the importance weights",
        spec="number2",
        names={"se": "SE", "worst_pareto_k": "worst Pareto k", "elpd": "log density"},
    )
    return [
        sensitivity,
        replicated,
        left_out,
        _scaling(f"{ref}/bayes/power_scaling", bayes["power_scaling"]),
        _diagnostics(f"{ref}/bayes/diagnostics", bayes["diagnostics"]),
    ]


def _scaling(ref: str, scaling: Mapping[str, Any] | None) -> Table | None:
    """How fast the answer moves when a prior, or the likelihood, is raised to a power near one."""
    if scaling is None:
        return None
    rows = [
        (key_pieces(name), value_line(f"{ref}/priors{pointer(name)}", value, "", "number3"))
        for name, value in scaling["priors"].items()
    ]
    rows.append((("likelihood",), value_line(f"{ref}/likelihood", scaling["likelihood"], "", "number3")))
    return Table(
        caption="Sensitivity to priors by power-scaling (small is calm)",
        head=("Raised", "Sensitivity"),
        rows=tuple(rows),
        numeric=frozenset({1}),
    )


def _diagnostics(ref: str, diagnostics: Mapping[str, float | int | None]) -> Table | None:
    if not diagnostics:
        return None
    rows = tuple(
        (key_pieces(name), value_line(f"{ref}{pointer(name)}", value, "", "number3"))
        for name, value in diagnostics.items()
    )
    return Table(caption="Sampler diagnostics", head=("Diagnostic", "Value"), rows=rows, numeric=frozenset({1}))
