"""What few gold labels add to simulated run means."""

from __future__ import annotations

import numpy as np

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.simulation.assumptions import Variation
from seedlock.prereg.plan.gold import Gold
from seedlock.prereg.plan.plan import PlannedRun


def label_noise(
    variation: Variation,
    gold: Gold,
    runs: tuple[PlannedRun, ...],
    cells_KRI: FloatArray,
    *,
    answers: int,
    rng: np.random.Generator,
) -> FloatArray:
    """What is wrong with corrected run means: drawn, normal, of mean 0.

    Parameters
    ----------
    cells_KRI
        True means of every run and item, shape (K, R, I).
    answers
        Of a run.

    Returns
    -------
    numpy.ndarray
        Shape (K, R, 1).

    Notes
    -----
    The corrected mean of n labels among N answers has variance (1/n - 1/N) var(g) (1 - rho^2) about the run's own, with
    rho the correlation of judged and right scores within the run. A judge that is right on a share a of hits and of
    misses has, at rate p, rho = p (a - q) / sqrt(p (1 - p) q (1 - q)) with q = a p + (1 - a)(1 - p) what it says.
    """
    n_R = np.array([gold.wanted(run.arm, answers) for run in runs])
    right_R = np.array([variation.right.get(run.arm, 1.0) for run in runs])
    if variation.is_rate:
        p_KR = np.clip(np.nanmean(cells_KRI, axis=2), 0.0, 1.0)
        said_KR = right_R * p_KR + (1 - right_R) * (1 - p_KR)
        spread_KR, said_spread_KR = p_KR * (1 - p_KR), said_KR * (1 - said_KR)
        shared_KR = p_KR * (right_R - said_KR)
        left_KR = spread_KR - shared_KR**2 / np.where(said_spread_KR > 0, said_spread_KR, 1.0)
    else:
        spread = variation.item_sd**2 + variation.answer_sd**2
        left_KR = np.broadcast_to(spread * (1 - right_R**2), cells_KRI.shape[:2])
    sd_KR = np.sqrt(np.maximum(left_KR, 0.0) * (1 / n_R - 1 / answers))
    return np.asarray((sd_KR * rng.standard_normal(sd_KR.shape))[:, :, None])
