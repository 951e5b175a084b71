"""One row of the page of published claims: what was printed, what the locked plan finds, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from docs.reanalysis import Reanalysis
from seedlock.analysis.results.schema import HypothesisResult

type Outcome = Literal["survives", "does not survive", "cannot be answered by this design"]

IMPOSSIBLE = {
    "too-few-units": "One {unit} a condition has no standard error, so nothing follows for other {unit}s.",
    "no-spread": "Every {unit} gave the same number: there is no spread to infer other {unit}s from.",
    "empty-cell": "Not one of the promised runs was published.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim, in the words of the page; `is_ours` where the authors printed the numbers but not the sentence."""

    claim: str
    published: str
    ours: str
    unit: str
    verdict: str
    outcome: Outcome
    why: str
    is_ours: bool = False


def hypothesis_row(study: Reanalysis, identity: str, *, published: str, remark: str = "") -> Row:
    """The row of one hypothesis; everything but the printed numbers and the remark comes from its result."""
    h = study.hypothesis(identity)
    outcome = outcome_of(h)
    level = f" ({h.where['model']})" if "model" in h.where else ""
    return Row(
        claim=h.claim.removesuffix(".") + level,
        published=published,
        ours=_ours(h),
        unit=f"{h.n_units} {h.unit}s" if h.n_units else h.unit,
        verdict=" or ".join(h.verdict) or "none",
        outcome=outcome,
        why=" ".join(filter(None, (_why(h, outcome), remark))),
        is_ours=h.role == "exploratory",
    )


def outcome_of(h: HypothesisResult) -> Outcome:
    """A claim survives where only its predicted band is left, missing answers at their worst."""
    if h.estimate is None:
        return "cannot be answered by this design"
    return "survives" if h.verdict == [h.predicted] else "does not survive"


def percent(share: float) -> str:
    """A rate with one decimal."""
    return f"{100 * share:.1f}%"


def span(low: float, high: float) -> str:
    """An interval in percent, without the sign, which its estimate carries."""
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def p_text(p: float) -> str:
    """A p-value with two significant digits."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def two_sided(h: HypothesisResult) -> float | None:
    """Two-sided p of "no effect", where the hypothesis cuts its scale once."""
    if h.p_value is None or len(h.bands) != 2:
        return None
    return min(1.0, 2 * min(h.p_value, 1 - h.p_value))


def _ours(h: HypothesisResult) -> str:
    if h.estimate is None or h.ci is None:
        return "no number"
    number = f"{100 * h.estimate:+.1f} pp" if h.contrast else percent(h.estimate)
    parts = [f"{number} {span(*h.ci)}"]
    p = two_sided(h)
    if p is not None and h.contrast:
        parts.append(p_text(p))
    if h.next_unit_ci and h.unit == "seed":
        parts.append(f"next seed {span(*h.next_unit_ci)}")
    return ", ".join(parts)


def _why(h: HypothesisResult, outcome: Outcome) -> str:
    if outcome == "cannot be answered by this design":
        code, _, detail = h.reasons[0].partition(": ")
        return IMPOSSIBLE[code].format(unit=h.unit) if code in IMPOSSIBLE else f"{detail[0].upper()}{detail[1:]}."
    if outcome == "survives":
        worst = ", with every missing answer at its worst too" if h.bounds else ""
        return f"Over {h.unit}s only “{h.predicted}” is left{worst}."
    if h.predicted not in h.verdict:
        return f"The data exclude “{h.predicted}”."
    return " ".join(filter(None, (_left_open(h), _naive(h))))


def _left_open(h: HypothesisResult) -> str:
    """Why more than the predicted band is left: the missing answers, the correction, or the interval."""
    others = " and ".join(f"“{band}”" for band in h.verdict if band != h.predicted)
    if any(reason.startswith("missing-answers") for reason in h.reasons):
        bounds = " or ".join(span(*bound["ci"]) for bound in h.bounds)
        return f"Missing answers decide it: at their worst the interval is {bounds}, which leaves {others} open."
    p = two_sided(h)
    if p is not None and p <= 2 * h.alpha and h.p_adjusted is not None:
        return f"Alone {p_text(p)}; Holm over its family makes that {p_text(min(1.0, 2 * h.p_adjusted))}."
    return f"Over {h.unit}s the data leave {others} open."


def _naive(h: HypothesisResult) -> str:
    """The pooled interval, where it would have said something else."""
    pooled = next((o for o in h.second_opinions if "every answer as independent" in o.note and o.ci), None)
    if pooled is None or pooled.ci is None:
        return ""
    low, high = pooled.ci
    band = next(b for b in h.bands if b.name == h.predicted)
    inside = (band.lower is None or low > band.lower) and (band.upper is None or high < band.upper)
    return (
        f"Counting every answer as independent would give {span(low, high)}, all in “{h.predicted}”." if inside else ""
    )
