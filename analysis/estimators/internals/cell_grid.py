"""Units crossed with items as one array: what the crossed and cluster-robust methods read from a `Sample`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.sample import Sample
from seedlock.analysis.estimators.internals.units import (
    FloatArray,
    refuse_non_finite,
    require_units,
    summarise,
    weighted_levels,
)
from seedlock.prereg.errors import NotThisDesign, TooFewUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGrid:
    """Cell means of every unit and item.

    Parameters
    ----------
    y_UI
        Shape (U, I): mean of the measure for a unit on an item; NaN where there is no answer.
    level_U
        Shape (U,): index of the unit's level. A unit belongs to one level: equal labels at two levels
        are two runs.
    weights_L
        Shape (L,): contrast weights.
    units
        Unit labels with their levels.
    """

    y_UI: FloatArray
    level_U: NDArray[np.intp]
    weights_L: FloatArray
    units: tuple[tuple[str, str], ...]

    @property
    def magnitude(self) -> float:
        """Size of the data, to tell spread from rounding error."""
        return float(np.abs(self.weights_L).sum() * np.nanmax(np.abs(self.y_UI)))


def cell_grid(sample: Sample, *, method: str) -> CellGrid:
    """Arrange the cells of a sample.

    Raises
    ------
    NotThisDesign
        A level has no cells, so that nothing is known item by item.
    TooFewUnits
        A level with fewer than two units, or fewer than two items.
    NotFinite
        A cell is NaN or infinite.
    """
    weighted_levels(sample)
    blank = [level.name for level in sample.levels if not level.cells]
    if blank:
        raise NotThisDesign(f"{method} needs the mean of every unit on every item; {', '.join(blank)} has none")
    for level in sample.levels:
        refuse_non_finite(level.name, {f"{unit} x {item}": y for (unit, item), y in level.cells.items()})
    units = [(level.name, unit) for level in sample.levels for unit in sorted({u for u, _ in level.cells})]
    items = sorted({item for level in sample.levels for _, item in level.cells})
    require_units(sample, [summarise(lv.name, lv.weight, {u: 0.0 for u, _ in lv.cells}) for lv in sample.levels])
    if len(items) < 2:
        raise TooFewUnits(f"{len(items)} item: {method} needs at least two")
    row, column = {unit: r for r, unit in enumerate(units)}, {item: c for c, item in enumerate(items)}
    y_UI = np.full((len(units), len(items)), np.nan)
    for level in sample.levels:
        for (unit, item), y in level.cells.items():
            y_UI[row[level.name, unit], column[item]] = y
    names = [level.name for level in sample.levels]
    return CellGrid(
        y_UI=y_UI,
        level_U=np.array([names.index(name) for name, _ in units]),
        weights_L=np.array([level.weight for level in sample.levels]),
        units=tuple(units),
    )
