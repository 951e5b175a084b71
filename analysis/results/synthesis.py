"""`results.json` of a synthesis: the effects that were pooled, what was not, and what they say together."""

from __future__ import annotations

from seedlock.analysis.results.part import Part
from seedlock.prereg.base.canonical import canonical_json
from seedlock.prereg.lock.gate import Status


class PooledEffect(Part):
    """One estimate as its study's report gives it, turned round where the plan says `times = -1`.

    `se` and `df` are over the study's seeds. `weight` is its share of the mean. `was_known`: somebody had looked at the
    study's data when the synthesis was locked. `amended`: the study was, since then.
    """

    name: str
    study: str
    hypothesis: str
    claim: str
    lock_id: str
    status: Status
    decision: str
    results_sha256: str
    was_known: bool
    amended: bool
    n_units: int | None
    estimate: float
    se: float
    df: float | None
    ci: tuple[float, float]
    weight: float


class LeftOut(Part):
    """An effect of the plan that is not in the mean, and why."""

    name: str
    study: str
    hypothesis: str
    why: str


class RegisteredStudy(Part):
    """A locked study of the repository: what became of it, and whether the synthesis takes effects from it."""

    study: str
    state: str
    is_pooled: bool


class MeanBand(Part):
    """One band, and what the mean over studies says of it."""

    name: str
    lower: float | None
    upper: float | None
    excluded: bool | None
    p: float | None


class OtherMean(Part):
    """The same effects pooled another way."""

    method: str
    estimate: float
    ci: tuple[float, float]
    note: str


class Spread(Part):
    """How far the true effects differ: `tau` is their SD, in the effects' unit, with Q-profile intervals.

    `prediction` holds the true effect of one more with the level of the interval; null with two, `says` why.
    """

    tau: float
    tau_ci: tuple[float, float]
    i2: float
    i2_ci: tuple[float, float]
    q: float
    q_df: int
    q_p: float
    prediction: tuple[float, float] | None
    prediction_df: int | None
    says: str


class SynthesisResults(Part):
    """The whole of results.json of a synthesis. Numbers of the mean are null where it is not testable."""

    synthesis: str
    title: str
    question: str
    include: str
    of: str
    claim: str
    predicted: str
    lock_id: str
    lock_n: int
    status: Status
    status_reasons: list[str]
    unit_text: str
    is_proportion: bool
    is_difference: bool
    effects: list[PooledEffect]
    left_out: list[LeftOut]
    registered: list[RegisteredStudy]
    silent: list[str]
    """Locked studies without a report that counts: never reported, withdrawn, or removed."""
    k: int
    estimate: float | None
    se: float | None
    df: int | None
    ci: tuple[float, float] | None
    ci_level: float
    ci_method: str
    p_value: float | None
    alpha: float
    bands: list[MeanBand]
    verdict: list[str]
    decision: str
    spread: Spread | None
    others: list[OtherMean]
    reasons: list[str]
    sentences: list[str]
    known: list[str]
    caveats: list[str]
    amendments: int
    looks_used: int
    cannot_know: list[str]
    tool_version: str

    def to_bytes(self) -> bytes:
        """Canonical JSON and one line feed."""
        return canonical_json(self.model_dump(mode="json")) + b"\n"
