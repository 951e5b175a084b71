"""From a tested hypothesis to its entry in results.json, on the scale the plan judges it on."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.estimator import Beside
from seedlock.analysis.estimators.internals.overdispersion import BetweenUnitSd, between_unit_sd, sd_interval
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.findings.anytime import course
from seedlock.analysis.findings.doses import dose_result, numbers
from seedlock.analysis.findings.effect_sizes import effect_sizes
from seedlock.analysis.findings.judge_error import judge_error
from seedlock.analysis.findings.missing_answers import level_answers
from seedlock.analysis.inference.hypothesis import Data, Tested
from seedlock.analysis.inference.infer import Inference
from seedlock.analysis.inference.scale import raw_unit
from seedlock.analysis.inference.select import ordered_mean
from seedlock.analysis.results.posterior import BayesResult
from seedlock.analysis.results.schema import BandResult, HypothesisResult, SecondOpinion
from seedlock.prereg.base.canonical import finite_or_none
from seedlock.prereg.errors import Refusal
from seedlock.prereg.plan.plan import Hypothesis
from seedlock.prereg.plan.replication import replication


def hypothesis_result(
    identity: str, hypothesis: Hypothesis, inference: Inference, bayes: BayesResult | None, data: Data
) -> HypothesisResult:
    """Everything the report may say of one hypothesis."""
    tested = inference.tested[identity]
    estimate, scale = tested.estimate, tested.scale
    raw = scale.raw_per_unit if scale else 1.0
    noise = _unit_noise(tested)
    drawn = replication(data.plan, hypothesis, tested.extra)
    return HypothesisResult(
        id=identity,
        claim=hypothesis.claim,
        measure=hypothesis.measure,
        contrast=hypothesis.contrast,
        over=hypothesis.over,
        where={**hypothesis.where, **tested.extra},
        items=hypothesis.items,
        role=hypothesis.role,
        family=hypothesis.family,
        test=hypothesis.test,
        scale=hypothesis.scale,
        unit_text=scale.text if scale else raw_unit(data.plan, hypothesis),
        is_proportion=data.is_proportion(hypothesis.measure),
        answers=(answers := level_answers(tested)),
        is_bounded=bool(tested.bounds) if any(level.missing for level in answers) else None,
        pairs_lost=list(tested.pairs_lost),
        unit=hypothesis.unit,
        n_units=_n_units(tested),
        predicted=hypothesis.predicted,
        alpha=tested.alpha,
        estimate=estimate.estimate / raw if estimate else None,
        se=estimate.se / raw if estimate and estimate.se is not None else None,
        df=finite_or_none(estimate.df) if estimate else None,
        ci=(estimate.ci_low / raw, estimate.ci_high / raw) if estimate else None,
        ci_level=1 - 2 * tested.alpha,
        ci_method=estimate.ci_method if estimate else None,
        assumes=estimate.assumes if estimate else "",
        unit_sd=estimate.unit_sd / raw if estimate and estimate.unit_sd is not None else None,
        unit_sd_after_noise=noise.sd_between / raw if noise and noise.sd_between is not None else None,
        **_unit_sd_interval(tested, noise, raw),
        overdispersion=noise.ratio if noise else None,
        next_unit_ci=(estimate.prediction[0] / raw, estimate.prediction[1] / raw)
        if estimate and estimate.prediction
        else None,
        next_unit_says=estimate.prediction_says or None if estimate else None,
        p_value=inference.p_values[identity],
        p_adjusted=inference.p_adjusted.get(identity),
        alpha_in_family=tested.decision.alpha if tested.decision and identity in inference.p_adjusted else None,
        bands=_bands(tested, hypothesis, bayes),
        verdict=list(tested.verdict),
        decision=decision_text(tested),
        units=_units(tested),
        bounds=_bounds(tested, raw),
        second_opinions=_second_opinions(tested, raw, at_any_time=data.plan.looks_at_any_time),
        bayes=bayes,
        reasons=[str(reason) for reason in tested.reasons],
        reason_codes=[reason.code for reason in tested.reasons],
        units_per_level=_units_per_level(tested),
        drawn_once=list(drawn.once),
        replicated=drawn.says if drawn.once else None,
        effect_sizes=effect_sizes(tested, data.plan.report.effect_sizes),
        judge_error=judge_error(tested, data),
        anytime=course(tested, data.plan),
        dose=dose_result(hypothesis),
    )


def _units_per_level(tested: Tested) -> dict[str, int]:
    """Units of each level that has weight; nothing where answers of one run are the replicates."""
    if tested.sample is None or tested.estimate is None or tested.estimand.unit == "answer":
        return {}
    return {level.name: len(level.unit_means) for level in tested.sample.levels if level.weight}


def decision_text(tested: Tested) -> str:
    """The verdict in words: one band, several, or why there is none."""
    if tested.decision is None:
        return f"not testable: {tested.reasons[0]}" if tested.reasons else "not testable"
    if len(tested.verdict) == 1:
        return tested.verdict[0]
    return f"inconclusive: {' or '.join(tested.verdict)}" if tested.verdict else tested.decision.decision


def _bands(tested: Tested, hypothesis: Hypothesis, bayes: BayesResult | None) -> list[BandResult]:
    found = {band.name: band for band in tested.decision.bands} if tested.decision else {}
    posterior = bayes.band_posteriors if bayes else {}
    new_unit = bayes.band_posteriors_new_unit if bayes else {}
    return [
        BandResult(
            name=band.name,
            lower=band.lower,
            upper=band.upper,
            excluded=band.name not in tested.verdict if band.name in found else None,
            p=found[band.name].p if band.name in found else None,
            posterior=posterior.get(band.name),
            posterior_new_seed=new_unit.get(band.name),
        )
        for band in hypothesis.partition.bands
    ]


def _units(tested: Tested) -> list[dict[str, Any]]:
    """One row a unit and level: its mean and, where answers were counted, k of n."""
    if tested.chosen is None or tested.estimate is None or tested.estimand.unit == "answer":
        return []
    corrected, at = _corrected(tested), numbers(tested)
    return [
        {
            "level": str(level),
            "unit": str(unit),
            **_unit_numbers(rows),
            **corrected.get((str(level), str(unit)), {}),
            **({"number": at[str(level), str(unit)]} if (str(level), str(unit)) in at else {}),
        }
        for (level, unit), rows in tested.chosen[tested.chosen["mean"].notna()].groupby(
            ["level", "unit_label"], sort=True
        )
    ]


def _corrected(tested: Tested) -> dict[tuple[str, str], dict[str, Any]]:
    """What replaces the judge's own numbers of a unit where gold labels corrected them."""
    if tested.sample is None or not tested.is_corrected:
        return {}
    return {
        (level.name, unit): {"mean": mean, "k": None, "n": None}
        for level in tested.sample.levels
        for unit, mean in level.unit_means.items()
    }


