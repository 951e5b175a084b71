"""From the results of several studies to one mean: which effects are pooled, and what they say together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.inference.bands import BandDecision, decide_bands
from seedlock.analysis.inference.random_effects import Pooled, Width, pool
from seedlock.analysis.results.synthesis import LeftOut, MeanBand, OtherMean, PooledEffect, RegisteredStudy, Spread
from seedlock.prereg.base.canonical import Sha256
from seedlock.prereg.errors import BadInput, Finding, Refusal
from seedlock.prereg.lock.document import LockedEffect, Registered
from seedlock.prereg.plan.plan import BASELINE_ARM
from seedlock.prereg.plan.synthesis import Effect, SynthesisPlan

METHODS: Mapping[Width, str] = {
    "hksj, never narrower": "REML, Hartung-Knapp-Sidik-Jonkman, never narrower than the standard errors ask for",
    "hksj": "REML, Hartung-Knapp-Sidik-Jonkman",
}
_DATA = frozenset({"completions", "counts", "readings"})
_OF_A_BASE = re.compile(rf"-{BASELINE_ARM}-[0-9a-f]+\.parquet$")
SILENT = frozenset({"locked", "begun", "withdrawn", "removed", "unreadable"})
"""What may have become of a locked study that leaves its results untold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A study's published results as plain data, their digest, and what is said against pooling them (or nothing)."""

    results: Mapping[str, Any] | None
    sha256: Sha256 | None
    lock_id: Sha256 | None
    against: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Effects with their estimates (weights still 0), those left out, and the unit that all share."""

    effects: tuple[PooledEffect, ...]
    left_out: tuple[LeftOut, ...]
    unit_text: str
    is_proportion: bool
    is_difference: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean over studies and its verdict; both None where it is not testable, and `reasons` say why."""

    pooled: Pooled | None
    decision: BandDecision | None
    others: tuple[OtherMean, ...]
    reasons: tuple[str, ...]


def gather(plan: SynthesisPlan, locked: Sequence[LockedEffect], told: Mapping[str, Told]) -> Gathered:
    """Take every effect of the plan from its study's results.

    Parameters
    ----------
    locked
        What stood of each effect when the synthesis was locked, in the plan's order.
    told
        Study -> what it published.

    Raises
    ------
    BadInput
        Effects have different units, or come from the same sealed data.
    """
    effects, left_out, entries = [], [], []
    for effect, stood in zip(plan.effect, locked, strict=True):
        study = told[effect.study]
        entry = _entry(effect, study)
        why = _against(plan, effect, study, entry)
        if why or entry is None or study.results is None:
            what = {"name": effect.name, "study": effect.study, "hypothesis": effect.hypothesis}
            left_out.append(LeftOut(**what, why=why))
            continue
        effects.append(_effect(effect, stood, study, entry))
        entries.append((effect.name, entry))
    _require_one_unit(entries)
    _require_own_data(effects, entries, told)
    first = entries[0][1] if entries else {}
    return Gathered(
        effects=tuple(effects),
        left_out=tuple(left_out),
        unit_text=str(first.get("unit_text", "")),
        is_proportion=bool(entries) and _is_proportion(first),
        is_difference=bool(entries) and _is_difference(first),
    )


def _entry(effect: Effect, study: Told) -> Mapping[str, Any] | None:
    hypotheses = [] if study.results is None else study.results["hypotheses"]
    return next((h for h in hypotheses if h["id"] == effect.hypothesis), None)


def _against(plan: SynthesisPlan, effect: Effect, study: Told, entry: Mapping[str, Any] | None) -> str:
    """Why an effect cannot be in the mean; nothing where it can."""
    if study.against:
        return study.against
    if study.results is None or entry is None:
        return f"its report has no hypothesis {effect.hypothesis}"
    if study.results["status"] not in plan.accept.status:
        return f"its report is {study.results['status']}, and the plan pools {', '.join(plan.accept.status)}"
    if entry["estimate"] is None:
        return "; ".join(entry["reasons"]) or "not testable"
    if entry["se"] is None or entry["ci"] is None:
        return f"its test ({entry['test']}) gives no standard error over seeds"
    return f"its standard errors are over: {entry['unit']}, not over seeds" if entry["unit"] != "seed" else ""


def _effect(effect: Effect, stood: LockedEffect, study: Told, entry: Mapping[str, Any]) -> PooledEffect:
    low, high = sorted(effect.times * end for end in entry["ci"])
    results = study.results or {}
    return PooledEffect(
        name=effect.name,
        study=effect.study,
        hypothesis=effect.hypothesis,
        claim=entry["claim"],
        lock_id=results["lock_id"],
        status=results["status"],
        decision=entry["decision"],
        results_sha256=str(study.sha256),
        was_known=stood.was_looked_at,
        amended=results["lock_id"] != stood.lock_id,
        n_units=entry["n_units"],
        estimate=effect.times * entry["estimate"],
        se=entry["se"],
        df=entry["df"],
        ci=(low, high),
        weight=0.0,
    )


