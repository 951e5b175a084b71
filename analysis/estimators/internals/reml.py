"""REML for units, crossed with items or not: variance components, the contrast's variance and Satterthwaite df."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from seedlock.analysis.estimators.internals.cell_grid import CellGrid
from seedlock.analysis.estimators.internals.units import ROUNDING, FloatArray
from seedlock.prereg.errors import DiagnosticsFailed, NoSpread

# A component below this share of the residual SD is at its boundary, and takes no part in the df.
AT_ZERO = 1e-4
STEP = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossedFit:
    """A contrast from the model level + unit [+ item + level:item] + residual.

    Parameters
    ----------
    estimate, se, df
        Of the contrast; df by Satterthwaite.
    unit_sd, item_sd, level_item_sd, residual_sd
        SD of each component; 0, with a `reason`, where REML puts it on its boundary. Components that the model
        does not have are 0 too.
    reason
        Which components are at 0 and why; empty where none is.
    """

    estimate: float
    se: float
    df: float
    unit_sd: float
    item_sd: float
    level_item_sd: float
    residual_sd: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solved:
    """The mixed-model equations at one set of variance ratios."""

    log_det: float
    rss: float
    beta_L: FloatArray
    precision_LL: FloatArray


def fit_crossed(grid: CellGrid, *, has_items: bool = True) -> CrossedFit:
    """Fit by REML.

    Parameters
    ----------
    grid
        U units in L levels, I items; cells may be missing.
    has_items
        False where columns only number a unit's answers: the model is then level + unit + residual.

    Raises
    ------
    NoSpread
        Cells are an exact sum of the model's effects: there is no residual.
    DiagnosticsFailed
        The optimiser did not converge, or the likelihood is flat at its answer.

    Notes
    -----
    Items are eliminated one block at a time, so that the cost grows with I * U^2 and not with (I * U)^3.
    Satterthwaite's df by the delta method on the log variances, as in R's lmerTest:
    Kuznetsova, Brockhoff & Christensen (2017), https://doi.org/10.18637/jss.v082.i13. Our own, as
    statsmodels' MixedLM has no Satterthwaite df and fails to converge on a third of small designs.
    """
    _refuse_additive(grid, has_items=has_items)
    # A mean far from 0 would cost the optimiser the digits that it stops by.
    centre, scale = float(np.nanmean(grid.y_UI)), float(np.nanstd(grid.y_UI))
    n_levels = len(grid.weights_L)
    n_free = int((~np.isnan(grid.y_UI)).sum()) - n_levels
    is_free = np.array([True, has_items, has_items and n_levels > 1])
    sums = _sums(replace(grid, y_UI=(grid.y_UI - centre) / scale))
    ratios = _optimise(sums, n_free, is_free)
    solved = _solve(sums, ratios)
    residual = solved.rss / n_free
    free = np.append(is_free & (ratios > AT_ZERO), True)
    logs_F = np.log(np.append(ratios**2 * residual, residual)[free])
    variance = _contrast_variance(sums, logs_F, free)
    sds = np.where(ratios > AT_ZERO, ratios, 0.0) * math.sqrt(residual) * scale
    return CrossedFit(
        estimate=float(grid.weights_L @ (solved.beta_L * scale + centre)),
        se=math.sqrt(variance) * scale,
        df=_satterthwaite(sums, logs_F, free, n_free, variance),
        unit_sd=float(sds[0]),
        item_sd=float(sds[1]),
        level_item_sd=float(sds[2]),
        residual_sd=math.sqrt(residual) * scale,
        reason=_at_zero(is_free & (ratios <= AT_ZERO)),
    )


def _at_zero(is_zero: NDArray[np.bool_]) -> str:
    names = [name for name, zero in zip(("unit", "item", "level:item"), is_zero, strict=True) if zero]
    return f"SD at 0: {', '.join(names)} means differ no more than the rest of the model explains" if names else ""


def _refuse_additive(grid: CellGrid, *, has_items: bool) -> None:
    """Refuse data without residual: alternate sweeps of unit and item means leave nothing."""
    left_UI = grid.y_UI.copy()
    for _ in range(50):
        left_UI -= np.nanmean(left_UI, axis=1, keepdims=True)
        for level in range(len(grid.weights_L) if has_items else 0):
            rows = grid.level_U == level
            seen = ~np.isnan(left_UI[rows]).all(axis=0)
            sub = left_UI[np.ix_(rows, seen)]
            left_UI[np.ix_(rows, seen)] = sub - np.nanmean(sub, axis=0, keepdims=True)
    if np.nanmax(np.abs(left_UI)) <= ROUNDING * max(1e-300, float(np.nanmax(np.abs(grid.y_UI)))):
        effects = "unit and item effects" if has_items else "unit effects"
        raise NoSpread(f"cells are an exact sum of {effects}: there is no residual to fit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """What the equations need of the data, whatever the variances: counts and sums by unit, item and level.

    Right-hand sides R are the L level columns, then y.
    """

    rhs_UR: FloatArray
    rhs_IBR: FloatArray
    count_IL: FloatArray
    cross_IBU: FloatArray
    gram_RR: FloatArray
    weights_L: FloatArray


def _sums(grid: CellGrid) -> _Sums:
    seen_UI = (~np.isnan(grid.y_UI)).astype(np.float64)
    y_UI = np.where(seen_UI > 0, grid.y_UI, 0.0)
    arm_UL = np.eye(len(grid.weights_L))[grid.level_U]
    count_IL, sum_IL = seen_UI.T @ arm_UL, y_UI.T @ arm_UL
    item_IR = np.concatenate([count_IL, sum_IL.sum(axis=1, keepdims=True)], axis=1)
    level_ILR = np.concatenate([count_IL[:, :, None] * np.eye(arm_UL.shape[1]), sum_IL[:, :, None]], axis=2)
    total_R = item_IR.sum(axis=0)
    gram_RR = np.diag(np.append(total_R[:-1], np.sum(y_UI**2)))
    gram_RR[:-1, -1] = gram_RR[-1, :-1] = sum_IL.sum(axis=0)
    return _Sums(
        rhs_UR=np.column_stack([arm_UL * seen_UI.sum(axis=1, keepdims=True), y_UI.sum(axis=1)]),
        rhs_IBR=np.concatenate([item_IR[:, None, :], level_ILR], axis=1),
        count_IL=count_IL,
        cross_IBU=np.concatenate([seen_UI.T[:, None, :], seen_UI.T[:, None, :] * arm_UL.T[None, :, :]], axis=1),
        gram_RR=gram_RR,
        weights_L=grid.weights_L,
    )


def _solve(sums: _Sums, ratios: FloatArray) -> _Solved:
    """Eliminate items block by block, then units, for relative SDs (unit, item, level:item)."""
    unit, item, level_item = ratios
    n_items, n_levels = sums.count_IL.shape
    n_units = len(sums.rhs_UR)
    scale_B = np.append(item, np.full(n_levels, level_item))
    blocks_IB = np.zeros((n_items, 1 + n_levels, 1 + n_levels))
    blocks_IB[:, 0, 0] = sums.count_IL.sum(axis=1)
    blocks_IB[:, 0, 1:] = blocks_IB[:, 1:, 0] = sums.count_IL
    diagonal = np.arange(1, 1 + n_levels)
    blocks_IB[:, diagonal, diagonal] = sums.count_IL
    blocks_IB = np.eye(1 + n_levels) + blocks_IB * np.outer(scale_B, scale_B)
    # One solve for the columns of the units and the right-hand sides together.
    both_IBX = np.concatenate([sums.cross_IBU * unit, sums.rhs_IBR], axis=2) * scale_B[:, None]
    half_IBX = np.linalg.solve(blocks_IB, both_IBX)
    taken_XX = np.tensordot(both_IBX, half_IBX, axes=([0, 1], [0, 1]))
    answers_U = sums.cross_IBU[:, 0, :].sum(axis=0)
    schur_UU = np.diag(1 + unit**2 * answers_U) - taken_XX[:n_units, :n_units]
    reduced_UR = sums.rhs_UR * unit - taken_XX[:n_units, n_units:]
    gram_RR = sums.gram_RR - taken_XX[n_units:, n_units:] - reduced_UR.T @ np.linalg.solve(schur_UU, reduced_UR)
    precision_LL = gram_RR[:-1, :-1]
    beta_L = np.linalg.solve(precision_LL, gram_RR[:-1, -1])
    log_det = (
        float(np.linalg.slogdet(blocks_IB)[1].sum())
        + float(np.linalg.slogdet(schur_UU)[1])
        + float(np.linalg.slogdet(precision_LL)[1])
    )
    rss = float(gram_RR[-1, -1] - gram_RR[:-1, -1] @ beta_L)
    return _Solved(log_det=log_det, rss=rss, beta_L=beta_L, precision_LL=precision_LL)


def _optimise(sums: _Sums, n_free: int, is_free: FloatArray) -> FloatArray:
    """Relative SDs that minimise the profiled REML deviance."""

    def deviance(free: FloatArray) -> float:
        ratios = np.zeros(3)
        ratios[is_free] = np.abs(free)
        solved = _solve(sums, ratios)
        return solved.log_det + n_free * math.log(max(solved.rss, 1e-300) / n_free)

    size = int(is_free.sum())
    rough = optimize.minimize(deviance, np.full(size, 0.7), method="L-BFGS-B", bounds=[(0.0, 1e3)] * size)
    fine = optimize.minimize(
        deviance,
        rough.x,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000, "initial_simplex": _simplex(rough.x)},
    )
    if not fine.success or np.max(np.abs(fine.x)) > 900:
        raise DiagnosticsFailed(f"the crossed model's likelihood has no maximum that could be found: {fine.message}")
    ratios = np.zeros(3)
    ratios[is_free] = np.abs(fine.x)
    return ratios


def _simplex(at: FloatArray) -> FloatArray:
    return np.vstack([at, at + np.diag(np.maximum(0.02, 0.05 * at))])


def _spread_out(logs_F: FloatArray, free: FloatArray) -> tuple[FloatArray, float]:
    """Log variances of the free components -> relative SDs and residual variance."""
    variances = np.zeros(4)
    variances[free] = np.exp(logs_F)
    return np.sqrt(variances[:3] / variances[3]), float(variances[3])


def _contrast_variance(sums: _Sums, logs_F: FloatArray, free: FloatArray) -> float:
    ratios, residual = _spread_out(logs_F, free)
    precision_LL = _solve(sums, ratios).precision_LL
    return float(residual * sums.weights_L @ np.linalg.solve(precision_LL, sums.weights_L))


def _satterthwaite(sums: _Sums, logs_F: FloatArray, free: FloatArray, n_free: int, variance: float) -> float:
    """2 V^2 / Var(V), with Var(V) by the delta method at the REML estimates."""

    def deviance(logs: FloatArray) -> float:
        ratios, residual = _spread_out(logs, free)
        solved = _solve(sums, ratios)
        return solved.log_det + n_free * math.log(residual) + solved.rss / residual

    size = len(logs_F)
    steps = np.eye(size) * STEP
    gradient_F = np.array(
        [
            (_contrast_variance(sums, logs_F + h, free) - _contrast_variance(sums, logs_F - h, free)) / (2 * STEP)
            for h in steps
        ]
    )
    hessian_FF = np.empty((size, size))
    for i in range(size):
        for j in range(i, size):
            h, k = steps[i], steps[j]
            mixed = (
                deviance(logs_F + h + k)
                - deviance(logs_F + h - k)
                - deviance(logs_F - h + k)
                + deviance(logs_F - h - k)
            )
            hessian_FF[i, j] = hessian_FF[j, i] = mixed / (4 * STEP**2)
    if np.linalg.eigvalsh(hessian_FF)[0] <= 0:
        raise DiagnosticsFailed("the crossed model's likelihood is flat: its variances are not determined")
    return float(variance**2 / (gradient_F @ np.linalg.solve(hessian_FF, gradient_F)))
