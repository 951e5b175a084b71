"""Sufficient statistics of ratings: how often each score was given, per level x unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seedlock.analysis.bayes.cells import Design, FloatArray, IntArray, count_cells
from seedlock.prereg.errors import EmptyCell, NoSpread, NotFinite, NotThisDesign

MOST_SCORES = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellRatings:
    """Ratings per group, units nested in levels.

    Parameters
    ----------
    design
        Which group is which (no items).
    n_GC
        Answers with each score, shape (G, C).
    score_C
        The scores that occur, increasing, in the measure's unit, shape (C,).

    Raises
    ------
    NotThisDesign
        Paired units: not offered.
    NoSpread
        One score only.
    NotFinite
        A score that is not a finite number.
    EmptyCell
        A group without any rating.
    """

    design: Design
    n_GC: IntArray
    score_C: FloatArray

    def __post_init__(self) -> None:
        if self.design.is_paired:
            raise NotThisDesign("ratings of paired units: the cumulative logit hierarchy is for nested ones")
        if not np.isfinite(self.score_C).all():
            raise NotFinite("a rating is not a finite number")
        if len(self.score_C) < 2:
            raise NoSpread("every answer has the same rating")
        if len(self.score_C) > MOST_SCORES:
            found = f"{len(self.score_C)} different scores"
            raise NotThisDesign(f"{found}: a rating scale has at most {MOST_SCORES}; use seed_hierarchy")
        if (self.n_GC.sum(axis=1) < 1).any():
            raise EmptyCell("a unit without any rating")

    @property
    def mean_G(self) -> FloatArray:  # noqa: N802 - the suffix names its axis
        """Mean rating of each group."""
        return np.asarray((self.n_GC @ self.score_C) / self.n_GC.sum(axis=1))


def rating_cells(
    *, level: Sequence[str], unit: Sequence[str], score: ArrayLike, n: ArrayLike, paired: bool = False
) -> CellRatings:
    """Gather rows of "this unit gave this score so often"; rows of the same unit and score are added."""
    scores = np.asarray(score, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise NotFinite("a rating is not a finite number")
    score_C = np.unique(scores)
    names = [f"{place:06d}" for place in np.searchsorted(score_C, scores)]
    cells = count_cells(
        level=level, unit=unit, item=names, k=np.zeros(len(names)), n=n, nesting="paired" if paired else "nested"
    )
    found = cells.design
    design = Design(
        levels=found.levels,
        units=found.units,
        items=(),
        level_G=found.level_G,
        unit_G=found.unit_G,
        nesting=found.nesting,
    )
    return CellRatings(design=design, n_GC=cells.n_GI, score_C=score_C)
