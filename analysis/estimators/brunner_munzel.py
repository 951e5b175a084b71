"""Brunner and Munzel's test: how probably a unit of one arm lies above a unit of the other."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import require_units, summarise
from seedlock.analysis.estimators.newcombe import opposed_levels
from seedlock.prereg.errors import NoSpread


def brunner_munzel(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the probability that a unit of the first arm exceeds a unit of the second, ties as halves.

    Parameters
    ----------
    sample
        Two levels with weights 1 and -1; U_1 and U_2 units. Only the order of unit means counts.
    level
        Two-sided confidence level.
    edges
        Probabilities, not differences: no effect is 0.5.

    Returns
    -------
    Estimate
        On the scale of probability, with Satterthwaite df.

    Raises
    ------
    NoSpread
        The arms do not overlap at all (or coincide entirely): the estimated variance is 0.
    NotThisDesign
        Not two levels with weights 1 and -1.
    TooFewUnits
        A level with fewer than two units.
    NotFinite
        A unit mean is NaN or infinite.

    Notes
    -----
    Brunner & Munzel (2000), https://doi.org/10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U.
    scipy has the test of 0.5; the interval and the other edges are our own, from the same placements.
    """
    plus, minus = opposed_levels(sample, method="brunner_munzel")
    summaries = [summarise(lv.name, lv.weight, lv.unit_means) for lv in (plus, minus)]
    require_units(sample, summaries)
    x, y = (np.array([lv.unit_means[u] for u in sorted(lv.unit_means)]) for lv in (plus, minus))
    # Placements: share of the other arm that lies below, ties as halves.
    together = stats.rankdata(np.concatenate([x, y]))
    below_x = (together[: len(x)] - stats.rankdata(x)) / len(y)
    below_y = (together[len(x) :] - stats.rankdata(y)) / len(x)
    parts = [float(np.var(below_x, ddof=1)) / len(x), float(np.var(below_y, ddof=1)) / len(y)]
    variance = math.fsum(parts)
    if variance <= 1e-20:
        raise NoSpread(f"the {sample.unit}s of the two arms do not overlap: the variance is estimated as 0")
    df = 1 / math.fsum((v / variance) ** 2 / (n - 1) for v, n in zip(parts, (len(x), len(y)), strict=True))
    return t_estimate(
        estimate=float(below_x.mean()),
        se=math.sqrt(variance),
        df=df,
        magnitude=1.0,
        level=level,
        edges=edges,
        method=f"Brunner-Munzel over {sample.unit}s",
        what=f"{sample.unit} means",
        n_units=len(x) + len(y),
        limits=(0.0, 1.0),
        assumes=f"{sample.unit}s are a sample; on the scale of P({plus.name} > {minus.name})",
    )


def _unit(above: str, below: str) -> str:
    return f"probability that {above} lies above {below}"


ESTIMATOR = Estimator(
    run=brunner_munzel,
    family="ranks",
    says="the probability that a unit of one arm exceeds a unit of the other",
    source=(
        Source(
            text="Brunner & Munzel (2000), Biometrical J.",
            doi="10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U",
        ),
    ),
    unit_of_estimate=_unit,
    not_simulated=(
        "the probability that a unit lies above another is not a weighted mean: its truth is not known beforehand"
    ),
    spread="own",
)
