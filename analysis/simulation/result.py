"""What a simulation found, as data: every rate with its Monte Carlo error, and everything that was assumed."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.prereg.base.canonical import canonical_json


class Part(BaseModel):
    """Part of simulation.json: frozen, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Measured(Part):
    """A rate or a mean over `n` simulated studies with its Monte Carlo standard error; null where n is 0."""

    value: float | None
    mc_error: float | None
    n: int


class Verdict(Part):
    """A set of bands left, and how often studies end with it."""

    left: list[str]
    probability: Measured


class TargetRow(Part):
    """One hypothesis (or gate) in one scenario at one point of the grid. Numbers are on the hypothesis's own scale.

    Parameters
    ----------
    error
        The true band is excluded.
    power
        The predicted band is the only one left, and every gate before it holds.
    coverage, width
        Of the interval at the level matching alpha, where there is an answer.
    refused
        The estimator gives no answer.
    reason
        Why there are no numbers; null otherwise.
    alpha
        What `error` is promised to stay within.
    gates_open, error_given_open
        Studies in which every gate before the hypothesis holds, and the error among those; null without gates.
    """

    id: str
    kind: Literal["hypothesis", "gate"]
    scenario: str
    point: int
    truth: float | None
    true_band: str | None
    error: Measured | None
    power: Measured | None
    coverage: Measured | None
    width: Measured | None
    refused: Measured | None
    verdicts: list[Verdict]
    reason: str | None
    alpha: float | None = None
    gates_open: Measured | None = None
    error_given_open: Measured | None = None


class RuleRow(Part):
    """A claim that ends supported, or a family any member of which ends in its predicted band falsely: how often.

    `alpha` is what the rate is promised to stay within: null where the claim is true, and for a family whose method
    does not bound the rate of any false claim.
    """

    id: str
    kind: Literal["claim", "family"]
    scenario: str
    point: int
    rate: Measured | None
    reason: str | None
    alpha: float | None = None


class Worst(Part):
    """The worst that one promise comes to anywhere on the grid.

    Parameters
    ----------
    what
        Which promise: the error of a hypothesis, that error where its gates hold, a claim supported falsely, any false
        claim of a family, or the coverage of an interval.
    promised
        What `rate` should stay within; for coverage, reach.
    is_broken
        It does not, beyond Monte Carlo error: with no promise broken anywhere, one is called broken 1 time in 100.
    """

    id: str
    what: Literal["error", "error given open gates", "false claim", "false claim in family", "coverage"]
    scenario: str
    point: int
    promised: float
    rate: Measured
    is_broken: bool


class LookRow(Part):
    """How many studies go as far as a look, in one scenario at one point."""

    seeds: int
    scenario: str
    point: int
    reached: Measured


class SeedsNeeded(Part):
    """Fewest seeds an arm with the wanted power in the expected scenario, all seeds at one look.

    `power` is that at `seeds`; both are null with a `reason` where the search found none.
    """

    id: str
    point: int
    seeds: int | None
    power: Measured | None
    reason: str | None


class Assumed(Part):
    """One number the simulation rests on, and where it came from."""

    what: str
    value: Any
    source: Literal["plan", "item files", "default"]


class NotSimulated(Part):
    """Something that decides in this plan and that no rate of its simulation covers: what, for which ids, and how far.

    `gate-held-open` and `audit-held-open`: taken to pass. `scale-known`: an SD scale without its error.
    `labels-as-error`: gold labels as the error they make. `fewer-studies`: covered, in the first studies only.
    """

    code: Literal[
        "lost-runs",
        "posteriors",
        "gate-held-open",
        "audit-held-open",
        "scale-known",
        "labels-as-error",
        "fewer-studies",
        "row-filters",
    ]
    where: str
    says: str


class Share(Part):
    """How often the central 80% of a posterior held one quantity's truth."""

    name: str
    inside_80: float


class LookCost(Part):
    """One hypothesis under one way to look, its study stopping as soon as every hypothesis is decided.

    Parameters
    ----------
    way
        As planned ("anytime"), with alpha spent over the same looks, or at one look with all seeds.
    seeds
        Seeds an arm that a study uses, on average.
    """

    id: str
    scenario: str
    point: int
    way: Literal["anytime", "obrien-fleming", "one look"]
    seeds: Measured
    error: Measured | None
    power: Measured | None


