"""A contrast of levels adjusted for a covariate of the runs: one slope for all levels, units as clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seedlock.analysis.estimators.internals.cluster_robust import ClusterDesign, cluster_design
from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.points import Point, as_pull, points
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import weighted_levels

INSEPARABLE = "the covariate does not vary within levels: what it does is not separate from what the levels do"


def ancova_cr2(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate a contrast of levels at one value of a covariate, by least squares with units as clusters.

    Parameters
    ----------
    sample
        Levels with `unit_x`: each unit's own mean of the covariate. Units of one name are one cluster, or strangers
        where the sample says so. Levels of weight 0 take no part.
    level
        Two-sided confidence level.
    edges
        Band edges, in the unit of the measure.

    Returns
    -------
    Estimate
        Of the contrast of the levels' intercepts: the same at every value of the covariate, for one slope is fitted.

    Raises
    ------
    NotThisDesign
        The covariate does not vary within levels, or a unit has none.
    TooFewUnits
        Fewer than two clusters, or fewer than 2 Satterthwaite df.
    NoSpread
        No residual at all.
    NotFinite
        A mean or a covariate is NaN or infinite.

    Notes
    -----
    A covariate that the level itself moves (an arm that writes longer answers) takes part of the effect with it: what
    is left is a direct effect only where nothing else moves both. Fisher (1932); Huitema (2011),
    https://doi.org/10.1002/9781118067475; variance and df as `slope_cr2`.
    """
    found, weights = _read(sample)
    design = _design(found, weights)
    y_N = np.array([point.y for point in found])
    fit = design.fit(y_N)
    return t_estimate(
        estimate=fit.estimate,
        se=fit.se,
        df=fit.df,
        magnitude=float(np.abs(design.of_answers_N * y_N).sum()),
        level=level,
        edges=edges,
        method=f"ANCOVA, CR2 by {'run' if sample.are_strangers else sample.unit}, Satterthwaite t",
        what="unit means about the lines",
        n_units=len({point.cluster for point in found}),
        assumes=f"{sample.unit}s are a sample; the covariate has one slope at every level",
    )


def _read(sample: Sample) -> tuple[list[Point], dict[str, float]]:
    weights = {lv.name: lv.weight for lv in weighted_levels(sample)}
    return [point for point in points(sample) if point.level in weights], weights


def _design(found: Sequence[Point], weights: Mapping[str, float]) -> ClusterDesign:
    names = list(weights)
    x_N = np.array([point.x for point in found])
    level_N = np.array([names.index(point.level) for point in found])
    within_N = x_N - np.array([x_N[level_N == place].mean() for place in range(len(names))])[level_N]
    largest = np.abs(x_N).max(initial=0.0)
    columns = np.hstack([np.eye(len(names))[level_N], ((x_N - x_N.mean()) / (np.abs(within_N).max() or 1.0))[:, None]])
    if np.abs(within_N).max() <= 1e-11 * largest:
        columns[:, -1] = 0.0  # rounding error is no covariate: refused as inseparable
    contrast_P = np.array([*weights.values(), 0.0])
    clusters = np.array([point.cluster for point in found])
    return cluster_design(columns, clusters, contrast_P, inseparable=INSEPARABLE)


def _pull(sample: Sample) -> Mapping[str, Mapping[str, float]]:
    found, weights = _read(sample)
    pulls = _design(found, weights).of_answers_N.tolist()
    return as_pull({(point.level, point.unit): pull for point, pull in zip(found, pulls, strict=True)})


ESTIMATOR = Estimator(
    run=ancova_cr2,
    family="regression",
    says="a least-squares contrast adjusted for a covariate, with bias-reduced cluster-robust variance",
    source=(
        Source(text="Huitema (2011), The Analysis of Covariance and Alternatives", doi="10.1002/9781118067475"),
        Source(
            text="Pustejovsky & Tipton (2018), J. Business & Economic Statistics", doi="10.1080/07350015.2016.1247004"
        ),
    ),
    not_simulated="how a covariate varies is no part of [design]",
    reads="covariate",
    pull=_pull,
)
