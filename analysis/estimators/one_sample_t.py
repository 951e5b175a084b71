"""t on the unit means of a single level."""

from __future__ import annotations

from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.pooled_t import pooled_t
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
    if len(sample.levels) != 1:
        names = ", ".join(level.name for level in sample.levels)
        raise NotThisDesign(f"one_sample_t answers about one level; the contrast has {len(sample.levels)}: {names}")
    return pooled_t(sample, level=level, edges=edges)
