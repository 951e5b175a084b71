"""What the report's first sentence speaks of: the first claim, or else the first confirmatory hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seedlock.analysis.results.schema import ClaimResult, HypothesisResult
from seedlock.prereg.verify.number_binding import format_value

type Decision = Literal["supported", "not supported", "undecided", "not testable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The statement that the study is about, its decision, and the hypotheses that decide it.

    Parameters
    ----------
    says
        In the plan's words, without the full stop.
    members
        Hypotheses it rests on, in the plan's order; one for a headline that is a hypothesis.
    reasons
        Of the decision, from the claim or the hypothesis.
    is_claim
        Whether it is a composite claim.
    """

    says: str
    decision: Decision
    members: tuple[HypothesisResult, ...]
    reasons: tuple[str, ...]
    rule: Literal["all_of", "any_of"]
    is_claim: bool

    @property
    def came_out(self) -> tuple[HypothesisResult, ...]:
        """Members that ended in the band the plan names."""
        return tuple(h for h in self.members if h.verdict == [h.predicted])

    @property
    def contradicted(self) -> tuple[HypothesisResult, ...]:
        """Members whose verdict leaves the band that the plan names out."""
        return tuple(h for h in self.members if h.verdict and h.predicted not in h.verdict)

    @property
    def still_open(self) -> tuple[HypothesisResult, ...]:
        """Members that leave several bands standing, the one that the plan names among them."""
        return tuple(h for h in self.members if len(h.verdict) > 1 and h.predicted in h.verdict)

    @property
    def untested(self) -> tuple[HypothesisResult, ...]:
        """Members without an estimate."""
        return tuple(h for h in self.members if h.estimate is None)

    @property
    def deciding(self) -> tuple[HypothesisResult, ...]:
        """Members that the decision turns on; never empty."""
        turns_on = {
            "supported": self.came_out,
            "not supported": self.contradicted,
            "undecided": self.still_open,
            "not testable": self.untested,
        }
        return turns_on[self.decision] or self.members


def confirmatory(hypotheses: Sequence[HypothesisResult]) -> list[HypothesisResult]:
    """The hypotheses that the study is about; all of them in one that promises no test."""
    return [h for h in hypotheses if h.role == "confirmatory"] or list(hypotheses)


def headline_of(hypotheses: Sequence[HypothesisResult], claims: Sequence[ClaimResult]) -> Headline:
    """The first claim, or else the first confirmatory hypothesis that has a number."""
    if claims:
        first = claims[0]
        by_id = {h.id: h for h in hypotheses}
        return Headline(
            says=clause(first.says),
            decision=first.decision,
            members=tuple(by_id[name] for name in first.members if name in by_id),
            reasons=tuple(first.reasons),
            rule=first.rule,
            is_claim=True,
        )
    stated = confirmatory(hypotheses)
    lead = next((h for h in stated if h.estimate is not None), stated[0])
    return Headline(
        says=clause(lead.claim),
        decision=_decision(lead),
        members=(lead,),
        reasons=tuple(lead.reasons),
        rule="all_of",
        is_claim=False,
    )


def _decision(h: HypothesisResult) -> Decision:
    if h.estimate is None or not h.verdict:
        return "not testable"
    if h.predicted not in h.verdict:
        return "not supported"
    return "supported" if len(h.verdict) == 1 else "undecided"


def clause(text: str) -> str:
    """A sentence without its full stop."""
    return text.strip().rstrip(".")


def number_text(value: float | None, h: HypothesisResult) -> str:
    """A number as the answer says it: percent for rates, percentage points for their differences, else two places."""
    if not h.is_proportion or h.scale != "raw" or is_correlation(h):
        return format_value(value, "number2")
    return format_value(value, "percent1" if h.contrast is None and h.dose is None else "pp1")


def distance_text(value: float, h: HypothesisResult) -> str:
    """A distance on the hypothesis's scale: between rates it is in points."""
    is_in_points = h.is_proportion and h.scale == "raw" and not is_correlation(h)
    return format_value(value, "pp1" if is_in_points else "number2")


def is_correlation(h: HypothesisResult) -> bool:
    """Whether its numbers are correlations, whatever the measure's unit is."""
    return h.dose is not None and h.dose.kind == "correlation"


def units_text(h: HypothesisResult, n: int | None = None) -> str:
    """`5 seeds an arm, 10 runs`: replicates of each level, and of all where they are not the same.

    Parameters
    ----------
    n
        As many replicates in all, in place of those at hand, the same number at each level.
    """
    counts = sorted(h.units_per_level.values())
    total = h.n_units if n is None else n
    unit, level = h.unit.replace("_", " "), h.over.replace("_", " ")
    if total is None:
        return f"no {unit}"
    if len(counts) < 2 or sum(counts) != h.n_units:
        in_each = (
            f" {'at every number of' if h.dose else 'in every'} {level}"
            if len(counts) > 1 and counts == [h.n_units] * len(counts)
            else ""
        )
        return f"{total} {_several(unit, total)}{in_each}"
    least, most = (counts[0], counts[-1]) if n is None else (-(-n // len(counts)),) * 2
    each = f"{least} {_several(unit, least)}" if least == most else f"{least} to {most} {_several(unit, most)}"
    article = "an" if level[0] in "aeiou" else "a"
    whole = sum(counts) if n is None else least * len(counts)
    return f"{each} {article} {level}, {whole} {'runs' if h.unit == 'seed' else 'in all'}"


def _several(unit: str, n: int) -> str:
    return unit if n == 1 else f"{unit}s"


def found_text(h: HypothesisResult) -> str:
    """`11.7% (95% interval 8.0% to 15.4%, 5 inductions)`."""
    estimate = number_text(h.estimate, h)
    if h.ci is None or h.n_units is None:
        return estimate
    low, high = (number_text(edge, h) for edge in h.ci)
    return f"{estimate} ({100 * h.ci_level:.4g}% interval {low} to {high}, {units_text(h)})"
