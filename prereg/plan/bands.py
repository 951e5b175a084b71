"""Bands: a scale cut into named, touching intervals that cover it. The one form every decision takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One named interval of the scale; `lower` or `upper` is None where it runs to infinity."""

    name: str
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """A partition of the scale, in rising order: no gap, no overlap, no forgotten outcome."""

    bands: tuple[Band, ...]

    @property
    def edges(self) -> tuple[float, ...]:
        """The inner edges, rising; one fewer than there are bands."""
        return tuple(band.upper for band in self.bands if band.upper is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """Band names, from the lowest band up."""
        return tuple(band.name for band in self.bands)

    def holding(self, value: float) -> str:
        """Name of the band that a number falls in; an edge belongs to the band above it."""
        return self.bands[sum(value >= edge for edge in self.edges)].name


def parse_bands(spelled: Sequence[str | float]) -> Bands:
    """Read `["opposite", -0.2, "negligible", 0.2, "supported"]`.

    Raises
    ------
    ValueError
        Names and edges do not alternate, edges do not rise, a name repeats, or there is no edge.
    """
    names = list(spelled[0::2])
    edges = list(spelled[1::2])
    if len(spelled) < 3 or len(spelled) % 2 == 0:
        raise ValueError("bands alternate name, edge, name, ... and need at least one edge")
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError("every odd place in bands is a name, in quotes")
    if any(isinstance(edge, str | bool) for edge in edges):
        raise ValueError("every even place in bands is an edge, a number without quotes")
    if len(set(names)) != len(names):
        raise ValueError("two bands share a name")
    numbers = [float(edge) for edge in edges]
    if any(low >= high for low, high in pairwise(numbers)):
        raise ValueError(f"edges must rise from left to right, found {numbers}")
    lowers = [None, *numbers]
    uppers = [*numbers, None]
    return Bands(
        bands=tuple(
            Band(name=str(name), lower=low, upper=high) for name, low, high in zip(names, lowers, uppers, strict=True)
        )
    )
