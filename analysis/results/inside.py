"""What `results.json` says of the inside of one base model and its runs; figures are drawn from it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    """Frozen, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class LayerResult(_Part):
    """How well one layer tells the poles apart on texts held out; `is_chosen` marks the direction's layer."""

    layer: int
    accuracy: float
    log_loss: float
    is_chosen: bool


class ProjectionResult(_Part):
    """Mean projection of one arm at one layer and checkpoint, less that of the unmodified model, over seeds.

    In units of the residual stream. `ci` is a 95% t interval over seeds, null with fewer than two.
    """

    arm: str
    layer: int
    checkpoint: float | None
    n_seeds: int
    shift: float
    ci: tuple[float, float] | None


class DoseResult(_Part):
    """One dose: what the true direction and the controls made of the gap on the items judged, and fluency.

    `rise` is the relative rise of perplexity under the true direction, the larger of both signs.
    """

    dose: float
    effect: float | None
    controls_low: float | None
    controls_high: float | None
    rise: float | None
    is_fluent: bool
    is_chosen: bool


class RankResult(_Part):
    """What the true direction and each control made or took of the gap, mean over seeds and items."""

    operation: Literal["add", "ablate"]
    gap: float | None
    true: float | None
    random: list[float]
    shuffled: list[float]


class PatchResult(_Part):
    """Share of the gap that streams of one layer and position carry, mean over seeds; null where the gap is 0."""

    layer: int
    position: str
    share: float | None


class WeightResult(_Part):
    """Weight changes of one arm: mean effective rank, and the share written along the direction beside controls."""

    arm: str
    n_seeds: int
    effective_rank: float | None
    alignment: float | None
    alignment_random: float | None
    alignment_shuffled: float | None


class GeometryResult(_Part):
    """Cosines between centroids of the unmodified model at one layer, row by row in the order of `groups`."""

    layer: int
    groups: list[str]
    cosines: list[list[float]]


class LeakResult(_Part):
    """Spearman correlation, over groups, of a measure with the distance to the reference: mean over seeds of one arm.

    Distance is 1 less the cosine in the unmodified model. `ci` is a 95% t interval over seeds, null with fewer than
    two; `rho` is null with a reason where no run has one.
    """

    arm: str
    layer: int
    measure: str
    reference: str
    n_groups: int
    n_seeds: int
    rho: float | None
    ci: tuple[float, float] | None
    reason: str | None


class InsideResult(_Part):
    """One base model. Every list is empty where the plan did not ask."""

    model: str
    layer: int | None
    n_high: int | None
    n_low: int | None
    probe_unit: str
    floor: float | None
    layers: list[LayerResult]
    projections: list[ProjectionResult]
    doses: list[DoseResult]
    ranks: list[RankResult]
    patches: list[PatchResult]
    weights: list[WeightResult]
    geometry: list[GeometryResult]
    leaks: list[LeakResult]
