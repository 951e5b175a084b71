"""What an estimator is given and what it gives back: the two shapes every plan test shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seedlock.prereg.errors import EmptyCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of the contrasted factor (usually an arm), reduced to its replication units.

    Parameters
    ----------
    name
        The level, as the plan names it.
    weight
        Its weight in the contrast; 1 for a plain mean.
    unit_means
        Unit label -> mean of the measure over that unit's items, each item weighing the same.
        A unit is whatever the plan replicates: a seed, an induction persona, a question.
    unit_n
        Unit label -> scored answers behind its mean; empty where not known.
    k, n
        Successes and scored answers, summed over the level; None where the measure is not a count
        or the counts are not known.
    cluster_k, cluster_n
        Item label -> successes and scored answers (several completions an item), where known.
    cluster_means
        Item label -> mean of the measure there, each run x item weighing the same; empty where not known.
    n_runs
        Runs whose answers the level holds; None where not known.
    cells
        (unit label, item label) -> mean of the measure there, for methods that cross units with items;
        empty where not known. A unit's `unit_means` entry is the mean of its cells.
    unit_x
        Unit label -> number that it stands at, in steps of the slope: its dose, or its own mean of a covariate. Empty
        where nothing is said.
    """

    name: str
    weight: float
    unit_means: Mapping[str, float]
    unit_n: Mapping[str, int] = field(default_factory=dict)
    k: int | None = None
    n: int | None = None
    cluster_k: Mapping[str, int] = field(default_factory=dict)
    cluster_n: Mapping[str, int] = field(default_factory=dict)
    cluster_means: Mapping[str, float] = field(default_factory=dict)
    n_runs: int | None = None
    cells: Mapping[tuple[str, str], float] = field(default_factory=dict)
    unit_x: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.unit_means:
            raise EmptyCell(f"no scored answer for level {self.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Everything one hypothesis is estimated from.

    Parameters
    ----------
    levels
        The contrasted levels; the estimand is the weighted sum of their means.
    unit
        The unit of replication in the plan's words ("seed", "induction", "question").
    is_proportion
        True where unit means lie in [0, 1] because the measure is a yes/no rate.
    limits
        Least and greatest value of a unit mean; [0, 1] for a rate, None where the measure has no ends.
    are_strangers
        Units of one name at two levels share nothing, by the plan; otherwise they are one cluster.
    """

    levels: tuple[Level, ...]
    unit: str
    is_proportion: bool
    limits: tuple[float, float] | None = None
    are_strangers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTest:
    """The two one-sided tests at one band edge.

    Parameters
    ----------
    edge
        On the raw scale of the measure.
    p_above
        p-value against "the estimand is <= edge"; small when the data say it lies above.
    p_below
        p-value against "the estimand is >= edge".
    t
        (estimate - edge) / se, where both p are tails of one t distribution; None for other methods.
    """

    edge: float
    p_above: float
    p_below: float
    t: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate with the interval and edge tests that belong to it.

    Parameters
    ----------
    estimate, ci_low, ci_high
        On the raw scale of the measure.
    ci_level
        Two-sided confidence level, 0.95 say.
    ci_method
        The method in words, printed beside the interval.
    n_units
        Replication units that carry the inference, over all levels (pairs count once).
    se, df
        Standard error and degrees of freedom; None where the method has none (Wilson).
    unit_sd
        Sample SD between units (pooled over levels where the method pools); None with one unit.
    prediction, prediction_says
        Interval for the mean of one new unit at `ci_level`, where the method defines it; and whether the noise of that
        unit's own answers is in it.
    edges
        One entry an edge asked for, in the order asked.
    assumes
        What the interval is conditional on, in plain words ("conditional on this run").
    """

    estimate: float
    ci_low: float
    ci_high: float
    ci_level: float
    ci_method: str
    n_units: int
    edges: tuple[EdgeTest, ...]
    se: float | None = None
    df: float | None = None
    unit_sd: float | None = None
    prediction: tuple[float, float] | None = None
    prediction_says: str = ""
    assumes: str = ""
