"""One thing among others like it: its rank says how often chance alone would have put it there."""

from __future__ import annotations

import math
from collections.abc import Mapping

from seedlock.analysis.estimators.internals.estimator import Estimator, PlannedLevel, SmallestP, Source
from seedlock.analysis.estimators.internals.sample import EdgeTest, Estimate, Level, Sample
from seedlock.analysis.estimators.internals.t_interval import require_level
from seedlock.analysis.estimators.internals.units import refuse_non_finite, weighted_levels
from seedlock.prereg.errors import NotThisDesign, Unattainable


def rank_among(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate how far the one unit of the level of weight 1 lies above the units of the level of weight -1.

    Parameters
    ----------
    sample
        Two levels: one unit at weight 1, K controls at weight -1.
    level
        Two-sided confidence level; alpha is half of what is left.
    edges
        In the unit of the measure.

    Returns
    -------
    Estimate
        The unit less the mean of the controls; `n_units` counts the controls. p at an edge is the share of units, the
        one itself among them, that lie at least as high once it is lowered by the edge: exact, at K controls never
        below 1 / (K + 1). The interval holds every edge that is not excluded.

    Raises
    ------
    NotThisDesign
        Other levels, weights or numbers of units.
    Unattainable
        So few controls that no rank could reach alpha.
    NotFinite
        A value is NaN or infinite.

    Notes
    -----
    A Monte Carlo test: Barnard (1963); Hope (1968), https://doi.org/10.1111/j.2517-6161.1968.tb00759.x
    """
    require_level(level)
    one, controls = _split(sample)
    refuse_non_finite(one.name, one.unit_means)
    refuse_non_finite(controls.name, controls.unit_means)
    (value,) = one.unit_means.values()
    others = sorted(controls.unit_means.values())
    k = len(others)
    alpha = (1 - level) / 2
    worst = math.floor(alpha * (k + 1) * (1 + 1e-12))
    if worst < 1:
        raise Unattainable(f"{k} controls: the smallest possible p is {1 / (k + 1):.3g}, above alpha {alpha:.3g}")
    return Estimate(
        estimate=value - math.fsum(others) / k,
        ci_low=value - others[-worst],
        ci_high=value - others[worst - 1],
        ci_level=level,
        ci_method=f"rank among {k} {sample.unit}s",
        n_units=k,
        edges=tuple(
            EdgeTest(
                edge=edge,
                p_above=(1 + sum(other >= value - edge for other in others)) / (k + 1),
                p_below=(1 + sum(other <= value - edge for other in others)) / (k + 1),
            )
            for edge in edges
        ),
        assumes=f"if {one.name!r} meant nothing it would be one more of the {sample.unit}s of {controls.name!r}",
    )


def _split(sample: Sample) -> tuple[Level, Level]:
    """The one unit, and the controls."""
    levels = {level.weight: level for level in weighted_levels(sample)}
    if len(sample.levels) != 2 or set(levels) != {1.0, -1.0} or len(levels[1.0].unit_means) != 1:
        found = ", ".join(f"{lv.name} x {lv.weight:g}: {len(lv.unit_means)} {sample.unit}(s)" for lv in sample.levels)
        raise NotThisDesign(f"a rank needs one unit at weight 1 among controls at weight -1; found {found}")
    return levels[1.0], levels[-1.0]


def _smallest_p(levels: Mapping[str, PlannedLevel]) -> SmallestP | None:
    controls = [level.n_units for level in levels.values() if level.weight < 0]
    return SmallestP(p=1 / (controls[0] + 1), says=f"one among {controls[0]} controls") if controls else None


ESTIMATOR = Estimator(
    run=rank_among,
    family="ranks",
    says="the rank of one unit among controls like it, which is how often chance alone would have put it there",
    source=(Source(text="Hope (1968), J. Royal Stat. Society B", doi="10.1111/j.2517-6161.1968.tb00759.x"),),
    smallest_p=_smallest_p,
    not_simulated="a rank among K controls errs 1 time in K + 1 by construction: nothing to simulate",
)
