"""What lowers the confidence in a headline: every check that failed, with its kind, its number and its words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from seedlock.analysis.findings.headline import Headline, distance_text, units_text
from seedlock.analysis.inference.reason import MISSING_ANSWERS
from seedlock.analysis.results.posterior import BayesResult
from seedlock.analysis.results.schema import Accounting, GateResult, HypothesisResult, Limit
from seedlock.prereg.lock.gate import Status
from seedlock.prereg.verify.number_binding import format_value

EXTREME_P = 0.025
"""A posterior predictive p this near to 0 or 1 says that the model does not make units like those at hand."""
RELIABLE_K = 0.7
"""Pareto k above which the posterior leans on one unit. Vehtari et al. (2024), https://jmlr.org/papers/v25/19-556.html"""
SAME_QUANTITY = 0.95
"""Correlation over units above which a gate says no more than the outcome that it guards."""
COPIED = 0.5
"""Share of nearly equal answers above which two seeds are hardly two runs."""
_FEW, _VERY_FEW = 5, 3
_CELLS_IN_TWENTY = 20
_PRIOR_SHIFT = 0.1


def limits_of(
    headline: Headline,
    *,
    status: Status,
    gates: Sequence[GateResult],
    accounting: Accounting,
    speaks_of_new_seeds: bool,
) -> list[Limit]:
    """Every limit of a decided headline: first those of the study, then those of the numbers that it turns on."""
    found = [*_of_the_status(status), *_of_the_data(accounting, gates)]
    if not speaks_of_new_seeds:
        scope = "by its plan the study is about these runs only; nothing follows for other training seeds"
        found.append(_limit("these-runs", scope))
    for h in headline.deciding:
        found += [*_of_the_design(h), *_of_the_decision(h), *_of_the_fit(h), *_of_its_gates(h, gates)]
    return found


def _limit(code: str, says: str, value: float | None = None, *hypotheses: str, steps: int = 1) -> Limit:
    return Limit.model_validate(
        {"code": code, "says": says, "value": value, "hypotheses": list(hypotheses), "steps": steps}
    )


def _of_the_status(status: Status) -> Iterator[Limit]:
    if status == "retrospective":
        says = "retrospective: the results existed before the plan was locked, so nothing was predicted"
        yield _limit("retrospective", says, steps=2)
    if status == "exploratory":
        yield _limit("exploratory", "exploratory: the plan promises no confirmatory test", steps=2)
    if status == "deviated":
        yield _limit("deviated", "deviated: what was done is not all of what was promised")


def _of_the_data(accounting: Accounting, gates: Sequence[GateResult]) -> Iterator[Limit]:
    if shut := [gate.name for gate in gates if gate.passed is not True]:
        yield _limit("gate-shut", f"gates that did not hold: {', '.join(shut)}", len(shut))
    if absent := len(accounting.runs_missing):
        yield _limit("runs-missing", f"{absent} of {accounting.runs_planned} planned runs never came", absent)
    copies = [pair for pair in accounting.near_copies if pair.near > COPIED]
    if copies:
        worst = max(copies, key=lambda pair: pair.near)
        near, equal = (format_value(share, "percent1") for share in (worst.near, worst.equal))
        says = (
            f"near copies: {near} of the answers of {' and '.join(worst.runs)} are equal or nearly so ({equal} are "
            "equal), as seeds of their own would hardly give"
        )
        yield _limit("near-copies", says, worst.near)


def _of_the_design(h: HypothesisResult) -> Iterator[Limit]:
    fewest = min(h.units_per_level.values(), default=h.n_units)
    if fewest is not None and fewest < _FEW:
        says = f"few units: {h.id} rests on {units_text(h)}, too few to show the spread between them"
        yield _limit("few-units", says, fewest, h.id, steps=2 if fewest < _VERY_FEW else 1)
    if h.drawn_once and h.replicated:
        yield _limit("treatment-drawn-once", f"{h.id}: {h.replicated}", len(h.drawn_once), h.id)


def _of_the_decision(h: HypothesisResult) -> Iterator[Limit]:
    weight = posterior_weight(h)
    if weight is not None and weight < 0.5:
        share = format_value(weight, "percent1")
        says = (
            f"frequentist and Bayesian answers differ on {h.id}: the posterior puts {share} on the bands that are left"
        )
        yield _limit("answers-differ", says, weight, h.id, steps=2)
    if (p := _closest_p(h)) is not None:
        yield _limit("close", f"close: {h.id} would be undecided at half the error rate", p, h.id)
    if depends_on_missing(h):
        says = f"missing answers could change the verdict on {h.id}"
        yield _limit("missing-answers", says, _bound_spread(h), h.id)
    elif (spread := _bound_spread(h)) is not None and h.ci is not None and spread > (h.ci[1] - h.ci[0]) / 2:
        says = f"missing answers at their worst move {h.id} by {distance_text(spread, h)}, more than half its interval"
        yield _limit("missing-bounds", says, spread, h.id)
    elif h.is_bounded is False:
        lost = sum(level.missing for level in h.answers)
        says = f"nothing bounds the {lost} missing answers of {h.id}"
        yield _limit("missing-unbounded", says, lost, h.id)
    if h.pairs_lost:
        says = f"{len(h.pairs_lost)} of the {h.unit}s of {h.id} lost their partner and were left out"
        yield _limit("pairs-lost", says, len(h.pairs_lost), h.id)


