"""What `results.json` says of a replication beside its original."""

from __future__ import annotations

from seedlock.analysis.results.part import Part


class ReplicatedHypothesis(Part):
    """One hypothesis, as the original found it, promised it, and as it was found again; numbers on its scale.

    `promise` is where the original's estimate says that the replication's would fall, as it was locked; null with its
    `reason` where the original gives none. `is_consistent` is whether it fell there. `difference` is replication minus
    original, with an interval over the seeds of both at the level of the promise.
    """

    id: str
    original_estimate: float | None
    original_ci: tuple[float, float] | None
    original_decision: str
    original_n_units: int | None
    promise: tuple[float, float] | None
    reason: str | None
    is_consistent: bool | None
    difference: float | None
    difference_ci: tuple[float, float] | None
    difference_df: float | None
    same_verdict: bool | None


class ReplicationResult(Part):
    """The original, and every hypothesis side by side. `changes` are keys of the plan that say something else."""

    study: str
    lock_id: str
    results_sha256: str
    status: str
    level: float
    changes: list[str]
    hypotheses: list[ReplicatedHypothesis]
    consistent: int
    compared: int