class LabelsNeeded(Part):
    """Fewest gold labels a run with the wanted power in the expected scenario, at the planned seeds.

    Parameters
    ----------
    planned
        Level -> labels a run that the plan draws.
    labels, total, power
        A run, over all runs of the hypothesis, and the power there; null with a `reason` where no number is enough.
    judge_shift
        How far the judge's own estimate would be off, on the hypothesis's scale; null for measures that are no rates.
    """

    id: str
    point: int
    planned: dict[str, int]
    labels: int | None
    total: int | None
    power: Measured | None
    judge_shift: float | None
    reason: str | None


class CalibrationRow(Part):
    """Simulation-based calibration of one planned hierarchy: the truth is as often in the posterior as that says.

    Parameters
    ----------
    ids
        Hypotheses that this hierarchy answers.
    simulations, unsound, refused
        Data sets fitted, those of them that failed a gate, and those that the engine refused.
    p_values
        Quantity -> chi-square test of uniform ranks.
    is_calibrated
        None with a `reason` where it was not simulated.
    """

    ids: list[str]
    design: str | None = None
    simulations: int = 0
    unsound: int = 0
    refused: int = 0
    p_values: dict[str, float] = {}
    shares: list[Share] = []
    is_calibrated: bool | None = None
    reason: str | None = None


class SimulationResult(Part):
    """A simulated design. `points` gives each measure's seed SD at every point of the grid, the greatest of its arms'.

    `arms_at` gives each point's SDs by measure and arm where arms differ, and is empty where none do. `worst` is the
    worst of every promise over the grid, `findings` those that are broken, in words. In version 1 gates were tested and
    held nothing back: power, verdicts, claims, families and looks took them as open.
    `plan_sha256` is the digest of the plan's bytes it was made for; null where there were none.
    """

    version: Literal[2] = 2
    study: str | None
    plan_sha256: str | None
    seed: int
    simulations: int
    one_by_one: int
    points: list[dict[str, float]]
    looks: list[dict[str, Any]]
    assumed: list[Assumed]
    rows: list[TargetRow]
    rules: list[RuleRow]
    reached: list[LookRow]
    seeds_needed: list[SeedsNeeded]
    wanted_power: float
    not_simulated: list[NotSimulated]
    calibration: list[CalibrationRow] = []
    arms_at: list[dict[str, dict[str, float]]] = []
    worst: list[Worst] = []
    findings: list[str] = []
    labels_needed: list[LabelsNeeded] = []
    look_costs: list[LookCost] = []

    def to_bytes(self) -> bytes:
        """Canonical JSON and one line feed."""
        return canonical_json(self.model_dump(mode="json")) + b"\n"

    def row(self, identity: str, scenario: str, point: int = 0) -> TargetRow:
        """The row of one target in one scenario.

        Raises
        ------
        KeyError
            There is none.
        """
        for row in self.rows:
            if (row.id, row.scenario, row.point) == (identity, scenario, point):
                return row
        raise KeyError((identity, scenario, point))


def share(hits: int, n: int) -> Measured:
    """A share of `n` with its standard error at (hits + 1) / (n + 2): no error of 0 for a rate of 0 or 1."""
    if n == 0:
        return Measured(value=None, mc_error=None, n=0)
    p = (hits + 1) / (n + 2)
    return Measured(value=hits / n, mc_error=_digits(math.sqrt(p * (1 - p) / n)), n=n)


def mean_of(values_K: FloatArray) -> Measured:
    """Mean and its standard error, to ten digits: the same on every machine."""
    n = len(values_K)
    if n == 0:
        return Measured(value=None, mc_error=None, n=0)
    error = float(np.std(values_K, ddof=1)) / math.sqrt(n) if n > 1 else None
    return Measured(
        value=_digits(math.fsum(values_K.tolist()) / n), mc_error=None if error is None else _digits(error), n=n
    )


def _digits(value: float) -> float:
    return float(f"{value:.10g}")
