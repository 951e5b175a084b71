"""Two versions of one results.json: every leaf that differs by more than its plan tolerates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from seedlock.prereg.errors import Finding
from seedlock.prereg.plan.plan import Tolerances

BAYESIAN = ("bayes", "posterior", "posterior_new_seed", "sensitivity")
"""Keys whose numbers carry Monte Carlo error."""
SPEAKS_OF_NOW = frozenset({"check_page_sha256", "looks_used", "software", "tool_version"})
"""Keys that a later look changes without any number of the analysis changing."""


def differences(before: Any, after: Any, tolerances: Tolerances, where: str = "") -> Iterator[Finding]:
    """Every leaf of two results that differs by more than the plan tolerates."""
    match before, after:
        case dict(), dict():
            for key in sorted(before.keys() | after.keys()):
                if key not in SPEAKS_OF_NOW:
                    yield from differences(before.get(key), after.get(key), tolerances, f"{where}/{key}")
        case list(), list() if len(before) == len(after):
            for index, (old, new) in enumerate(zip(before, after, strict=True)):
                yield from differences(old, new, tolerances, f"{where}/{index}")
        case (bool(), _) | (_, bool()):
            if before != after:
                yield Finding(where=where, found=str(after), promised=str(before))
        case ((int() | float()), (int() | float())):
            if not _close(float(before), float(after), tolerances, where):
                yield Finding(where=where, found=repr(after), promised=repr(before))
        case _ if before != after:
            yield Finding(where=where, found=str(after)[:120], promised=str(before)[:120])


def _close(before: float, after: float, tolerances: Tolerances, where: str) -> bool:
    if "/diagnostics/" in where:
        return True  # effective sample sizes describe one sampler run, they are not a result
    if any(f"/{key}" in where for key in BAYESIAN):
        return math.isclose(before, after, rel_tol=tolerances.monte_carlo, abs_tol=tolerances.monte_carlo)
    return math.isclose(before, after, rel_tol=tolerances.relative, abs_tol=tolerances.absolute)
