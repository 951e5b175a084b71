"""How far to trust the headline: a level with its grounds and its limits; for an open headline, what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from seedlock.analysis.findings.headline import Headline, distance_text, number_text, units_text
from seedlock.analysis.findings.limits import depends_on_missing, judged_at, limits_of, posterior_weight
from seedlock.analysis.results.schema import Accounting, GateResult, HypothesisResult, Limit
from seedlock.prereg.lock.gate import Status
from seedlock.prereg.verify.number_binding import format_value

type Confidence = Literal["high", "moderate", "low", "none"]

_LEVELS: tuple[Confidence, ...] = ("high", "moderate", "low")
_FAR = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The level, what speaks for it, and what keeps it from being higher: `limits`, in words `reasons`.

    An open headline has the level "none", no grounds, and in `reasons` what would be needed to settle it.
    """

    level: Confidence
    grounds: list[str]
    reasons: list[str]
    limits: list[Limit]


def trust_in(
    headline: Headline,
    *,
    status: Status,
    gates: Sequence[GateResult],
    accounting: Accounting,
    speaks_of_new_seeds: bool,
) -> Trust:
    """How far the decision on the headline may be trusted.

    Each limit lowers the level by one step or by two: two for a study whose plan could not bind it, fewer than three
    units a level, or a posterior that contradicts the verdict. Nothing that concerns other hypotheses counts, and a
    level that no check lowered is not one that nothing limits.
    """
    if headline.decision in {"undecided", "not testable"}:
        return Trust(level="none", grounds=[], reasons=list(_missing(headline, accounting)), limits=[])
    limits = limits_of(
        headline, status=status, gates=gates, accounting=accounting, speaks_of_new_seeds=speaks_of_new_seeds
    )
    steps = min(len(_LEVELS) - 1, sum(limit.steps for limit in limits))
    grounds = list(_grounds(headline, status, gates, accounting))
    return Trust(level=_LEVELS[steps], grounds=grounds, reasons=[limit.says for limit in limits], limits=limits)


def _grounds(headline: Headline, status: Status, gates: Sequence[GateResult], accounting: Accounting) -> Iterator[str]:
    if status == "confirmatory":
        yield "the plan was locked before the data came, and was followed"
    margins = [(margin, h) for h in headline.deciding if (margin := _margin(h)) is not None]
    if margins and not any(_crosses_an_edge(h) for h in headline.deciding):
        least, h = min(margins, key=lambda entry: entry[0] / (abs(entry[1].se or 0) or 1))
        yield f"no interval crosses an edge of its band: {h.id} comes closest, {distance_text(least, h)} away"
    if gates and all(gate.passed is True for gate in gates):
        yield "every gate held"
    if accounting.runs_planned and not accounting.runs_missing:
        if not accounting.runs_not_due:
            yield "every planned run has data"
        elif accounting.has_stopped:
            yield "the plan's own rule ends the study at this look, and every run of it has data"
    agreed = [weight for h in headline.deciding if (weight := posterior_weight(h)) is not None]
    if agreed and not any(disagrees(h) for h in headline.deciding):
        share = "nearly all" if min(agreed) >= 0.9995 else f"at least {_rounded_down(min(agreed))}"
        yield f"{share} of the posterior lies in the same band{'' if len(agreed) == 1 else 's'}"


def _missing(headline: Headline, accounting: Accounting) -> Iterator[str]:
    """What would settle an open headline."""
    for h in headline.still_open:
        yield _what_would_settle(h)
    for h in headline.untested:
        yield f"{h.id} could not be tested: {h.reasons[0] if h.reasons else h.decision}"
    if not headline.still_open and not headline.untested:
        yield from headline.reasons
    if accounting.runs_not_due and not accounting.has_stopped:
        yield f"{accounting.runs_not_due} of {accounting.runs_planned} planned runs are due at a later look"


def _what_would_settle(h: HypothesisResult) -> str:
    standing = f"{h.id} may be {' or '.join(h.verdict)}"
    if depends_on_missing(h):
        return f"{standing}: answers that never came could move it either way"
    if h.n_units is None or h.ci is None:
        return standing
    low, high = (number_text(edge, h) for edge in h.ci)
    precision = f"{standing}: {units_text(h)} leave {low} to {high}"
    needed = units_needed(h)
    if needed is None:
        return precision
    if needed > _FAR * h.n_units:
        more = units_text(h, _FAR * h.n_units)
        return f"{precision}, and with this estimate so near an edge not even {more} would settle it"
    enough = units_text(h, needed)
    return f"{precision}; were estimate and spread to stay as they are, about {enough} would settle it"


def units_needed(h: HypothesisResult) -> int | None:
    """Units at which only the band that holds the estimate would stand, if estimate and spread stayed as they are.

    Returns
    -------
    int or None
        At most one more than ten times the units there are; None where the interval is not a t interval over units.

    Notes
    -----
    The standard error falls with the root of the units, the degrees of freedom grow in proportion to units less one.
    A plan for the next study should be simulated; this only says how far this one was from a verdict.
    """
    from scipy import stats  # noqa: PLC0415 - a second of start-up that only an open headline should pay

    gap = _gap(h)
    if gap is None or h.se is None or h.df is None or h.n_units is None or h.n_units < 2 or h.unit == "answer":
        return None
    for n in range(h.n_units + 1, _FAR * h.n_units + 1):
        df = h.df * (n - 1) / (h.n_units - 1)
        if float(stats.t.ppf(1 - judged_at(h), df)) * h.se * math.sqrt(h.n_units / n) < gap:
            return n
    return _FAR * h.n_units + 1


def _gap(h: HypothesisResult) -> float | None:
    """From the estimate to the nearest band that still stands beside its own."""
    if h.estimate is None:
        return None
    gaps = []
    for band in h.bands:
        low = -math.inf if band.lower is None else band.lower
        high = math.inf if band.upper is None else band.upper
        if band.name in h.verdict and not low <= h.estimate <= high:
            gaps.append(max(low - h.estimate, h.estimate - high))
    return min(gaps, default=None)


def _margin(h: HypothesisResult) -> float | None:
    """From the interval to the nearest edge of the one band left; None where it crosses one or there is none."""
    if h.ci is None or len(h.verdict) != 1:
        return None
    band = next(band for band in h.bands if band.name == h.verdict[0])
    room = [h.ci[0] - band.lower] if band.lower is not None else []
    room += [band.upper - h.ci[1]] if band.upper is not None else []
    return min(room) if room and min(room) >= 0 else None


def _crosses_an_edge(h: HypothesisResult) -> bool:
    return h.ci is not None and _margin(h) is None


def _rounded_down(share: float) -> str:
    """A share in percent of which one may still say "at least"."""
    return format_value(math.floor(1000 * share) / 1000, "percent1")


def disagrees(h: HypothesisResult) -> bool:
    """Whether the posterior puts less than half of its weight on the bands that the tests left."""
    weight = posterior_weight(h)
    return weight is not None and weight < 0.5
