"""The report's first words: what was found, in two sentences made from the verdicts, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence

from seedlock.analysis.findings.confidence import trust_in
from seedlock.analysis.findings.headline import Headline, confirmatory, found_text, headline_of
from seedlock.analysis.findings.tally import tally_of
from seedlock.analysis.results.schema import Accounting, Answer, ClaimResult, GateResult, HypothesisResult, Numbers
from seedlock.prereg.lock.gate import Status
from seedlock.prereg.plan.plan import Plan

_SUPPORTS: dict[Status, str] = {
    "confirmatory": "The data support the claim",
    "deviated": "The data support the claim",
    "retrospective": "These data fit the claim",
    "exploratory": "These data fit the claim",
}
_NAMED: dict[Status, str] = {
    "confirmatory": "was predicted",
    "deviated": "was predicted",
    "retrospective": "the plan names",
    "exploratory": "the plan names",
}


def answer_of(found: Numbers, plan: Plan) -> Answer:
    """The report's first words, from what was decided and nothing else: `verify` makes them again."""
    return write_answer(
        found.status,
        found.hypotheses,
        found.claims,
        found.gates,
        found.accounting,
        speaks_of_new_seeds=plan.inference.seeds == "new",
    )


def write_answer(
    status: Status,
    hypotheses: Sequence[HypothesisResult],
    claims: Sequence[ClaimResult],
    gates: Sequence[GateResult],
    accounting: Accounting,
    *,
    speaks_of_new_seeds: bool,
) -> Answer:
    """Two sentences on the headline, and how far its decision is to be trusted, with reasons counted from the results.

    An undecided headline has no confidence; its reasons say what would settle it.
    """
    headline = headline_of(hypotheses, claims)
    trust = trust_in(
        headline, status=status, gates=gates, accounting=accounting, speaks_of_new_seeds=speaks_of_new_seeds
    )
    return Answer(
        sentences=[_verdict(headline, status), _numbers(headline, confirmatory(hypotheses), status)],
        confidence=trust.level,
        reasons=trust.reasons,
        grounds=trust.grounds,
        limits=trust.limits,
        tally=tally_of(hypotheses),
    )


def _verdict(headline: Headline, status: Status) -> str:
    """What became of the headline, and what it turns on."""
    says = headline.says
    match headline.decision:
        case "supported":
            return f"{_SUPPORTS[status]}: {says}."
        case "not supported":
            against = " and ".join(f"{h.id} came out {_bands(h)}" for h in headline.contradicted[:2])
            return f"The data speak against the claim: {says}; {against or _because(headline)}."
        case "undecided":
            return f"The data leave this claim open: {says}; {_what_is_open(headline)}."
        case "not testable":
            return f"The data cannot test the claim: {says}; {_because(headline)}."


def _what_is_open(headline: Headline) -> str:
    open_ = headline.still_open
    if not open_:
        return _because(headline)
    may_be = " and ".join(f"{h.id} may still be {_bands(h)}" for h in open_[:2])
    if not headline.is_claim:
        return f"the number may still be {_bands(open_[0])}"
    if len(open_) > 2:
        may_be = f"{len(open_)} are undecided"
    needed = "findings it needs" if headline.rule == "all_of" else "findings that could each carry it"
    came = len(headline.came_out)
    came_out = f"{came} came out" if came else "none came out for certain"
    return f"of the {len(headline.members)} {needed} {came_out}, and {may_be}"


def _numbers(headline: Headline, stated: Sequence[HypothesisResult], status: Status) -> str:
    """The number that the decision turns on, and the tally of what the plan stated."""
    lead = headline.deciding[0]
    tally = _tally(stated, status)
    if lead.estimate is None:
        return f"There is no estimate for {lead.id}; {tally}."
    subject = f"The number for {lead.id}" if headline.is_claim or len(stated) > 1 else "The number"
    band = "" if headline.is_claim or len(lead.verdict) != 1 else f", in the band {lead.verdict[0]}"
    return f"{subject} is {found_text(lead)}{band}; {tally}."


def _tally(stated: Sequence[HypothesisResult], status: Status) -> str:
    n = len(stated)
    as_named = sum(h.verdict == [h.predicted] for h in stated)
    untestable = sum(not h.verdict for h in stated)
    open_ = sum(len(h.verdict) > 1 for h in stated)
    in_band = f"ended in the band that {_NAMED[status]}"
    counted = [
        (as_named, in_band),
        (n - as_named - untestable - open_, "ended in another band"),
        (open_, "left several bands standing"),
        (untestable, "could not be tested"),
    ]
    parts = [(count, what) for count, what in counted if count]
    if n == 1:
        return f"the one hypothesis {parts[0][1]}"
    if len(parts) == 1:
        return f"{'both' if n == 2 else f'all {n}'} hypotheses {parts[0][1]}"
    words = [f"{count} {what}" for count, what in parts]
    return f"of {n} hypotheses {', '.join(words[:-1])} and {words[-1]}"


def _bands(h: HypothesisResult) -> str:
    return " or ".join(h.verdict)


def _because(headline: Headline) -> str:
    return headline.reasons[0].rstrip(".") if headline.reasons else "no reason was recorded"
