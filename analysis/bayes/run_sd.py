"""Do units of all levels have one SD? The plan's rule, and what it went by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seedlock.analysis.bayes.predictive_check import PredictiveCheck

EXTREME_P = 0.025
RULE = "shared, then by level"
"""`[bayes] run_sd`: one SD, unless new units of some level replicate with another spread than that observed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSd:
    """What the rule came to: one SD for all levels or one each, and why where the data decided it."""

    is_by_level: bool
    reason: str | None = None


def judge_shared(checks: Iterable[PredictiveCheck]) -> RunSd:
    """Whether the hierarchy with one SD makes the spread of every level's units.

    Parameters
    ----------
    checks
        Of the fit with one SD for all levels.
    """
    spreads = [check for check in checks if check.statistic == "sd"]
    worst = min(spreads, key=lambda check: min(check.p, 1 - check.p))
    made, found = f"{worst.replicated_mean:.3g}", f"{worst.observed:.3g}"
    seen = f"with one SD, units of {worst.level} replicate with SD {made} beside {found}"
    if min(worst.p, 1 - worst.p) < EXTREME_P:
        return RunSd(is_by_level=True, reason=f"{seen} observed: each level has its own")
    return RunSd(is_by_level=False, reason=f"{seen} observed: one SD will do")
