"""The multiverse, as results.json has it."""

from __future__ import annotations

from typing import Literal

from seedlock.analysis.results.part import Part


class BranchResult(Part):
    """One analysis of the multiverse, on its own scale, at the hypothesis's own alpha, complete cases unless it says.

    `is_locked` marks the analysis that the plan locked; every other branch is exploratory.
    """

    measure: str
    test: str
    scale: str
    items: str | None
    missing: Literal["exclude", "pull down", "pull up"]
    is_locked: bool
    estimate: float | None
    ci: tuple[float, float] | None
    p_value: float | None
    verdict: list[str]
    reason: str | None


class MultiverseResult(Part):
    """One hypothesis under every analysis its authors would defend: branches by rising estimate."""

    id: str
    predicted: str
    branches: list[BranchResult]
    n_branches: int
    n_with_estimate: int
    n_predicted: int
    least: float | None
    greatest: float | None
    reason: str | None
    label: Literal["exploratory"] = "exploratory"