def _of_the_fit(h: HypothesisResult) -> Iterator[Limit]:
    """What the checks of the Bayesian model found; they speak of the spread that the tests rest on as well."""
    bayes = h.bayes
    if bayes is None:
        return
    if bayes.gates_passed is False:
        yield _limit("no-posterior", f"{h.id}: the planned hierarchy gave no answer ({bayes.reason})", None, h.id)
        return
    check = min(bayes.predictive_checks, key=_nearness, default=None)
    if check is not None and _nearness(check) < EXTREME_P:
        what = f"{_STATISTICS[str(check['statistic'])]} is {_beside(check)}"
        says = f"the model of {h.id} does not make units like those of {check['level']}: their {what}"
        yield _limit("predictive-check", says, float(check["p"] or 0.0), h.id)
    for left in bayes.left_out:
        k, many, n = (left.get(key) for key in ("worst_pareto_k", "n_influential", "n"))
        if not isinstance(many, int) or not isinstance(n, int) or not many:
            continue
        if left["left_out"] == "unit" or many * _CELLS_IN_TWENTY > n:
            shown = "beyond measure" if k is None else format_value(float(k), "number2")
            says = f"the posterior of {h.id} leans on {many} of {n} single {left['left_out']}s (Pareto k up to {shown})"
            yield _limit("influential-unit", says, None if k is None else float(k), h.id)
    yield from _of_the_priors(h, bayes)


def _nearness(check: dict[str, float | str | None]) -> float:
    """How near to 0 or 1 the share of replications is that reach what was observed."""
    p = float(check["p"] or 0.0)
    return min(p, 1 - p)


_STATISTICS = {"sd": "SD", "smallest": "smallest", "largest": "largest"}


def _beside(check: dict[str, float | str | None]) -> str:
    observed, made = (format_value(float(check[key] or 0.0), "number3") for key in ("observed", "replicated_mean"))
    return f"{observed} where the model makes {made} on average"


def _of_the_priors(h: HypothesisResult, bayes: BayesResult) -> Iterator[Limit]:
    scaling = bayes.power_scaling
    if scaling is not None and scaling["diagnosis"] != "the data decide":
        name, value = max(scaling["priors"].items(), key=lambda entry: float(entry[1]))
        prior = str(name).replace("_", " ")
        says = f"the posterior of {h.id} moves with the prior of its {prior} ({scaling['diagnosis']})"
        yield _limit("prior-sensitivity", says, float(value), h.id)
        return
    if bayes.p_predicted is None:
        return
    other = {str(e["prior"]): float(p) for e in bayes.sensitivity if (p := e.get("p_predicted")) is not None}
    shifts = {prior: abs(p - bayes.p_predicted) for prior, p in other.items()}
    if shifts and (shift := max(shifts.values())) > _PRIOR_SHIFT:
        prior = max(shifts, key=shifts.__getitem__)
        moved = format_value(shift, "pp1")
        says = f"under the prior {prior} the probability that {h.id} is {h.predicted} moves by {moved}"
        yield _limit("prior-sensitivity", says, shift, h.id)


def _of_its_gates(h: HypothesisResult, gates: Sequence[GateResult]) -> Iterator[Limit]:
    for gate in gates:
        for pair in gate.correlations:
            if pair.hypothesis == h.id and pair.r is not None and abs(pair.r) > SAME_QUANTITY:
                r = format_value(pair.r, "number3")
                says = f"the gate {gate.name} and {h.id} are one quantity over {pair.n} runs (correlation {r})"
                yield _limit("gate-is-outcome", f"{says}: it guards nothing of its own", pair.r, h.id)


def judged_at(h: HypothesisResult) -> float:
    """What the correction of its family leaves of a hypothesis's alpha."""
    return h.alpha if h.alpha_in_family is None else h.alpha_in_family


def depends_on_missing(h: HypothesisResult) -> bool:
    """Whether a verdict was widened because missing answers could change it."""
    return MISSING_ANSWERS in h.reason_codes


def posterior_weight(h: HypothesisResult) -> float | None:
    """Posterior probability of the bands that the tests left; None without a sound posterior."""
    if not h.verdict or h.bayes is None or h.bayes.gates_passed is not True:
        return None
    weight = {band.name: band.posterior for band in h.bands}
    left = [weight[name] for name in h.verdict]
    return None if any(share is None for share in left) else math.fsum(share for share in left if share is not None)


def _closest_p(h: HypothesisResult) -> float | None:
    """The largest p of an excluded band that lies between half the level it is judged at and the level itself."""
    if not h.verdict:
        return None
    near = [band.p for band in h.bands if band.excluded and band.p is not None and band.p > judged_at(h) / 2]
    return max(near, default=None)


def _bound_spread(h: HypothesisResult) -> float | None:
    """How far apart missing answers at their worst put the estimate; None where there are no bounds."""
    estimates = [float(bound["estimate"]) for bound in h.bounds if bound.get("estimate") is not None]
    return max(estimates) - min(estimates) if len(estimates) > 1 else None
