"""Sufficient statistics of a seed hierarchy: counts or means per level x unit, never rows of completions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedlock.prereg.errors import EmptyCell, Finding, NotCounts, NotFinite, NotPaired, TooFewUnits

type FloatArray = NDArray[np.float64]
type IntArray = NDArray[np.int64]
type Nesting = Literal["nested", "paired"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Which group (one unit at one level) is which; labels are sorted, so row order changes nothing.

    Parameters
    ----------
    levels, units, items
        Labels. `items` is empty where items are not crossed with units.
    level_G, unit_G
        Index into `levels` and `units` for each group, shape (G,), levels outermost: paired groups
        form a levels x units grid.
    nesting
        "nested": a unit belongs to one level, and equal labels at two levels are two units (seed 0 of
        either arm). "paired": each unit appears at every level.

    Raises
    ------
    TooFewUnits
        A level with fewer than two units: nothing says how much units differ.
    NotPaired
        A paired design where some unit misses some level.
    """

    levels: tuple[str, ...]
    units: tuple[str, ...]
    items: tuple[str, ...]
    level_G: IntArray
    unit_G: IntArray
    nesting: Nesting

    def __post_init__(self) -> None:
        groups_A = np.bincount(self.level_G, minlength=len(self.levels))
        few = [
            Finding(where=f"level {name!r}", found=f"{count} unit", promised="at least 2")
            for name, count in zip(self.levels, groups_A, strict=True)
            if count < 2
        ]
        if few:
            raise TooFewUnits("one unit a level says nothing about other units", *few)
        if self.nesting == "paired":
            levels_S = np.bincount(self.unit_G, minlength=len(self.units))
            gaps = [
                Finding(where=f"unit {name!r}", found=f"{count} levels", promised=f"{len(self.levels)}")
                for name, count in zip(self.units, levels_S, strict=True)
                if count != len(self.levels)
            ]
            if gaps:
                raise NotPaired("a paired hierarchy needs each unit at every level", *gaps)

    @property
    def n_groups(self) -> int:
        """Number of unit x level groups."""
        return int(self.level_G.size)

    @property
    def n_units(self) -> int:
        """Units that carry the inference: pairs count once."""
        return len(self.units) if self.is_paired else self.n_groups

    @property
    def is_paired(self) -> bool:
        """Units are shared by more than one level."""
        return self.nesting == "paired" and len(self.levels) > 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellCounts:
    """Successes and scored answers per group (and item).

    Parameters
    ----------
    design
        Which group is which.
    k_GI, n_GI
        Successes and scored answers, shape (G, I); I is 1 without items. `n` is 0 where an item was
        not scored in a group.

    Raises
    ------
    NotCounts
        `k` outside [0, n].
    EmptyCell
        A group without any scored answer.
    """

    design: Design
    k_GI: IntArray
    n_GI: IntArray

    def __post_init__(self) -> None:
        if (self.k_GI < 0).any() or (self.k_GI > self.n_GI).any():
            raise NotCounts("every count must satisfy 0 <= k <= n")
        _refuse_empty(self.design, self.n_GI)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellMeans:
    """Means of a continuous measure per group.

    Parameters
    ----------
    design
        Which group is which (no items).
    mean_G
        Group means, in the measure's unit, shape (G,).
    n_G, sd_G
        Answers behind each mean and their sample SD (n - 1), shape (G,), or None where only the unit
        means are known: their spread is then the only spread there is.
    se_G
        Known standard errors of the means, shape (G,), in place of `n_G` and `sd_G`.

    Raises
    ------
    NotFinite
        A mean, SD or standard error that is not a finite number, or a negative spread.
    """

    design: Design
    mean_G: FloatArray
    n_G: IntArray | None = None
    sd_G: FloatArray | None = None
    se_G: FloatArray | None = None

    def __post_init__(self) -> None:
        spreads = [array for array in (self.sd_G, self.se_G) if array is not None]
        if not all(np.isfinite(array).all() for array in [self.mean_G, *spreads]):
            raise NotFinite("a group mean or its spread is not a finite number")
        if any((array < 0).any() for array in spreads):
            raise NotFinite("a standard deviation is negative")
        if (self.n_G is None) != (self.sd_G is None):
            raise NotFinite("the within-unit SD and the number of answers belong together")
        if self.n_G is not None:
            _refuse_empty(self.design, self.n_G[:, None])


