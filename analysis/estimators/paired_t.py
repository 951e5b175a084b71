"""t on the contrast within each unit: for units that are the same run, seed or item at every level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seedlock.analysis.estimators.internals.estimator import Beside, Estimator, Source
from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels, magnitude, many_t
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import (
    require_units,
    scale_limits,
    summarise,
    unit_contrasts,
    weighted_levels,
)


def paired_t(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the mean over units of the contrast within a unit, with U - 1 degrees of freedom.

    Parameters
    ----------
    sample
        Levels whose units carry the same labels: shape (levels, U) once matched. Levels of weight 0
        take no part.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        `n_units` counts pairs; `unit_sd` is the SD of the within-unit contrast; `prediction` is for the
        contrast within one new unit.

    Raises
    ------
    NotPaired
        A unit has no partner at some level; every such unit is listed.
    TooFewUnits
        Fewer than two matched units.
    NoSpread
        The contrast is the same in every unit.
    NotFinite
        A unit mean is NaN or infinite.

    Notes
    -----
    Seeds are paired only where they share initialisation and data order, which the plan has to say.
    Student (1908), https://doi.org/10.1093/biomet/6.1.1
    """
    summary = summarise("contrast", 1.0, unit_contrasts(sample))
    require_units(sample, [summary])
    variance = summary.ss / (summary.n - 1)
    return t_estimate(
        estimate=summary.mean,
        se=math.sqrt(variance / summary.n),
        df=summary.n - 1,
        magnitude=math.fsum(
            abs(lv.weight) * max(abs(x) for x in lv.unit_means.values()) for lv in weighted_levels(sample)
        ),
        level=level,
        edges=edges,
        method=f"paired t over {sample.unit}s",
        what=f"contrasts within {sample.unit}s",
        n_units=summary.n,
        limits=scale_limits(sample),
        unit_sd=math.sqrt(variance),
        new_unit_se=math.sqrt(variance * (1 + 1 / summary.n)),
        assumes=f"{sample.unit}s are a sample, matched across levels",
    )


def _simulate(
    levels: Sequence[ManyLevels], *, level: float, edges: Sequence[float], limits: tuple[float, float]
) -> Many:
    """Column u of every level is the same unit."""
    contrast_KU = np.sum([lv.weight * lv.means_KU for lv in levels if lv.weight != 0], axis=0)
    studies, n = contrast_KU.shape
    return many_t(
        estimate_K=contrast_KU.mean(axis=1),
        se_K=contrast_KU.std(axis=1, ddof=1) / math.sqrt(n),
        df_K=np.full(studies, n - 1.0),
        magnitude_K=magnitude(levels),
        level=level,
        edges=edges,
        limits=limits,
    )


def _beside(planned: Estimator, sample: Sample) -> Beside | None:
    """Beside a test of unmatched levels whose units carry the same names."""
    names = [set(level.unit_means) for level in sample.levels if level.weight != 0]
    is_t = planned.family in {"t on unit means", "t on logits of unit rates"}
    if planned.is_paired or not is_t or len(names) < 2 or any(found != names[0] for found in names):
        return None
    return Beside(note="pairs units of one name: the right one where they share initialisation and data order")


ESTIMATOR = Estimator(
    run=paired_t,
    family="t on unit means",
    says="a t interval on within-unit contrasts: units are matched by name across the levels",
    source=(Source(text="Student (1908), Biometrika", doi="10.1093/biomet/6.1.1"),),
    is_paired=True,
    beside=_beside,
    simulate=_simulate,
)
