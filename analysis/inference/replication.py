"""What an original promises of its replication, and how far the two lie apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy import stats

from seedlock.analysis.results.replication import ReplicatedHypothesis, ReplicationResult
from seedlock.analysis.results.schema import HypothesisResult
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.document import LockedPromise, LockedReplication
from seedlock.prereg.lock.original import carried_lock, carried_results, plan_changes
from seedlock.prereg.plan.lint import matching_units
from seedlock.prereg.plan.plan import Hypothesis, Plan
from seedlock.prereg.plan.runs import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Replication minus original, with a t interval and Welch's degrees of freedom."""

    value: float
    low: float
    high: float
    df: float


def predict_replication(estimate: float, se: float, df: float, *, ratio: float, level: float) -> tuple[float, float]:
    """Where the estimate of a replication will fall if both studies are draws of one design.

    Parameters
    ----------
    estimate, se, df
        Of the original, over its units of replication.
    ratio
        The original's units a level over the replication's: the replication's variance is that many times the
        original's.
    level
        In (0, 1).

    Notes
    -----
    Both sampling errors: estimate +- t * se * sqrt(1 + ratio), exact for t estimates of normal units with one variance.
    Spence & Stanley (2016), https://doi.org/10.1371/journal.pone.0162874;
    Patil, Peng & Leek (2016), https://doi.org/10.1177/1745691616646366
    """
    reach = float(stats.t.isf((1 - level) / 2, df)) * se * math.sqrt(1 + ratio)
    return estimate - reach, estimate + reach


def difference(first: tuple[float, float, float], second: tuple[float, float, float], *, level: float) -> Difference:
    """Second minus first of two independent estimates, each with its standard error and degrees of freedom.

    Notes
    -----
    Welch (1947), https://doi.org/10.1093/biomet/34.1-2.28
    """
    (one, se_1, df_1), (two, se_2, df_2) = first, second
    variance = se_1**2 + se_2**2
    df = variance**2 / (se_1**4 / df_1 + se_2**4 / df_2)
    reach = float(stats.t.isf((1 - level) / 2, df)) * math.sqrt(variance)
    return Difference(value=two - one, low=two - one - reach, high=two - one + reach, df=df)


def replication_of(plan: Plan, paths: StudyPaths) -> LockedReplication | None:
    """What the lock of a replication pins: the original's promise of every hypothesis; None of any other study."""
    original = plan.original
    if original is None:
        return None
    found = {h["id"]: h for h in carried_results(paths)["hypotheses"]}
    changes = [
        f"{where}: {before} there, {after} here" for where, before, after in plan_changes(plan, carried_lock(paths))
    ]
    promises = [
        _promise(identity, found.get(identity), plan, h, extra) for identity, h, extra in plan.expanded()
    ]  # fmt: skip
    return LockedReplication(
        study=original.study,
        lock_id=original.lock,
        results_sha256=original.results,
        level=original.level,
        promises=promises,
        changes=changes,
    )


def _promise(
    identity: str, entry: Mapping[str, Any] | None, plan: Plan, hypothesis: Hypothesis, extra: Where
) -> LockedPromise:
    level = plan.original.level if plan.original else 0.95
    reason = _no_promise(entry)
    units = {} if reason else matching_units(plan, hypothesis, extra)
    if reason is None and not units:
        reason = "no runs of its own here"
    if entry is None or reason is not None:
        return LockedPromise(hypothesis=identity, low=None, high=None, reason=reason)
    before = units_of(entry)
    ratio = max(before.get(name, max(before.values())) / len(own) for name, own in units.items())
    low, high = predict_replication(entry["estimate"], entry["se"], entry["df"], ratio=ratio, level=level)
    return LockedPromise(hypothesis=identity, low=low, high=high, reason=None)


def units_of(entry: Mapping[str, Any]) -> dict[str, int]:
    """Units of each level of a result; older results list them one by one."""
    known: dict[str, int] = dict(entry.get("units_per_level") or {})
    if not known:
        for unit in entry["units"]:
            known[unit["level"]] = known.get(unit["level"], 0) + 1
    return known


def _no_promise(entry: Mapping[str, Any] | None) -> str | None:
    """Why the original promises nothing of a hypothesis; None where it does."""
    if entry is None:
        return "the original has no such hypothesis"
    if entry["estimate"] is None:
        return "the original could not test it"
    if entry["unit"] != "seed":
        return f"the original replicates over: {entry['unit']}, not over seeds"
    if entry["se"] is None or not entry["df"] or not units_of(entry):
        return "the original's test has no standard error over seeds"
    return None


def replication_result(
    locked: LockedReplication, paths: StudyPaths, entries: list[HypothesisResult]
) -> ReplicationResult:
    """Put every hypothesis beside the original's."""
    results = carried_results(paths)
    before = {h["id"]: h for h in results["hypotheses"]}
    promises = {one.hypothesis: one for one in locked.promises}
    found = [
        _beside(entry, before.get(entry.id), promises.get(entry.id), locked.level) for entry in entries
    ]  # fmt: skip
    return ReplicationResult(
        study=locked.study,
        lock_id=locked.lock_id,
        results_sha256=locked.results_sha256,
        status=results["status"],
        level=locked.level,
        changes=list(locked.changes),
        hypotheses=found,
        consistent=sum(one.is_consistent is True for one in found),
        compared=sum(one.is_consistent is not None for one in found),
    )


def _beside(
    entry: HypothesisResult, before: Mapping[str, Any] | None, promise: LockedPromise | None, level: float
) -> ReplicatedHypothesis:
    held = None if promise is None or promise.low is None or promise.high is None else (promise.low, promise.high)
    apart = None
    if held is not None and before is not None and entry.estimate is not None and entry.se and entry.df:
        first, second = (before["estimate"], before["se"], before["df"]), (entry.estimate, entry.se, entry.df)
        apart = difference(first, second, level=level)
    reason = "not in the lock" if promise is None else promise.reason
    if held is not None and entry.estimate is None:
        reason = "the replication could not test it"
    return ReplicatedHypothesis(
        id=entry.id,
        original_estimate=None if before is None else before["estimate"],
        original_ci=None if before is None else before["ci"],
        original_decision="no such hypothesis" if before is None else before["decision"],
        original_n_units=None if before is None else before["n_units"],
        promise=held,
        reason=reason,
        is_consistent=None if held is None or entry.estimate is None else held[0] <= entry.estimate <= held[1],
        difference=None if apart is None else apart.value,
        difference_ci=None if apart is None else (apart.low, apart.high),
        difference_df=None if apart is None else apart.df,
        same_verdict=None if before is None or not entry.verdict else entry.verdict == before["verdict"],
    )
