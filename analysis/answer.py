"""The report's first words: what was found, in two sentences made from the verdicts, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from analysis.results import Accounting, Answer, ClaimResult, GateResult, HypothesisResult
from prereg.binding import format_value
from prereg.gate import Status

type Confidence = Literal["high", "moderate", "low", "none"]


def write_answer(
    status: Status,
    hypotheses: Sequence[HypothesisResult],
    claims: Sequence[ClaimResult],
    gates: Sequence[GateResult],
    accounting: Accounting,
    *,
    speaks_of_new_seeds: bool,
) -> Answer:
    """Two sentences, and a confidence whose reasons are counted from the results.

    The level starts at high and falls by one step a reason; a study without a testable confirmatory
    hypothesis has none.
    """
    confirmatory = [h for h in hypotheses if h.role == "confirmatory"] or list(hypotheses)
    reasons = _doubts(status, confirmatory, gates, accounting)
    if not speaks_of_new_seeds:
        reasons.append("by its plan the study speaks of these runs only; nothing follows for other training seeds")
    testable = [h for h in confirmatory if h.estimate is not None]
    levels: tuple[Confidence, ...] = ("high", "moderate", "low")
    confidence = levels[min(len(reasons), 2)] if testable else "none"
    return Answer(
        sentences=[_headline(confirmatory, claims), _tally(confirmatory, claims)],
        confidence=confidence,
        reasons=reasons or ["no gate failed, nothing is missing, and both schools of inference agree"],
    )


def number_text(value: float | None, h: HypothesisResult) -> str:
    """A number as the answer says it: percent for rates, percentage points for their differences, else two places."""
    if not h.is_proportion or h.scale != "raw":
        return format_value(value, "number2")
    return format_value(value, "percent1" if h.contrast is None else "pp1")


def _headline(hypotheses: Sequence[HypothesisResult], claims: Sequence[ClaimResult]) -> str:
    if claims:
        first = claims[0]
        verb = {
            "supported": "The data support the claim",
            "not supported": "The data do not support the claim",
            "undecided": "The data do not settle the claim",
            "not testable": "The data cannot test the claim",
        }[first.decision]
        lead = next((h for h in hypotheses if h.id == first.members[0]), None)
        return f"{verb}: {_clause(first.says)}" + (f" ({_found(lead)})." if lead and lead.estimate is not None else ".")
    lead = next((h for h in hypotheses if h.estimate is not None), hypotheses[0])
    if lead.estimate is None:
        return f"{_clause(lead.claim)}: {lead.decision}."
    return f"{_clause(lead.claim)}: {lead.decision} ({_found(lead)})."


def count_units(n: int, unit: str) -> str:
    """`5 induction personas`."""
    return f"{n} {unit.replace('_', ' ')}{'' if n == 1 else 's'}"


def _clause(text: str) -> str:
    return text.strip().rstrip(".")


def _found(h: HypothesisResult) -> str:
    """`11.7%, 95% interval 8.0% to 15.4%, 5 inductions`."""
    estimate = number_text(h.estimate, h)
    if h.ci is None or h.n_units is None:
        return estimate
    low, high = (number_text(edge, h) for edge in h.ci)
    units = count_units(h.n_units, h.unit)
    return f"{estimate}, {format_value(h.ci_level, 'percent0')} interval {low} to {high}, {units}"


def _tally(hypotheses: Sequence[HypothesisResult], claims: Sequence[ClaimResult]) -> str:
    n = len(hypotheses)
    as_expected = sum(h.verdict == [h.predicted] for h in hypotheses)
    untestable = sum(not h.verdict for h in hypotheses)
    open_ = sum(len(h.verdict) > 1 for h in hypotheses)
    otherwise = n - as_expected - untestable - open_
    counted = [
        (as_expected, "ended in the band that was predicted"),
        (otherwise, "in another band"),
        (open_, "left several bands standing"),
        (untestable, "could not be tested"),
    ]
    parts = [f"{count} {what}" for count, what in counted if count]
    subject = f"Of {n} hypotheses" if n != 1 else "Of the one hypothesis"
    settled = [c for c in claims if c.decision == "supported"]
    tail = f"; {len(settled)} of {len(claims)} composite claims are supported" if len(claims) > 1 else ""
    return f"{subject}, {', '.join(parts)}{tail}."


def _doubts(
    status: Status, hypotheses: Sequence[HypothesisResult], gates: Sequence[GateResult], accounting: Accounting
) -> list[str]:
    doubts = []
    if status == "retrospective":
        doubts.append("retrospective: the results existed before the plan was locked, so nothing here was predicted")
    if status in {"deviated", "exploratory"}:
        doubts.append(f"{status}: what was done is not all of what was promised")
    units = [(h.n_units, h.unit) for h in hypotheses if h.n_units is not None]
    if units and (fewest := min(units))[0] < 5:
        doubts.append(f"few units: the smallest comparison rests on {count_units(*fewest)}")
    if shut := [gate.name for gate in gates if gate.passed is not True]:
        doubts.append(f"gates that did not hold: {', '.join(shut)}")
    if accounting.runs_missing:
        doubts.append(f"{len(accounting.runs_missing)} of {accounting.runs_planned} planned runs never came")
    if odd := [h.id for h in hypotheses if disagrees(h)]:
        doubts.append(f"frequentist and Bayesian answers differ on {', '.join(odd)}")
    if flips := [h.id for h in hypotheses if any(r.startswith("missing-answers") for r in h.reasons)]:
        doubts.append(f"missing answers could change the verdict on {', '.join(flips)}")
    if untestable := [h.id for h in hypotheses if h.estimate is None]:
        doubts.append(f"not testable: {', '.join(untestable)}")
    return doubts


def disagrees(h: HypothesisResult) -> bool:
    """Whether the posterior puts most of its weight on a band that the tests excluded, or little on the one left."""
    if not h.verdict or h.bayes is None or h.bayes.gates_passed is not True:
        return False
    weight = {band.name: band.posterior or 0.0 for band in h.bands}
    return sum(weight[name] for name in h.verdict) < 0.5
