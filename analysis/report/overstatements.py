"""Verdicts in results.json that are stronger than their gates, members, missing answers or status allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seedlock.analysis.report.contradictions import fault
from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.plan import Plan


def overstatements(results: Mapping[str, Any], plan: Plan | None) -> Iterator[Finding]:
    """Every verdict that says more than what it rests on.

    Parameters
    ----------
    results
        results.json as plain data.
    plan
        Says which gates each hypothesis needs; without it none is held against a verdict.
    """
    shut = {gate["name"] for gate in results["gates"] if gate["passed"] is not True}
    required = {} if plan is None else {name: plan.gates_of(h, extra) for name, h, extra in plan.expanded()}
    for i, h in enumerate(results["hypotheses"]):
        yield from _verdict(f"/hypotheses/{i}", h, sorted(shut & set(required.get(h["id"], ()))))
    yield from _claims(results)
    yield from _confidence(results)


def _verdict(ref: str, h: Mapping[str, Any], closed: list[str]) -> Iterator[Finding]:
    if closed and h["verdict"]:
        yield fault(f"{ref}/verdict", f"{h['verdict']}", f"not testable: gate {', '.join(closed)} did not hold")
    if h["verdict"] and h["estimate"] is None:
        yield fault(f"{ref}/verdict", f"{h['verdict']}", "no verdict without an estimate")
    decided = h["decision"] in {band["name"] for band in h["bands"]}
    if decided and h["verdict"] != [h["decision"]]:
        yield fault(f"{ref}/decision", h["decision"], f"what the bands leave: {h['verdict']}")
    for bound in h["bounds"]:
        if beyond := [name for name in bound["verdict"] if h["verdict"] and name not in h["verdict"]]:
            lost = f"{' or '.join(beyond)} too, where {bound.get('assumption') or 'missing answers are at their worst'}"
            yield fault(f"{ref}/verdict", f"{h['verdict']}", lost)


def _claims(results: Mapping[str, Any]) -> Iterator[Finding]:
    verdicts = {h["id"]: h for h in results["hypotheses"]}
    for i, claim in enumerate(results["claims"]):
        met = [
            name in verdicts and verdicts[name]["verdict"] == [verdicts[name]["predicted"]] for name in claim["members"]
        ]
        holds = all(met) if claim["rule"] == "all_of" else any(met)
        if claim["decision"] == "supported" and not holds:
            yield fault(f"/claims/{i}/decision", "supported", "not by the verdicts of its members")


def _confidence(results: Mapping[str, Any]) -> Iterator[Finding]:
    level, where = results["answer"]["confidence"], "/answer/confidence"
    if level == "high" and results["status"] != "confirmatory":
        yield fault(where, "high", f"less, in a {results['status']} study")
    if level == "high" and any(gate["passed"] is not True for gate in results["gates"]):
        yield fault(where, "high", "less, where a gate did not hold")
    if level != "none" and (open_ := _open_headline(results)):
        yield fault(where, level, f"none, where the headline is {open_}")
    if results["status"] == "confirmatory" and results["deviations"]:
        yield fault("/status", "confirmatory", "deviated: departures were declared")


def _open_headline(results: Mapping[str, Any]) -> str:
    """How the first claim, or else the first confirmatory hypothesis with a number, is left open; empty if decided."""
    if results["claims"]:
        decision = str(results["claims"][0]["decision"])
        return decision if decision in {"undecided", "not testable"} else ""
    stated = [h for h in results["hypotheses"] if h["role"] == "confirmatory"] or results["hypotheses"]
    lead = next((h for h in stated if h["estimate"] is not None), None)
    if lead is None or not lead["verdict"]:
        return "not testable"
    return "undecided" if len(lead["verdict"]) > 1 and lead["predicted"] in lead["verdict"] else ""
