"""One line through all runs, with units as clusters: for runs that stand at one dose each, and designs with gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seedlock.analysis.estimators.internals.cluster_robust import ClusterDesign, cluster_design
from seedlock.analysis.estimators.internals.estimator import Beside, Estimator, Source
from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels, many_t
from seedlock.analysis.estimators.internals.points import Point, as_pull, points
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.internals.t_interval import t_estimate
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.prereg.errors import NotThisDesign, TooFewUnits

ONE_DOSE = "every run stands at the same number: no line can be drawn through them"


def slope_cr2(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate the least-squares slope over all unit means, every one weighing the same, with units as clusters.

    Parameters
    ----------
    sample
        Levels with `unit_x`. Units of one name are one cluster, or strangers where the sample says so.
    level
        Two-sided confidence level.
    edges
        Band edges, in units of the measure per step.

    Returns
    -------
    Estimate
        `n_units` counts clusters. Where every unit stands at the same numbers it is `slope_t` to the last digit.

    Raises
    ------
    NotThisDesign
        Fewer than two different numbers, or levels without numbers.
    TooFewUnits
        Fewer than two clusters, or fewer than 2 Satterthwaite df.
    NoSpread
        All points lie on the line.
    NotFinite
        A mean or a number is NaN or infinite.

    Notes
    -----
    Clusters of one run each make it a heteroscedasticity-robust slope (HC2) with Bell and McCaffrey's df. Equal to R's
    clubSandwich. Bell & McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky & Tipton (2018),
    https://doi.org/10.1080/07350015.2016.1247004
    """
    found = points(sample)
    design = _design(found)
    y_N = np.array([point.y for point in found])
    fit = design.fit(y_N)
    return t_estimate(
        estimate=fit.estimate,
        se=fit.se,
        df=fit.df,
        magnitude=float(np.abs(design.of_answers_N * y_N).sum()),
        level=level,
        edges=edges,
        method=f"CR2 by {'run' if sample.are_strangers else sample.unit}, Satterthwaite t",
        what="points about the line",
        n_units=len({point.cluster for point in found}),
        assumes=f"{sample.unit}s are a sample; one straight line",
    )


def _design(found: Sequence[Point]) -> ClusterDesign:
    x_N = np.array([point.x for point in found])
    if np.ptp(x_N) <= 1e-12 * np.abs(x_N).max(initial=0.0):
        raise NotThisDesign(ONE_DOSE)
    return _of_line(x_N, [point.cluster for point in found])


def _of_line(x_N: FloatArray, clusters: Sequence[str]) -> ClusterDesign:
    about_N = x_N - x_N.mean()
    columns = np.column_stack([np.ones(len(x_N)), about_N / np.abs(about_N).max()])
    contrast_P = np.array([0.0, 1 / np.abs(about_N).max()])
    return cluster_design(columns, np.array(clusters), contrast_P, inseparable=ONE_DOSE)


def _pull(sample: Sample) -> Mapping[str, Mapping[str, float]]:
    found = points(sample)
    weights = _design(found).of_answers_N.tolist()
    return as_pull({(point.level, point.unit): weight for point, weight in zip(found, weights, strict=True)})


def _simulate(
    levels: Sequence[ManyLevels], *, level: float, edges: Sequence[float], limits: tuple[float, float]
) -> Many:
    """Column u of every level is the same unit, unless levels are strangers."""
    x_N = np.concatenate([np.full(lv.n_units, lv.x) for lv in levels])
    if np.isnan(x_N).any():
        raise NotThisDesign(ONE_DOSE)
    names = [
        f"{unit} at {place}" if lv.are_strangers else str(unit)
        for place, lv in enumerate(levels)
        for unit in range(lv.n_units)
    ]
    try:
        design = _of_line(x_N, names)
    except TooFewUnits as refusal:
        raise NotThisDesign(refusal.what) from refusal
    y_KN = np.hstack([lv.means_KU for lv in levels])
    return many_t(
        estimate_K=y_KN @ design.of_answers_N,
        se_K=np.sqrt(((y_KN @ design.score_CN.T) ** 2).sum(axis=1)),
        df_K=np.full(len(y_KN), design.df),
        magnitude_K=np.abs(design.of_answers_N * y_KN).sum(axis=1),
        level=level,
        edges=edges,
        limits=limits,
    )


def _beside(planned: Estimator, sample: Sample) -> Beside | None:
    """Beside a slope by another test: the one line through every point, which balance makes the same."""
    if planned.run is slope_cr2 or planned.reads == "covariate" or not all(lv.unit_x for lv in sample.levels):
        return None
    if planned.family == "rank correlation":
        return None
    note = "one line through every point, units as clusters"
    return Beside(note=note, is_equal_when_balanced=planned.is_paired and planned.family != "t on logits of unit rates")


ESTIMATOR = Estimator(
    run=slope_cr2,
    family="regression",
    says="a least-squares line through all unit means with bias-reduced cluster-robust variance, units as clusters",
    source=(
        Source(
            text="Pustejovsky & Tipton (2018), J. Business & Economic Statistics", doi="10.1080/07350015.2016.1247004"
        ),
    ),
    reads="dose",
    pull=_pull,
    simulate=_simulate,
    beside=_beside,
)