def count_cells(
    *,
    level: Sequence[str],
    unit: Sequence[str],
    k: ArrayLike,
    n: ArrayLike,
    item: Sequence[str] | None = None,
    nesting: Nesting = "nested",
) -> CellCounts:
    """Gather rows of counts into a seed hierarchy; rows of the same cell are added.

    Parameters
    ----------
    level, unit, item
        One label a row.
    k, n
        Successes and scored answers, one a row, whole numbers.
    nesting
        See `Design`.
    """
    k_R, n_R = _whole(k), _whole(n)
    _refuse_ragged(len(level), unit, k_R, n_R, *([] if item is None else [item]))
    design, group_R, item_R = _lay_out(level, unit, item, nesting)
    k_GI = np.zeros((design.n_groups, max(1, len(design.items))), dtype=np.int64)
    n_GI = np.zeros_like(k_GI)
    np.add.at(k_GI, (group_R, item_R), k_R)
    np.add.at(n_GI, (group_R, item_R), n_R)
    return CellCounts(design=design, k_GI=k_GI, n_GI=n_GI)


def mean_cells(
    *,
    level: Sequence[str],
    unit: Sequence[str],
    mean: ArrayLike,
    n: ArrayLike | None = None,
    sd: ArrayLike | None = None,
    se: ArrayLike | None = None,
    nesting: Nesting = "nested",
) -> CellMeans:
    """Gather one row a group of means into a seed hierarchy.

    Parameters
    ----------
    level, unit
        One label a row; each pair once.
    mean, n, sd, se
        See `CellMeans`.
    nesting
        See `Design`.

    Raises
    ------
    NotCounts
        The same unit twice at a level: means cannot be added.
    """
    twice = [f"{a} / {u}" for (a, u), count in Counter(zip(level, unit, strict=True)).items() if count > 1]
    if twice:
        raise NotCounts(f"one mean a unit and level, but these come twice: {', '.join(sorted(twice)[:5])}")
    mean_R = np.asarray(mean, dtype=np.float64)
    _refuse_ragged(len(level), unit, mean_R)
    design, group_R, _ = _lay_out(level, unit, None, nesting)
    order = np.argsort(group_R)
    sd_R, se_R = (None if x is None else np.asarray(x, dtype=np.float64)[order] for x in (sd, se))
    return CellMeans(
        design=design,
        mean_G=mean_R[order],
        n_G=None if n is None else _whole(n)[order],
        sd_G=sd_R,
        se_G=se_R,
    )


def _lay_out(
    level: Sequence[str], unit: Sequence[str], item: Sequence[str] | None, nesting: Nesting
) -> tuple[Design, IntArray, IntArray]:
    """Build the design, and each row's group and item index."""
    if not len(level):
        raise EmptyCell("no scored answer at all")
    levels, units = tuple(sorted(set(level))), tuple(sorted(set(unit)))
    items = () if item is None else tuple(sorted(set(item)))
    groups = sorted(set(zip(level, unit, strict=True)))
    group_at = {group: at for at, group in enumerate(groups)}
    item_at = {name: at for at, name in enumerate(items)}
    design = Design(
        levels=levels,
        units=units,
        items=items,
        level_G=_index((a for a, _ in groups), levels),
        unit_G=_index((u for _, u in groups), units),
        nesting=nesting,
    )
    group_R = np.array([group_at[pair] for pair in zip(level, unit, strict=True)], dtype=np.int64)
    item_R = np.array([0] * len(level) if item is None else [item_at[name] for name in item], dtype=np.int64)
    return design, group_R, item_R


def _index(labels: Iterator[str], known: tuple[str, ...]) -> IntArray:
    at = {name: position for position, name in enumerate(known)}
    return np.array([at[name] for name in labels], dtype=np.int64)


def _whole(values: ArrayLike) -> IntArray:
    """Whole numbers, or a refusal."""
    floats = np.asarray(values, dtype=np.float64)
    if not np.isfinite(floats).all() or (floats != np.round(floats)).any():
        raise NotCounts("a count is a finite whole number")
    return floats.astype(np.int64)


def _refuse_ragged(rows: int, *columns: Sequence[str] | FloatArray | IntArray) -> None:
    if any(len(column) != rows for column in columns):
        raise NotCounts(f"every column needs one value a row: {rows} rows, {[len(c) for c in columns]}")


def _refuse_empty(design: Design, n_GI: IntArray) -> None:
    empty = [
        f"{design.levels[design.level_G[g]]} / {design.units[design.unit_G[g]]}"
        for g in np.flatnonzero(n_GI.sum(1) < 1)
    ]
    if empty:
        raise EmptyCell(f"no scored answer for {', '.join(empty[:5])}")
