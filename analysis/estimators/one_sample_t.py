"""t on the unit means of a single level."""

from __future__ import annotations

from collections.abc import Sequence

from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.pooled_t import pooled_t, pooled_t_in_many
from seedlock.prereg.errors import NotThisDesign


def one_sample_t(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the mean of one level from its unit means, with U - 1 degrees of freedom.

    Parameters
    ----------
    sample
        Exactly one level; U units.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        With the prediction interval for a new unit's mean, SD * sqrt(1 + 1/U) either side times t.

    Raises
    ------
    NotThisDesign
        More than one level.
    TooFewUnits, NoSpread, NotFinite
        As `pooled_t`, whose one-level case this is.

    Notes
    -----
    Student (1908), https://doi.org/10.1093/biomet/6.1.1
    """
    _require_one([level.name for level in sample.levels])
    return pooled_t(sample, level=level, edges=edges)


def _require_one(levels: list[str]) -> None:
    if len(levels) != 1:
        raise NotThisDesign(
            f"one_sample_t answers about one level; the contrast has {len(levels)}: {', '.join(levels)}"
        )


def _simulate(
    levels: Sequence[ManyLevels], *, level: float, edges: Sequence[float], limits: tuple[float, float]
) -> Many:
    _require_one([f"weight {level.weight:g}" for level in levels])
    return pooled_t_in_many(levels, level=level, edges=edges, limits=limits)


ESTIMATOR = Estimator(
    run=one_sample_t,
    family="t on unit means",
    says="a t interval on the means of the units: each unit weighs the same, however many answers it gave",
    source=(Source(text="Student (1908), Biometrika", doi="10.1093/biomet/6.1.1"),),
    simulate=_simulate,
)
