"""Planned looks at growing data: what part of alpha each look may spend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, stats

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.prereg.errors import BadInput

type Spending = Literal["obrien-fleming", "pocock"]
NODES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One planned look.

    Parameters
    ----------
    information
        Share of the final information (seeds now / seeds at the end).
    spent
        One-sided alpha used up to and including this look.
    boundary_z
        Normal statistic at which this look rejects.
    nominal_alpha
        The level at which to test at this look.
    """

    information: float
    spent: float
    boundary_z: float
    nominal_alpha: float


def planned_looks(seeds: Sequence[int], *, alpha: float, spending: Spending) -> tuple[Look, ...]:
    """Divide a one-sided alpha over planned looks so that all together reject falsely at most that often.

    Parameters
    ----------
    seeds
        Seeds an arm at each look, increasing.
    alpha
        One-sided, in (0, 0.5).
    spending
        "obrien-fleming" spends little early; "pocock" spends evenly.

    Raises
    ------
    BadInput
        No look, seeds that do not increase, or alpha out of range.

    Notes
    -----
    Lan & DeMets (1983), https://doi.org/10.1093/biomet/70.3.659; boundaries by the recursion of Armitage,
    McPherson & Rowe (1969), https://doi.org/10.2307/2343787. Exact for normal statistics. With a few seeds
    test at `nominal_alpha` by t; that this stays near alpha is simulated in tests/test_looks.py.
    """
    if not 0 < alpha < 0.5:
        raise BadInput(f"alpha lies between 0 and 0.5; found {alpha}")
    if not seeds or any(not a < b for a, b in zip([0, *seeds], seeds, strict=False)):
        raise BadInput(f"looks come at increasing numbers of seeds; found {list(seeds)}")
    information = [s / seeds[-1] for s in seeds]
    spent = [_spent(t, alpha, spending) for t in information]
    bounds = _boundaries(information, spent)
    return tuple(
        Look(information=t, spent=a, boundary_z=z, nominal_alpha=float(stats.norm.sf(z)))
        for t, a, z in zip(information, spent, bounds, strict=True)
    )


def _spent(t: float, alpha: float, spending: Spending) -> float:
    if spending == "obrien-fleming":
        return float(2 * stats.norm.sf(stats.norm.isf(alpha / 2) / math.sqrt(t)))
    return alpha * math.log(1 + (math.e - 1) * t)


def _boundaries(information: Sequence[float], spent: Sequence[float]) -> list[float]:
    """Solve each look's boundary on the scale of Brownian motion, carrying the density that has not crossed."""
    bounds = [float(stats.norm.isf(spent[0]))]
    cut = bounds[0] * math.sqrt(information[0])
    nodes, weights = _nodes(cut, information[0])
    density = stats.norm.pdf(nodes, scale=math.sqrt(information[0]))
    for k in range(1, len(information)):
        step = math.sqrt(information[k] - information[k - 1])
        allowance = spent[k] - spent[k - 1]

        def excess(
            c: float,
            at: FloatArray = nodes,
            mass: FloatArray = weights * density,
            step: float = step,
            due: float = allowance,
        ) -> float:
            return float(mass @ stats.norm.sf((c - at) / step)) - due

        cut = float(optimize.brentq(excess, -10.0, 10.0, xtol=1e-12))
        bounds.append(cut / math.sqrt(information[k]))
        new_nodes, new_weights = _nodes(cut, information[k])
        density = stats.norm.pdf((new_nodes[:, None] - nodes[None, :]) / step) / step @ (weights * density)
        nodes, weights = new_nodes, new_weights
    return bounds


def _nodes(cut: float, information: float) -> tuple[FloatArray, FloatArray]:
    low = -9.0 * math.sqrt(information)
    x, w = np.polynomial.legendre.leggauss(NODES)
    return np.asarray(low + (cut - low) * (x + 1) / 2), np.asarray(w * (cut - low) / 2)
