"""Mean and spread of a rate whose logit is normal: what a new unit's rate averages to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from seedlock.analysis.bayes.cells import FloatArray

_ITEMS_AT_ONCE = 2_000_000
_REACH = 6.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RateMoments:
    """Mean and SD over new units of the item-averaged rate, one per draw, shape (K,)."""

    mean_K: FloatArray
    sd_K: FloatArray


def rate_moments(centre_K: FloatArray, sd_K: FloatArray, item_KI: FloatArray | None = None) -> RateMoments:
    """Integrate expit(centre + sd z + item), z standard normal, averaged over items.

    Parameters
    ----------
    centre_K, sd_K
        Logit mean and SD of units, shape (K,).
    item_KI
        Logit shift of each item, shape (K, I); None is one item without shift.

    Notes
    -----
    The trapezoid rule on z converges exponentially for analytic integrands (Trefethen & Weideman 2014,
    https://doi.org/10.1137/130932132); the logistic's nearest pole is pi/sd away, so a step of
    1.4/sd (at most 0.75) leaves an error below 1e-5, where Gauss-Hermite with as many nodes loses
    digits once sd exceeds 2.
    """
    step = float(np.clip(1.4 / max(float(sd_K.max()), 1e-9), 0.1, 0.75))
    z_Q = np.arange(-_REACH, _REACH + step, step)
    weight_Q = np.exp(-0.5 * z_Q**2)
    weight_Q /= weight_Q.sum()
    items = 1 if item_KI is None else item_KI.shape[1]
    mean_K, square_K = np.zeros_like(centre_K), np.zeros_like(centre_K)
    at_once = max(1, _ITEMS_AT_ONCE // items)
    for start in range(0, centre_K.size, at_once):
        rows = slice(start, start + at_once)
        shift_KI = centre_K[rows, None] if item_KI is None else centre_K[rows, None] + item_KI[rows]
        for z, weight in zip(z_Q, weight_Q, strict=True):
            rate_K = expit(shift_KI + (sd_K[rows] * z)[:, None]).mean(axis=1)
            mean_K[rows] += weight * rate_K
            square_K[rows] += weight * rate_K**2
    return RateMoments(mean_K=mean_K, sd_K=np.sqrt(np.maximum(square_K - mean_K**2, 0.0)))


def mean_rate(logit_K: FloatArray, item_KI: FloatArray | None = None) -> FloatArray:
    """Average the rate over items at the given logits, shape (K,)."""
    if item_KI is None:
        return np.asarray(expit(logit_K), dtype=np.float64)
    at_once = max(1, _ITEMS_AT_ONCE // item_KI.shape[1])
    starts = range(0, logit_K.size, at_once)
    parts = [expit(logit_K[s : s + at_once, None] + item_KI[s : s + at_once]).mean(axis=1) for s in starts]
    return np.concatenate(parts)
