"""The report's first words: what was found, in sentences made from the verdicts, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence

from seedlock.analysis.findings.confidence import trust_in
from seedlock.analysis.findings.headline import Headline, confirmatory, found_text, headline_of
from seedlock.analysis.findings.tally import tally_of
from seedlock.analysis.results.schema import Accounting, Answer, ClaimResult, GateResult, HypothesisResult, Numbers
from seedlock.prereg.lock.gate import Status
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.plan import Plan

_SUPPORTS: dict[Status, str] = {
    "confirmatory": "The data support the claim",
    "deviated": "The data support the claim",
    "retrospective": "These data fit the claim",
    "exploratory": "These data fit the claim",
}
_IN_A_SENTENCE = 3
"""Levels of one hypothesis that a sentence holds."""
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
    """The headline's verdict, its number and the tally; how far to trust it, with reasons counted from the results.

    An undecided headline has no confidence; its reasons say what would settle it.
    """
    headline = headline_of(hypotheses, claims)
    stated = confirmatory(hypotheses)
    trust = trust_in(
        headline, status=status, gates=gates, accounting=accounting, speaks_of_new_seeds=speaks_of_new_seeds
    )
    return Answer(
        sentences=[_verdict(headline, status), _numbers(headline, stated), _tally(stated, status)],
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
            return f"The data contradict the claim: {says}; {against or _because(headline)}."
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


def _numbers(headline: Headline, stated: Sequence[HypothesisResult]) -> str:
    """The number that the decision turns on, with those of the same hypothesis at other levels."""
    lead = headline.deciding[0]
    of = f" for {_stem(lead)}" if headline.is_claim or len(stated) > 1 else ""
    if lead.estimate is None:
        return f"There is no estimate{of}."
    some = _same_quantity(lead, headline.members if headline.is_claim else stated)
    if len(some) > 1:
        found = ", ".join(f"{found_text(h)} in {_level(h)}" for h in some[:-1])
        return f"The estimate{of} is {found} and {found_text(some[-1])} in {_level(some[-1])}{_in_unit(lead)}."
    of = of and f" for {lead.id}"
    band = "" if headline.is_claim or len(lead.verdict) != 1 else f", in the band {lead.verdict[0]}"
    return f"The estimate{of} is {found_text(lead)}{_in_unit(lead)}{band}."


def _same_quantity(lead: HypothesisResult, among: Sequence[HypothesisResult]) -> list[HypothesisResult]:
    """`lead` and the other levels of its entry in the plan, where they are few enough for one sentence."""
    some = [h for h in among if _stem(h) == _stem(lead) and h.measure == lead.measure and h.estimate is not None]
    return some if len(some) <= _IN_A_SENTENCE else [lead]


def _stem(h: HypothesisResult) -> str:
    """`H1` of `H1[llama]`."""
    return HypothesisId.read(h.id).base


def _level(h: HypothesisResult) -> str:
    return HypothesisId.read(h.id).level or ""


def _in_unit(h: HypothesisResult) -> str:
    """The unit of a number that does not carry it."""
    if h.scale != "raw":
        return f", in {h.scale}" if not h.unit_text else f", in {h.unit_text}"
    return "" if h.is_proportion or not h.unit_text else f", in {h.unit_text}"


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
        return f"The one hypothesis {parts[0][1]}."
    if len(parts) == 1:
        return f"{'Both' if n == 2 else f'All {n}'} hypotheses {parts[0][1]}."
    words = [f"{count} {what}" for count, what in parts]
    return f"Of {n} hypotheses {', '.join(words[:-1])} and {words[-1]}."


def _bands(h: HypothesisResult) -> str:
    return " or ".join(h.verdict)


def _because(headline: Headline) -> str:
    return headline.reasons[0].rstrip(".") if headline.reasons else "no reason was recorded"
