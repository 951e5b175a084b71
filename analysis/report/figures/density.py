"""A smooth curve through posterior draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seedlock.analysis.bayes.posterior_draws import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """A density on a grid: `x` and `y` of shape (G,)."""

    x: FloatArray
    y: FloatArray


def density_of(draws_K: FloatArray, *, points: int = 128, lowest: float | None = None) -> Density | None:
    """Gaussian kernel density between the extreme half percents of the draws; None where they do not vary.

    Parameters
    ----------
    draws_K
        Shape (K,).
    lowest
        Bound of the parameter (0 for an SD): the kernel is reflected there, so that no mass leaks past it.
    """
    from scipy.stats import gaussian_kde  # noqa: PLC0415 - scipy.stats costs a second at start-up

    low, high = (float(q) for q in np.quantile(draws_K, [0.001, 0.999]))
    if not high > low:
        return None
    margin = 0.05 * (high - low)
    start = low - margin if lowest is None else max(lowest, low - margin)
    x = np.linspace(start, high + margin, points)
    kernel = gaussian_kde(draws_K)
    y = kernel(x)
    if lowest is not None:
        y = y + kernel(2 * lowest - x)
    return Density(x=x, y=np.asarray(y, dtype=np.float64))
