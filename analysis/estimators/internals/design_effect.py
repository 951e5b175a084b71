"""What answers that come in groups are worth: spread, intraclass correlation, design effect, effective n."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Answers that belong together (to one item, or to one run): how many, their sum and their sum of squares."""

    n: int
    total: float
    squares: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What grouped answers are worth.

    Parameters
    ----------
    sd
        Sample SD of the answers; None with fewer than two.
    icc
        One-way ANOVA intraclass correlation ICC(1); None with a reason where every answer is the same or every group
        has one answer.
    design_effect, n_effective
        1 + (m - 1) * icc, at least 1, and n divided by it; None where every answer is the same.
    reason
        Why `icc` is None; empty otherwise.
    """

    sd: float | None
    icc: float | None
    design_effect: float | None
    n_effective: float | None
    reason: str = ""


def worth_of(groups: Sequence[Group], *, named: str) -> Worth:
    """Reduce groups of answers to what they are worth as independent ones.

    Parameters
    ----------
    groups
        At least one, each with at least one answer.
    named
        What a group is ("item", "seed"), for the reason.

    Notes
    -----
    m is the size-weighted mean size, and m0 of ICC(1) the usual adjusted one. The design effect is never taken below
    1, so that a negative estimated correlation cannot make answers worth more than independent ones.
    Donner & Koval (1980), https://doi.org/10.2307/2530490; Kish (1965), Survey Sampling.
    """
    n, n_groups = sum(g.n for g in groups), len(groups)
    grand = math.fsum(g.total for g in groups) / n
    within_ss = math.fsum(max(0.0, g.squares - g.total**2 / g.n) for g in groups)
    between_ss = math.fsum(g.n * (g.total / g.n - grand) ** 2 for g in groups)
    sd = math.sqrt((within_ss + between_ss) / (n - 1)) if n > 1 else None
    size = math.sqrt(math.fsum(g.squares for g in groups) / n)
    if sd is None or sd <= 1e-9 * size:
        reason = "every answer is the same: the intraclass correlation is undefined"
        return Worth(sd=sd, icc=None, design_effect=None, n_effective=None, reason=reason)
    if n == n_groups or n_groups < 2:
        few = f"one answer per {named}" if n == n_groups else f"one {named}"
        reason = f"{few}: the intraclass correlation is undefined"
        return Worth(sd=sd, icc=None, design_effect=1.0, n_effective=float(n), reason=reason)
    between, within = between_ss / (n_groups - 1), within_ss / (n - n_groups)
    m0 = (n - sum(g.n**2 for g in groups) / n) / (n_groups - 1)
    icc = (between - within) / (between + (m0 - 1) * within)
    design_effect = max(1.0, 1 + (sum(g.n**2 for g in groups) / n - 1) * icc)
    return Worth(sd=sd, icc=icc, design_effect=design_effect, n_effective=n / design_effect)
