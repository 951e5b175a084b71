"""How far to trust the headline: a level with its grounds and its limits; for an open headline, what is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from seedlock.analysis.findings.headline import Headline, count_units, number_text
from seedlock.analysis.results.schema import Accounting, GateResult, HypothesisResult
from seedlock.prereg.lock.gate import Status
from seedlock.prereg.verify.number_binding import format_value

type Confidence = Literal["high", "moderate", "low", "none"]

_LEVELS: tuple[Confidence, ...] = ("high", "moderate", "low")
_ONE_STEP, _TWO_STEPS = 1, 2
_FEW, _VERY_FEW = 5, 3
_FAR = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The level, what speaks for it, and what keeps it from being higher.

    An open headline has the level "none", no grounds, and in `limits` what would be needed to settle it.
    """

    level: Confidence
    grounds: list[str]
    limits: list[str]


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
    units, or a posterior that contradicts the verdict. Nothing that concerns other hypotheses counts.
    """
    if headline.decision in {"undecided", "not testable"}:
        return Trust(level="none", grounds=[], limits=list(_missing(headline, accounting)))
    limits = [*_of_the_study(status, gates, accounting), *_of_the_numbers(headline)]
    if not speaks_of_new_seeds:
        scope = "by its plan the study speaks of these runs only; nothing follows for other training seeds"
        limits.append((_ONE_STEP, scope))
    steps = min(len(_LEVELS) - 1, sum(step for step, _ in limits))
    grounds = list(_grounds(headline, status, gates, accounting))
    return Trust(level=_LEVELS[steps], grounds=grounds, limits=[words for _, words in limits])


def _of_the_study(status: Status, gates: Sequence[GateResult], accounting: Accounting) -> Iterator[tuple[int, str]]:
    if status == "retrospective":
        yield _TWO_STEPS, "retrospective: the results existed before the plan was locked, so nothing was predicted"
    if status == "exploratory":
        yield _TWO_STEPS, "exploratory: the plan promises no confirmatory test"
    if status == "deviated":
        yield _ONE_STEP, "deviated: what was done is not all of what was promised"
    if shut := [gate.name for gate in gates if gate.passed is not True]:
        yield _ONE_STEP, f"gates that did not hold: {', '.join(shut)}"
    if accounting.runs_missing:
        yield _ONE_STEP, f"{len(accounting.runs_missing)} of {accounting.runs_planned} planned runs never came"


def _of_the_numbers(headline: Headline) -> Iterator[tuple[int, str]]:
    deciding = headline.deciding
    counted = [(h.n_units, h.id, h.unit) for h in deciding if h.n_units is not None]
    if counted and (fewest := min(counted))[0] < _FEW:
        n, name, unit = fewest
        step = _TWO_STEPS if n < _VERY_FEW else _ONE_STEP
        yield step, f"few units: {name} rests on {count_units(n, unit)}, which tell little of the spread between them"
    if odd := [h.id for h in deciding if disagrees(h)]:
        yield _TWO_STEPS, f"frequentist and Bayesian answers differ on {', '.join(odd)}"
    if close := [h.id for h in deciding if _is_close(h)]:
        yield _ONE_STEP, f"close: {', '.join(close)} would be undecided at half the error rate"
    if flips := [h.id for h in deciding if _depends_on_missing(h)]:
        yield _ONE_STEP, f"missing answers could change the verdict on {', '.join(flips)}"


def _grounds(headline: Headline, status: Status, gates: Sequence[GateResult], accounting: Accounting) -> Iterator[str]:
    if status == "confirmatory":
        yield "the plan was locked before the data came, and was followed"
    margins = [(margin, h) for h in headline.deciding if (margin := _margin(h)) is not None]
    if margins and not any(_crosses_an_edge(h) for h in headline.deciding):
        least, h = min(margins, key=lambda entry: entry[0] / (abs(entry[1].se or 0) or 1))
        yield f"no interval crosses an edge of its band: {h.id} comes closest, {_distance(least, h)} away"
    if gates and all(gate.passed is True for gate in gates):
        yield "every gate held"
    if accounting.runs_planned and not accounting.runs_missing:
        if not accounting.runs_not_due:
            yield "every planned run has data"
        elif accounting.has_stopped:
            yield "the plan's own rule ends the study at this look, and every run of it has data"
    agreed = [weight for h in headline.deciding if (weight := _posterior_weight(h)) is not None]
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
    if _depends_on_missing(h):
        return f"{standing}: answers that never came could move it either way"
    if h.n_units is None or h.ci is None:
        return standing
    low, high = (number_text(edge, h) for edge in h.ci)
    precision = f"{standing}: {count_units(h.n_units, h.unit)} leave {low} to {high}"
    needed = units_needed(h)
    if needed is None:
        return precision
    if needed > _FAR * h.n_units:
        more = count_units(_FAR * h.n_units, h.unit)
        return f"{precision}, and with this estimate so near an edge not even {more} would settle it"
    enough = count_units(needed, h.unit)
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
        if float(stats.t.ppf(1 - _judged_at(h), df)) * h.se * math.sqrt(h.n_units / n) < gap:
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


def _distance(value: float, h: HypothesisResult) -> str:
    """A distance on the hypothesis's scale: between rates it is in points."""
    return format_value(value, "pp1" if h.is_proportion and h.scale == "raw" else "number2")


def _is_close(h: HypothesisResult) -> bool:
    """Whether a band was excluded at a p between half the level it is judged at and the level itself."""
    if not h.verdict:
        return False
    return any(band.excluded and band.p is not None and band.p > _judged_at(h) / 2 for band in h.bands)


def _judged_at(h: HypothesisResult) -> float:
    """What the correction of its family leaves of its alpha."""
    return h.alpha if h.alpha_in_family is None else h.alpha_in_family


def _depends_on_missing(h: HypothesisResult) -> bool:
    return any(reason.startswith("missing-answers") for reason in h.reasons)


def _posterior_weight(h: HypothesisResult) -> float | None:
    """Posterior probability of the bands that the tests left; None without a sound posterior."""
    if not h.verdict or h.bayes is None or h.bayes.gates_passed is not True:
        return None
    weight = {band.name: band.posterior for band in h.bands}
    left = [weight[name] for name in h.verdict]
    return None if any(share is None for share in left) else math.fsum(share for share in left if share is not None)


def disagrees(h: HypothesisResult) -> bool:
    """Whether the posterior puts less than half of its weight on the bands that the tests left."""
    weight = _posterior_weight(h)
    return weight is not None and weight < 0.5
