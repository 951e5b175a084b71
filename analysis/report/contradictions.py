"""Two statements of one quantity in results.json that cannot both be true."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from seedlock.analysis.findings.tally import tally_of
from seedlock.analysis.results.schema import HypothesisResult
from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.audit import AUDIT

_NEAR = 1e-9


def contradictions(results: Mapping[str, Any], *, knows_tests: bool = True) -> Iterator[Finding]:
    """Every pair of statements in `results` (plain JSON data) that contradict each other.

    Parameters
    ----------
    knows_tests
        Whether the tests that the results name are those of this Seedlock: only then is it known which of them are
        made on the units' means.
    """
    yield from _accounting(results)
    yield from _tally(results)
    for i, h in enumerate(results["hypotheses"]):
        yield from _hypothesis(f"/hypotheses/{i}", h)
        yield from _restated(f"/hypotheses/{i}", h)
        if knows_tests:
            yield from _against_units(f"/hypotheses/{i}", h)
    for i, cell in enumerate(results["cells"]):
        yield from _cell(f"/cells/{i}", cell)
    for i, gate in enumerate(results["gates"]):
        if gate["name"] == AUDIT:  # its verdict is the measures that passed, not a band
            continue
        holds = None if gate["estimate"] is None else gate["verdict"] == [gate["need"]]
        if gate["passed"] is not holds:
            yield fault(f"/gates/{i}/passed", f"{gate['passed']}", f"{holds}: found {gate['verdict']}")
    for i, entry in enumerate(results["multiverse"]):
        yield from _multiverse(f"/multiverse/{i}", entry, results["hypotheses"])


def fault(where: str, found: str, promised: str) -> Finding:
    """One thing that does not hold."""
    return Finding(where=where, found=found, promised=promised)


def _accounting(results: Mapping[str, Any]) -> Iterator[Finding]:
    a = results["accounting"]
    if a["runs_with_data"] + len(a["runs_missing"]) + a["runs_not_due"] != a["runs_planned"]:
        found = f"{a['runs_with_data']} with data, {len(a['runs_missing'])} missing, {a['runs_not_due']} not due"
        yield fault("/accounting", found, f"{a['runs_planned']} planned")
    rows = [entry["rows"] for entry in results["inputs"] if entry["table"] == "completions"]
    if rows and a["answers"] != sum(rows):
        yield fault("/accounting/answers", f"{a['answers']}", f"{sum(rows)} rows of sealed completions")


def _tally(results: Mapping[str, Any]) -> Iterator[Finding]:
    """The scoreboard against the verdicts; a report from before there was one has none."""
    found = results["answer"]["tally"]
    promised = [t.model_dump() for t in tally_of([HypothesisResult.model_validate(h) for h in results["hypotheses"]])]
    if found and found != promised:
        yield fault("/answer/tally", f"{found}", f"{promised}, as the verdicts give")


def _hypothesis(ref: str, h: Mapping[str, Any]) -> Iterator[Finding]:
    if h["estimate"] is None:
        if not h["reasons"]:
            yield fault(f"{ref}/reasons", "no estimate and no reason", "a reason beside every undefined number")
        return
    if h["ci"] is not None and not h["ci"][0] <= h["estimate"] <= h["ci"][1]:
        yield fault(f"{ref}/ci", f"{h['ci']}", f"an interval around {h['estimate']}")
    if not math.isclose(h["ci_level"], 1 - 2 * h["alpha"], abs_tol=_NEAR):
        yield fault(f"{ref}/ci_level", f"{h['ci_level']}", f"1 - 2 alpha = {1 - 2 * h['alpha']}")
    left = [band["name"] for band in h["bands"] if band["excluded"] is False]
    if h["verdict"] and left != h["verdict"]:
        yield fault(f"{ref}/verdict", f"{h['verdict']}", f"the bands not excluded: {left}")
    words = f"inconclusive: {' or '.join(h['verdict'])}"
    if len(h["verdict"]) > 1 and h["decision"] != words:
        yield fault(f"{ref}/decision", h["decision"], words)
    if h["p_adjusted"] is not None and h["p_value"] is not None and h["p_adjusted"] < h["p_value"] - _NEAR:
        yield fault(f"{ref}/p_adjusted", f"{h['p_adjusted']}", f"no less than p = {h['p_value']}")


def _restated(ref: str, h: Mapping[str, Any]) -> Iterator[Finding]:
    """The same number said again: by the units, by the interval beside the bands, by the posterior."""
    if h["estimate"] is None:
        return
    for j, unit in enumerate(h["units"]):
        if unit.get("k") is not None and unit.get("n") and not 0 <= unit["k"] <= unit["n"]:
            yield fault(f"{ref}/units/{j}/k", f"{unit['k']} of {unit['n']}", "no more successes than answers")
    posteriors = [band["posterior"] for band in h["bands"] if band["posterior"] is not None]
    if posteriors and not math.isclose(math.fsum(posteriors), 1, abs_tol=0.005):
        yield fault(f"{ref}/bands", f"posteriors that add up to {math.fsum(posteriors)}", "bands that share all of it")
    bayes = h["bayes"]
    said = {band["name"]: band["posterior"] for band in h["bands"]}.get(h["predicted"])
    if bayes is not None and None not in {said, bayes["p_predicted"]} and abs(said - bayes["p_predicted"]) > _NEAR:
        yield fault(f"{ref}/bayes/p_predicted", f"{bayes['p_predicted']}", f"{said}, as the band's posterior says")


def _against_units(ref: str, h: Mapping[str, Any]) -> Iterator[Finding]:
    """A test on the units' means has their contrast as its estimate, and an interval that its verdict is read from."""
    if h["estimate"] is None or not _is_on_unit_means(h):
        return
    by_units = _from_units(h)
    if by_units is not None and not math.isclose(by_units, h["estimate"], rel_tol=1e-6, abs_tol=_NEAR):
        yield fault(f"{ref}/estimate", f"{h['estimate']}", f"{by_units} by the means of its units")
    if h["ci"] is not None and len(h["verdict"]) == 1:
        low, high = _band(h, h["verdict"][0])
        if not (low - _NEAR <= h["ci"][0] and h["ci"][1] <= high + _NEAR):
            yield fault(f"{ref}/ci", f"{h['ci']} crosses an edge", f"an interval inside {h['verdict'][0]!r}")


