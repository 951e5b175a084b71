"""What `results.json` says of a hypothesis beside its test: the Bayesian seed hierarchy, and effect sizes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from seedlock.analysis.results.part import Part


class BayesResult(Part):
    """The Bayesian seed hierarchy's answer to one hypothesis, on the scale of the hypothesis.

    `reason` says why the numbers are null where the model was refused or failed its gates. `formula` and `priors` are
    the model as bambi states it, for the levels that the hypothesis weighs; `engine` is what sampled it. `run_sd` says
    whether units of all levels have one SD, and `run_sd_reason` what the plan's rule went by. `unit_sd` is the SD of
    the hypothesis's number between new units.
    """

    model: str
    likelihood: str | None = None
    engine: Literal["seedlock", "bambi"] | None = None
    formula: str | None = None
    priors: dict[str, str] = Field(default_factory=dict)
    run_sd: Literal["shared", "by level"] | None = None
    run_sd_reason: str | None = None
    estimate: float | None = None
    ci: tuple[float, float] | None = None
    ci_level: float | None = None
    new_unit_ci: tuple[float, float] | None = None
    p_predicted: float | None = None
    p_predicted_new_seed: float | None = None
    band_posteriors: dict[str, float] = Field(default_factory=dict)
    band_posteriors_new_unit: dict[str, float] = Field(default_factory=dict)
    unit_sd: float | None = None
    unit_sd_ci: tuple[float, float] | None = None
    icc: float | None = None
    diagnostics: dict[str, float | int | None] = Field(default_factory=dict)
    sensitivity: list[dict[str, float | str | None]] = Field(default_factory=list)
    power_scaling: dict[str, Any] | None = None
    predictive_checks: list[dict[str, float | str | None]] = Field(default_factory=list)
    left_out: list[dict[str, float | int | str | None]] = Field(default_factory=list)
    draws_file: str | None = None
    gates_passed: bool | None = None
    reason: str | None = None


class EffectSize(Part):
    """The hypothesis's difference in units of a named SD; null with a reason where it is undefined.

    Parameters
    ----------
    kind
        Cohen's d, Hedges' g, Glass' delta, d_z of paired units, or the estimate in SDs of items or completions.
    sd_of
        What the SD is between.
    sd, sd_df
        The SD in the measure's unit, and its degrees of freedom.
    """

    kind: Literal["d", "g", "glass", "dz", "standardised"]
    sd_of: str
    value: float | None
    ci: tuple[float, float] | None
    ci_level: float
    sd: float | None
    sd_df: float | None
    ci_method: str | None
    reason: str | None = None
