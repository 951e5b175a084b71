"""Wild cluster bootstrap over units, every pattern of signs enumerated."""

# ruff: noqa: N802  (array fields carry their axes)

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import cut, require_level, require_spread
from seedlock.analysis.estimators.internals.units import (
    FloatArray,
    require_units,
    scale_limits,
    summarise,
    weighted_levels,
)
from seedlock.prereg.errors import NotThisDesign, Unattainable

MOST_UNITS = 16
TIE = 1e-9


def wild_cluster(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a contrast of unit means; tests by restricted wild bootstrap with all Rademacher signs.

    Parameters
    ----------
    sample
        Any number of levels with any weights, at most 16 units with weight.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        The interval holds every value that the one-sided tests do not reject. No random numbers: with
        G units all 2^G patterns are counted.

    Raises
    ------
    Unattainable
        No value is far enough to be rejected at this level with so few units.
    NotThisDesign
        More than 16 units.
    TooFewUnits
        A level with fewer than two units.
    NoSpread
        No level shows any spread.
    NotFinite
        A unit mean is NaN or infinite.

    Notes
    -----
    Each edge is imposed on the residuals that are flipped. Cameron, Gelbach & Miller (2008),
    https://doi.org/10.1162/rest.90.3.414; enumeration: Webb (2023), https://doi.org/10.1111/caje.12661.
    With fewer than about 6 units a level prefer `permutation`: signs say little about so few.
    """
    require_level(level)
    levels = weighted_levels(sample)
    summaries = [summarise(lv.name, lv.weight, lv.unit_means) for lv in levels]
    require_units(sample, summaries)
    if sum(s.n for s in summaries) > MOST_UNITS:
        raise NotThisDesign(
            f"{sum(s.n for s in summaries)} {sample.unit}s have more than 2^{MOST_UNITS} patterns of signs",
            then="name cr2 or pooled_t in the plan: with this many units they need no bootstrap",
        )
    fit = _Fit(
        y_U=np.concatenate([[lv.unit_means[u] for u in sorted(lv.unit_means)] for lv in levels]),
        arm_U=np.repeat(np.arange(len(levels)), [s.n for s in summaries]),
        weights_L=np.array([s.weight for s in summaries]),
    )
    require_spread(
        fit.se, magnitude=math.fsum(abs(s.weight) * s.magnitude for s in summaries), what=f"{sample.unit} means"
    )
    tail = (1 - level) / 2
    low = _limit(lambda edge: fit.test(edge).p_above, fit.estimate, -fit.se, tail)
    high = _limit(lambda edge: fit.test(edge).p_below, fit.estimate, fit.se, tail)
    low, high = cut(low, high, scale_limits(sample))
    return Estimate(
        estimate=fit.estimate,
        ci_low=low,
        ci_high=high,
        ci_level=level,
        ci_method=f"wild cluster bootstrap by {sample.unit}, all {2 ** len(fit.y_U)} sign patterns",
        n_units=len(fit.y_U),
        edges=tuple(fit.test(edge) for edge in edges),
        assumes=f"{sample.unit}s are a sample",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """Unit means by arm: y of shape (U,), arm index of shape (U,), contrast weights of shape (L,)."""

    y_U: FloatArray
    arm_U: NDArray[np.intp]
    weights_L: FloatArray

    @property
    def pull_U(self) -> FloatArray:
        """Weight of each unit in the estimate."""
        return np.asarray((self.weights_L / np.bincount(self.arm_U))[self.arm_U])

    @property
    def estimate(self) -> float:
        return math.fsum(self.pull_U * self.y_U)

    @property
    def se(self) -> float:
        return float(self._se(self.y_U[None, :])[0])

    def _se(self, y_KU: FloatArray) -> FloatArray:
        dummies_UL = np.eye(len(self.weights_L))[self.arm_U]
        means_KL = y_KU @ dummies_UL / dummies_UL.sum(axis=0)
        return np.asarray(np.sqrt((((y_KU - means_KL[:, self.arm_U]) * self.pull_U) ** 2).sum(axis=1)))

    def test(self, edge: float) -> EdgeTest:
        """Count the sign patterns whose t is at least as far up, and as far down, as the observed t."""
        pull_U = self.pull_U
        shift_L = (self.estimate - edge) * self.weights_L / np.bincount(self.arm_U)
        shift_L = shift_L / float(pull_U @ pull_U)
        dummies_UL = np.eye(len(self.weights_L))[self.arm_U]
        means_L = self.y_U @ dummies_UL / dummies_UL.sum(axis=0)
        residual_U = self.y_U - (means_L - shift_L)[self.arm_U]
        signs_KU = 1 - 2 * ((np.arange(2 ** len(self.y_U))[:, None] >> np.arange(len(self.y_U))) & 1)
        flipped_KU = signs_KU * residual_U
        top_K, bottom_K = flipped_KU @ pull_U, self._se(flipped_KU)
        size = float(np.abs(residual_U).max())
        # The pattern without a flip is the data; compare by cross-multiplying, so that a zero SE needs no case.
        slack = TIE * size * max(abs(top_K[0]), size)
        ahead_K = top_K * bottom_K[0] - top_K[0] * bottom_K
        return EdgeTest(edge=edge, p_above=float(np.mean(ahead_K >= -slack)), p_below=float(np.mean(ahead_K <= slack)))


def _limit(p_at: Callable[[float], float], estimate: float, step: float, tail: float) -> float:
    """The value between the estimate and far away at which p falls to `tail`, by bisection."""
    outside = estimate + step
    for _ in range(24):
        if p_at(outside) <= tail:
            break
        outside = estimate + 2 * (outside - estimate)
    else:
        raise Unattainable(f"no value is rejected at p = {tail:.4g} with so few units: the interval has no end")
    inside = estimate
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if p_at(middle) <= tail else (middle, outside)
    return outside


ESTIMATOR = Estimator(
    run=wild_cluster,
    family="cluster-robust",
    says="a contrast of unit means tested by a restricted wild bootstrap with every sign pattern",
    source=(
        Source(text="Cameron, Gelbach & Miller (2008), Rev. Economics and Statistics", doi="10.1162/rest.90.3.414"),
    ),
    spread="own",
)
