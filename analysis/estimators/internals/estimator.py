"""What an estimator's file says of it: the one record that every other part of the package reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote

from seedlock.analysis.estimators.internals.many_studies import Many, ManyLevels
from seedlock.analysis.estimators.internals.sample import Estimate, Sample

type Family = Literal[
    "t on unit means",
    "t on item means",
    "t on logits of unit rates",
    "cluster-robust",
    "mixed model",
    "randomisation",
    "ranks",
    "ratio of unit means",
    "binomial",
    "regression",
    "rank correlation",
]
"""Methods of one family share what they estimate and what they assume to vary."""


class Method(Protocol):
    """Arrays in, one `Estimate` out, or a typed `Refusal`."""

    def __call__(self, sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
        """Estimate at confidence `level`, and test every edge."""


class Simulate(Protocol):
    """The same method on K studies at once; a test holds its numbers equal to the method's own."""

    def __call__(
        self,
        levels: Sequence[ManyLevels],
        *,
        level: float,
        edges: Sequence[float],
        limits: tuple[float, float],
    ) -> Many:
        """Estimate in every study; no answer where the method refuses. Raises `NotThisDesign` where it always does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a method is written down; exactly one of `doi` and `link` is given."""

    text: str
    doi: str = ""
    link: str = ""

    @property
    def url(self) -> str:
        """Its address; brackets of old DOIs are escaped, which HTML and Markdown both read."""
        return self.link or f"https://doi.org/{quote(self.doi, safe='/:;.-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLevel:
    """One level of a planned contrast: its weight, and how many units it will have."""

    weight: float
    n_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallestP:
    """The smallest one-sided p that a test by counting can have in a design, and of how many, in words."""

    p: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Why a method is shown beside the planned one.

    Parameters
    ----------
    note
        Printed with its interval.
    is_equal_when_balanced
        True where without gaps in the design it gives the planned interval to the last digit.
    """

    note: str
    is_equal_when_balanced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """A test that a plan can name, and all that plan checks, simulation, report and second opinions need of it.

    Parameters
    ----------
    run
        Estimates one hypothesis.
    family
        What kind of method it is.
    says
        What it does, in one clause without numbers, for the method section.
    source
        Where it is written down.
    is_paired
        Units are matched by name across the levels: the same run, seed or item at each.
    spread
        "one" where it takes the spread between units as the same at every level (in its variance, its df, or as what is
        exchangeable), "own" where each level keeps its own; None where units are matched or nothing is contrasted.
    simulate
        The method on many simulated studies at once; None where studies are estimated one by one.
    not_simulated
        Why its error rates are not simulated; empty where they are.
    unit_of_estimate
        Unit of its estimate from the names of the levels of positive and of negative weight; None where that is the
        measure's own.
    smallest_p
        The smallest p that it can have, by the levels' names; None for a design that it refuses, or where `None`
        itself stands, for a method whose p has no floor.
    reads
        "dose" where it needs the number that every unit stands at, "covariate" where it needs one to adjust for; None
        where the levels' weights are all.
    pull
        How much each unit mean moves the estimate, level by level, where that is not the level's weight alone.
    beside
        Whether, and with what note, it is a second opinion on a sample that another method estimates.
    """

    run: Method
    family: Family
    says: str
    source: tuple[Source, ...]
    is_paired: bool = False
    spread: Literal["one", "own"] | None = None
    simulate: Simulate | None = None
    not_simulated: str = ""
    unit_of_estimate: Callable[[str, str], str] | None = None
    smallest_p: Callable[[Mapping[str, PlannedLevel]], SmallestP | None] | None = None
    reads: Literal["dose", "covariate"] | None = None
    pull: Callable[[Sample], Mapping[str, Mapping[str, float]]] | None = None
    beside: Callable[[Estimator, Sample], Beside | None] | None = None
