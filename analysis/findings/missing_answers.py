"""Answers owed, scored, missing and undecided, measure by measure and arm by arm."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pandas as pd

from seedlock.analysis.inference.hypothesis import Data, Tested
from seedlock.analysis.results.schema import ArmAnswers, LevelAnswers
from seedlock.prereg.plan.filters import filtered_measures


def missing_by_arm(data: Data) -> list[ArmAnswers]:
    """One entry a measure and arm, in plan order; `owed` is None where only published means are known."""
    return list(_by_arm(data))


def _by_arm(data: Data) -> Iterator[ArmAnswers]:
    owed = data.owed
    arms = list(dict.fromkeys([*data.plan.planned_arms, *owed["arm"]]))
    for measure in (*data.plan.measures, *filtered_measures(data.plan)):
        for arm in arms:
            rows = owed[(owed["measure"] == measure) & (owed["arm"] == arm)]
            if len(rows):
                yield _arm(data, measure, arm, rows)


def _arm(data: Data, measure: str, arm: str, rows: pd.DataFrame) -> ArmAnswers:
    counted = _counted(rows)
    tied = [tie for run in set(rows["run_id"]) if (tie := data.ties.get((measure, run))) is not None]
    base = filtered_measures(data.plan).get(measure, (measure, ()))[0]
    is_rate = data.is_proportion(base) and counted.scored is not None and bool(rows["k"].notna().all())
    k, n = (int(rows["k"].sum()), counted.scored or 0) if is_rate else (0, 0)
    ties, said_yes = sum(tie.n for tie in tied), sum(tie.ones for tie in tied)
    return ArmAnswers(
        measure=measure,
        arm=arm,
        owed=counted.owed,
        scored=counted.scored,
        missing=counted.missing,
        reasons=counted.reasons,
        share_of_scored=k / n if n else None,
        ties=ties if tied else None,
        share_without_ties=(k - said_yes) / (n - ties) if tied and n > ties else None,
    )


def level_answers(tested: Tested) -> list[LevelAnswers]:
    """What each level of a tested hypothesis owes and lacks; empty where it could not even be selected."""
    if tested.owed is None:
        return []
    return [_counted(rows, str(level)) for level, rows in tested.owed.groupby("level", sort=True)]


def _counted(rows: pd.DataFrame, level: str = "") -> LevelAnswers:
    reasons: Counter[str] = Counter()
    for found in rows["missing"]:
        reasons.update(json.loads(found))
    is_known = bool(rows["n_scored"].notna().all())
    scored, missing = (int(rows["n_scored"].sum()) if is_known else None), int(rows["n_missing"].sum())
    return LevelAnswers(
        level=level,
        owed=None if scored is None else scored + missing,
        scored=scored,
        missing=missing,
        reasons=dict(sorted(reasons.items())),
    )
