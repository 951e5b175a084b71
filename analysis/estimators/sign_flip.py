"""Exact sign flips of paired contrasts: the randomisation test for units seen at every level."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from seedlock.analysis.estimators.internals.estimator import Estimator, PlannedLevel, SmallestP, Source
from seedlock.analysis.estimators.internals.randomisation import MOST_ASSIGNMENTS, randomisation_estimate
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.units import (
    require_units,
    scale_limits,
    summarise,
    unit_contrasts,
    weighted_levels,
)
from seedlock.prereg.errors import NotThisDesign


def sign_flip(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the mean contrast within units, with every pattern of signs counted.

    Parameters
    ----------
    sample
        One level, or several whose units carry the same labels; U units.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        The interval holds every effect that the one-sided tests do not reject; `n_units` counts pairs.

    Raises
    ------
    Unattainable
        Fewer than the units the level needs: 5 for 95% give p = 1/32 > .025, so 6.
    NotPaired
        A unit has no partner at some level.
    TooFewUnits
        Fewer than two units.
    NotThisDesign
        More patterns than can be counted (above 19 units).
    NoSpread
        The contrast is the same in every unit.
    NotFinite
        A unit mean is NaN or infinite.

    Notes
    -----
    Assumes that a unit's contrast is symmetric about the effect, which random assignment within pairs
    gives. Each pattern's p turns at the mean of the flipped units. Fisher (1935), The Design of Experiments.
    """
    contrasts = unit_contrasts(sample)
    summary = summarise("contrast", 1.0, contrasts)
    require_units(sample, [summary])
    if 2**summary.n > MOST_ASSIGNMENTS:
        raise NotThisDesign(
            f"{summary.n} {sample.unit}s have more than {MOST_ASSIGNMENTS} patterns of signs",
            then="name paired_t in the plan: with this many units it needs no permutation",
        )
    values_U = np.array([contrasts[unit] for unit in sorted(contrasts)])
    flipped_KU = (np.arange(1, 2**summary.n)[:, None] >> np.arange(summary.n)) & 1
    return randomisation_estimate(
        estimate=summary.mean,
        turns_K=np.asarray(flipped_KU @ values_U / flipped_KU.sum(axis=1)),
        magnitude=math.fsum(
            abs(lv.weight) * max(abs(x) for x in lv.unit_means.values()) for lv in weighted_levels(sample)
        ),
        level=level,
        edges=edges,
        method=f"exact sign flips of {sample.unit}s",
        what=f"contrasts within {sample.unit}s",
        n_units=summary.n,
        limits=scale_limits(sample),
        assumes=f"the contrast within a {sample.unit} is symmetric about its mean",
    )


def _smallest_p(levels: Mapping[str, PlannedLevel]) -> SmallestP | None:
    matched = min((level.n_units for level in levels.values()), default=0)
    return SmallestP(p=1 / 2**matched, says=f"{matched} matched units") if matched else None


ESTIMATOR = Estimator(
    run=sign_flip,
    family="randomisation",
    says="an exact test and interval that count every sign pattern of within-unit contrasts",
    source=(Source(text="Pitman (1937), J. Royal Stat. Society Supplement", doi="10.2307/2984124"),),
    is_paired=True,
    smallest_p=_smallest_p,
)