def _require_one_unit(entries: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Refuse to average what is measured in different units."""
    units = {name: (entry["unit_text"], entry["scale"], _is_difference(entry)) for name, entry in entries}
    if len(set(units.values())) > 1:
        first = next(iter(units.values()))
        raise BadInput(
            "the effects are not in one unit",
            *(
                Finding(where=f"effect {name}", found=_unit_said(unit), promised=_unit_said(first))
                for name, unit in units.items()
                if unit != first
            ),
            then="pool effects of one measure, scale and kind of contrast",
        )


def _unit_said(unit: tuple[str, str, bool]) -> str:
    text, scale, is_difference = unit
    return f"{'difference' if is_difference else 'mean'} of {text}, scale {scale}"


def _require_own_data(
    effects: Sequence[PooledEffect], entries: Sequence[tuple[str, Mapping[str, Any]]], told: Mapping[str, Told]
) -> None:
    """Refuse effects of two studies that rest on one sealed file; the unmodified model answers alike in both."""
    seen: dict[str, str] = {}
    for effect, (_, entry) in zip(effects, entries, strict=True):
        for table in (told[effect.study].results or {}).get("inputs", []):
            is_base = _OF_A_BASE.search(table["path"]) is not None and BASELINE_ARM not in (entry["contrast"] or {})
            if table["table"] not in _DATA or is_base:
                continue
            other = seen.setdefault(table["sha256"], effect.study)
            if other != effect.study:
                fault = Finding(where=effect.study, found=f"{table['path']}, as in {other}", promised="data of its own")
                raise BadInput("two studies have the same data", fault, then="pool one of them")


def _is_proportion(entry: Mapping[str, Any]) -> bool:
    known = entry.get("is_proportion")
    is_rate = bool(known) if known is not None else str(entry["unit_text"]).startswith("proportion")
    return is_rate and entry["scale"] == "raw"


def _is_difference(entry: Mapping[str, Any]) -> bool:
    return math.isclose(math.fsum((entry["contrast"] or {"all": 1.0}).values()), 0, abs_tol=1e-9)


def mean_of(plan: SynthesisPlan, gathered: Gathered) -> Mean:
    """Pool the effects and hold the mean against the bands."""
    effect_J = np.array([effect.estimate for effect in gathered.effects])
    se_J = np.array([effect.se for effect in gathered.effects])
    decision = plan.decision
    level, edges = 1 - 2 * decision.alpha, decision.partition.edges
    try:
        pooled = pool(effect_J, se_J, level=level, edges=edges, width=decision.interval)
    except Refusal as error:
        return Mean(pooled=None, decision=None, others=(), reasons=(f"{error.code}: {error.what}",))
    verdict = decide_bands(pooled.edges, decision.partition, decision.alpha)
    return Mean(pooled=pooled, decision=verdict, others=tuple(_others(plan, effect_J, se_J)), reasons=())


def _others(plan: SynthesisPlan, effect_J: FloatArray, se_J: FloatArray) -> list[OtherMean]:
    """The other HKSJ interval, and the mean as if all studies had one effect."""
    level = 1 - 2 * plan.decision.alpha
    found = []
    other: Width = "hksj" if plan.decision.interval != "hksj" else "hksj, never narrower"
    notes = {
        "hksj": "by the spread of the estimates alone: too narrow where they happen to agree",
        "hksj, never narrower": "not less than the standard errors ask for",
    }
    try:
        pooled = pool(effect_J, se_J, level=level, width=other)
        found.append(OtherMean(method=METHODS[other], estimate=pooled.estimate, ci=pooled.ci, note=notes[other]))
    except Refusal:
        pass
    weight_J = 1 / se_J**2
    common, se = float((weight_J * effect_J).sum() / weight_J.sum()), float(1 / np.sqrt(weight_J.sum()))
    reach = se * NormalDist().inv_cdf((1 + level) / 2)
    note = "as if all had one effect: says nothing of others, and is too narrow where they differ"
    found.append(OtherMean(method="one common effect", estimate=common, ci=(common - reach, common + reach), note=note))
    return found


def spread_of(pooled: Pooled, of: str) -> Spread:
    """How far true effects differ, and where the next would lie."""
    k = pooled.df + 1
    says = f"t with {k - 2} df" if k > 2 else f"two leave no degree of freedom for the next {of}"
    return Spread(
        tau=math.sqrt(pooled.tau2),
        tau_ci=(math.sqrt(pooled.tau2_ci[0]), math.sqrt(pooled.tau2_ci[1])),
        i2=pooled.i2,
        i2_ci=pooled.i2_ci,
        q=pooled.q,
        q_df=pooled.df,
        q_p=pooled.q_p,
        prediction=pooled.prediction,
        prediction_df=k - 2 if k > 2 else None,
        says=says,
    )


def bands_of(plan: SynthesisPlan, decision: BandDecision | None) -> list[MeanBand]:
    """Every band of the plan with its verdict, where there is one."""
    if decision is None:
        bands = plan.decision.partition.bands
        return [MeanBand(name=b.name, lower=b.lower, upper=b.upper, excluded=None, p=None) for b in bands]
    return [
        MeanBand(name=b.name, lower=b.lower, upper=b.upper, excluded=b.excluded, p=b.p) for b in decision.bands
    ]  # fmt: skip


def registered_of(plan: SynthesisPlan, found: Sequence[Registered]) -> list[RegisteredStudy]:
    """Every locked study, with whether effects are taken from it."""
    return [RegisteredStudy(study=r.study, state=r.state, is_pooled=r.study in plan.studies) for r in found]