def _unit_numbers(rows: pd.DataFrame) -> dict[str, Any]:
    is_count = bool(rows["k"].notna().all() and rows["n_scored"].notna().all())
    return {
        "mean": ordered_mean(rows["mean"]),
        "k": int(rows["k"].sum()) if is_count else None,
        "n": int(rows["n_scored"].sum()) if is_count else None,
    }


def _unit_noise(tested: Tested) -> BetweenUnitSd | None:
    """Spread between units beyond counting noise, where a single level was counted."""
    if tested.sample is None or tested.estimate is None or len(tested.sample.levels) != 1:
        return None
    units = _units(tested)
    if len(units) < 2 or not tested.sample.is_proportion or any(unit["k"] is None for unit in units):
        return None
    try:
        return between_unit_sd({u["unit"]: u["k"] for u in units}, {u["unit"]: u["n"] for u in units})
    except Refusal:
        return None


def _unit_sd_interval(tested: Tested, noise: BetweenUnitSd | None, raw: float) -> dict[str, Any]:
    """How well the units tell how much units differ; nothing where the method names no one SD."""
    estimate = tested.estimate
    if estimate is None or estimate.unit_sd is None or ESTIMATORS[tested.estimand.test].family == "mixed model":
        return {}
    df = estimate.df if estimate.df is not None else estimate.n_units - 1.0
    counting = noise.sd_binomial if noise else None
    found = sd_interval(estimate.unit_sd, df, noise=counting, level=estimate.ci_level)
    low, high = found.after_noise or found.observed
    says = "noise of counting taken off" if found.after_noise else "as observed, the noise of each unit's answers in it"
    return {"unit_sd_ci": (low / raw, high / raw), "unit_sd_ci_says": f"chi-square, {df:.4g} df, {says}"}


def _bounds(tested: Tested, raw: float) -> list[dict[str, Any]]:
    names = ("missing answers pull down", "missing answers pull up")
    return [
        {
            "assumption": name,
            "estimate": estimate.estimate / raw,
            "ci": [estimate.ci_low / raw, estimate.ci_high / raw],
            "verdict": list(decision.verdict),
        }
        for name, estimate, decision in zip(names, tested.bound_estimates, tested.bounds, strict=False)
    ]


def _n_units(tested: Tested) -> int | None:
    """Replicates behind the interval: units, or the answers of one run where the plan replicates over answers."""
    if tested.estimate is None or tested.sample is None:
        return None
    has_items = ESTIMATORS[tested.estimand.test].family == "t on item means"
    if tested.estimand.unit == "answer" and not has_items:
        return sum(level.n or 0 for level in tested.sample.levels) or None
    return tested.estimate.n_units


def _second_opinions(tested: Tested, raw: float, *, at_any_time: bool) -> list[SecondOpinion]:
    """The same estimand by other methods; the naive one too, so that a reader sees how far it is off."""
    if tested.sample is None or tested.estimate is None or tested.estimand.unit == "answer":
        return []
    planned = ESTIMATORS[tested.estimand.test]
    opinions = []
    for name, other in ESTIMATORS.items():
        beside = other.beside(planned, tested.sample) if other.beside else None
        if beside is not None:
            said = Beside(note=f"{beside.note}; valid at one look") if at_any_time else beside
            opinions.append(_opinion(name, said, tested, tested.sample, raw))
    return opinions


def _opinion(name: str, beside: Beside, tested: Tested, sample: Sample, raw: float) -> SecondOpinion:
    try:
        found: Estimate = ESTIMATORS[name].run(sample, level=1 - 2 * tested.alpha, edges=())
    except Refusal as refusal:
        return SecondOpinion(method=name, estimate=None, ci=None, note=f"{refusal.code}: {refusal.what}")
    low, high = found.ci_low / raw, found.ci_high / raw
    if not (math.isfinite(low) and math.isfinite(high)):
        return SecondOpinion(method=found.ci_method, estimate=found.estimate / raw, ci=None, note="no finite interval")
    note = beside.note
    if beside.is_equal_when_balanced and tested.estimate is not None:
        note = f"{note}; {_agreement(found, tested.estimate)}"
    return SecondOpinion(method=found.ci_method, estimate=found.estimate / raw, ci=(low, high), note=note)


def _agreement(found: Estimate, planned: Estimate) -> str:
    """Whether a method that must equal the planned one in a balanced design does."""
    is_equal = abs(found.ci_low - planned.ci_low) < 1e-9 * max(planned.ci_high - planned.ci_low, 1e-12)
    return "agrees to the last digit, as it must in a balanced design" if is_equal else "differs: the design has gaps"
