"""What a fitted hierarchy is asked before it is believed: replicated data, and what each unit and cell weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray
from seedlock.analysis.bayes.hierarchy import Cells, HierarchyFit
from seedlock.analysis.bayes.predictive_check import PredictiveCheck, predictive_checks
from seedlock.analysis.bayes.units_left_out import (
    LeaveOneOut,
    leave_one_cell_out,
    leave_one_unit_out,
    unit_log_likelihood,
)
from seedlock.prereg.errors import Refusal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitChecks:
    """Checks of one fit; what is not offered is its reason in words.

    Parameters
    ----------
    replicated
        Posterior predictive checks of every level.
    unit, cell
        Leave-one-out of units and of cells, or why there is none.
    log_likelihood_KU
        Unit likelihoods, for power-scaling; None where they are not offered.
    """

    replicated: tuple[PredictiveCheck, ...]
    unit: LeaveOneOut | str
    cell: LeaveOneOut | str
    log_likelihood_KU: FloatArray | None


def check_fit(fit: HierarchyFit, cells: Cells) -> FitChecks:
    """Run every check; the same fit gives the same numbers."""
    replicated = predictive_checks(fit, cells, np.random.default_rng([fit.sampler.seed, 3]))
    unit: LeaveOneOut | str
    cell: LeaveOneOut | str
    log_KU: FloatArray | None = None
    try:
        log_KU = unit_log_likelihood(fit, cells)
        unit = leave_one_unit_out(fit, log_KU)
    except Refusal as refusal:
        unit = refusal.what
    try:
        cell = leave_one_cell_out(fit, cells)
    except Refusal as refusal:
        cell = refusal.what
    return FitChecks(replicated=replicated, unit=unit, cell=cell, log_likelihood_KU=log_KU)