def _from_units(h: Mapping[str, Any]) -> float | None:
    """The estimate as the contrast of the unit means, where the scale is the measure's."""
    if h["scale"] != "raw":
        return None
    by_level: dict[str, list[float]] = {}
    for unit in h["units"]:
        if unit.get("mean") is None or "level" not in unit:
            return None
        by_level.setdefault(unit["level"], []).append(unit["mean"])
    weights = h["contrast"] or dict.fromkeys(by_level, 1.0)
    if not by_level or weights.keys() - by_level.keys() or (h["contrast"] is None and len(by_level) > 1):
        return None
    return math.fsum(weight * math.fsum(by_level[name]) / len(by_level[name]) for name, weight in weights.items())


def _is_on_unit_means(h: Mapping[str, Any]) -> bool:
    from seedlock.analysis.estimators import ESTIMATORS  # noqa: PLC0415 - a second of libraries that no page needs

    return ESTIMATORS[h["test"]].family == "t on unit means"


def _band(h: Mapping[str, Any], name: str) -> tuple[float, float]:
    band = next((band for band in h["bands"] if band["name"] == name), {"lower": None, "upper": None})
    return (
        -math.inf if band["lower"] is None else band["lower"],
        math.inf if band["upper"] is None else band["upper"],
    )


def _cell(ref: str, cell: Mapping[str, Any]) -> Iterator[Finding]:
    if cell["mean"] is None and not cell["reasons"]:
        yield fault(f"{ref}/reasons", "no mean and no reason", "a reason beside every undefined number")
    if cell["k"] is not None and cell["n"] is not None and cell["k"] > cell["n"]:
        yield fault(f"{ref}/k", f"{cell['k']} of {cell['n']}", "no more successes than answers")
    inside = cell["mean"] is None or cell["ci"] is None or cell["ci"][0] <= cell["mean"] <= cell["ci"][1]
    if not inside:
        yield fault(f"{ref}/ci", f"{cell['ci']}", f"an interval around {cell['mean']}")


def _multiverse(ref: str, entry: Mapping[str, Any], hypotheses: list[Mapping[str, Any]]) -> Iterator[Finding]:
    branches = entry["branches"]
    predicted = sum(branch["verdict"] == [entry["predicted"]] for branch in branches)
    if branches and entry["n_predicted"] != predicted:
        yield fault(f"{ref}/n_predicted", f"{entry['n_predicted']}", f"{predicted} by its branches")
    stated = {h["id"]: h["estimate"] for h in hypotheses}.get(entry["id"])
    for j, branch in enumerate(branches):
        if stated is None or not branch["is_locked"] or branch["estimate"] is None:
            continue
        if not math.isclose(branch["estimate"], stated, rel_tol=1e-6, abs_tol=_NEAR):
            yield fault(f"{ref}/branches/{j}/estimate", f"{branch['estimate']}", f"{stated}, the locked analysis")
