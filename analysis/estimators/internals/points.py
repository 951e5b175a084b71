"""Units at levels as points of a line: the number that each stands at, and its mean of the measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seedlock.analysis.estimators.internals.sample import Sample
from seedlock.analysis.estimators.internals.units import refuse_non_finite
from seedlock.prereg.errors import Finding, NotThisDesign

NO_DOSE = 'this test needs the number that every level stands at: dose = { at = [...] } or { measure = "..." }'


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One unit at one level.

    Parameters
    ----------
    cluster
        What it shares with points of the same unit at other levels: its name, or both names for strangers.
    x
        In steps of the slope.
    y
        Mean of the measure.
    """

    level: str
    unit: str
    cluster: str
    x: float
    y: float


def points(sample: Sample) -> list[Point]:
    """Every unit at every level, in the order of names.

    Raises
    ------
    NotThisDesign
        A level says no number for a unit.
    NotFinite
        A number or a mean is none.
    """
    absent = [f"{lv.name}, {unit}" for lv in sample.levels for unit in lv.unit_means if unit not in lv.unit_x]
    if absent:
        found = Finding(where=absent[0], found="no number", promised="a number for every unit mean")
        raise NotThisDesign(NO_DOSE, found)
    for lv in sample.levels:
        refuse_non_finite(lv.name, lv.unit_means)
        refuse_non_finite(f"{lv.name}, number", {unit: lv.unit_x[unit] for unit in lv.unit_means})
    return list(_points(sample))


def _points(sample: Sample) -> Iterator[Point]:
    for lv in sample.levels:
        for unit, y in sorted(lv.unit_means.items()):
            cluster = f"{unit} at {lv.name}" if sample.are_strangers else unit
            yield Point(level=lv.name, unit=unit, cluster=cluster, x=lv.unit_x[unit], y=y)


def by_unit(found: list[Point]) -> dict[str, list[Point]]:
    """Unit -> its points."""
    units: dict[str, list[Point]] = {}
    for point in found:
        units.setdefault(point.unit, []).append(point)
    return dict(sorted(units.items()))


def as_pull(weights: Mapping[tuple[str, str], float]) -> dict[str, dict[str, float]]:
    """(level, unit) -> weight, as level -> unit -> weight."""
    found: dict[str, dict[str, float]] = {}
    for (level, unit), weight in weights.items():
        found.setdefault(level, {})[unit] = weight
    return found
