"""`results.json`: every number a report may print, undefined ones null with a reason beside them."""

from __future__ import annotations

from typing import Any, Literal

from seedlock.analysis.results.anytime import AnytimeResult
from seedlock.analysis.results.audit import AuditResult
from seedlock.analysis.results.cell import CellResult
from seedlock.analysis.results.dose import DoseResult
from seedlock.analysis.results.inside import InsideResult
from seedlock.analysis.results.judge import AgreementResult, JudgeResult
from seedlock.analysis.results.judge_error import JudgeErrorResult
from seedlock.analysis.results.multiverse import MultiverseResult
from seedlock.analysis.results.part import Part
from seedlock.analysis.results.posterior import BayesResult, EffectSize
from seedlock.analysis.results.replication import ReplicationResult
from seedlock.prereg.base.canonical import canonical_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import is_regular, read_regular
from seedlock.prereg.errors import OutOfOrder
from seedlock.prereg.lock.gate import Status


class BandResult(Part):
    """One band, and what the data say of it."""

    name: str
    lower: float | None
    upper: float | None
    excluded: bool | None
    p: float | None
    posterior: float | None
    posterior_new_seed: float | None


class SoftwareResult(Part):
    """A library that ran, and what it did."""

    name: str
    version: str
    did: str


class SecondOpinion(Part):
    """The same estimand by another method, for the reader who wonders."""

    method: str
    estimate: float | None
    ci: tuple[float, float] | None
    note: str


class HypothesisResult(Part):
    """One hypothesis, promised and found. Numbers are on `scale`; `unit_text` says in what unit.

    `estimate` is null where the hypothesis is not testable, and `reasons` says why.
    `bounds` holds the verdict with every missing answer at its worst, both ways. `units_per_level` counts the units of
    each level with weight. `drawn_once` names stages by which the levels differ and that were trained once for all
    units of a level; `replicated` says what varied between units then. `answers` says what every level owes
    and lacks; `is_bounded` is null where nothing is missing. `pairs_lost` are units left out of a paired test for want
    of an answer at some level. With `dose` each of `units` has the `number` that it stands at.
    """

    id: str
    claim: str
    measure: str
    contrast: dict[str, float] | None
    over: str
    where: dict[str, Any]
    items: str | None
    role: Literal["confirmatory", "exploratory"]
    family: str | None
    test: str
    scale: str
    unit_text: str
    unit: str
    n_units: int | None
    predicted: str
    alpha: float
    estimate: float | None
    se: float | None
    df: float | None
    ci: tuple[float, float] | None
    ci_level: float
    ci_method: str | None
    assumes: str
    unit_sd: float | None
    unit_sd_after_noise: float | None
    unit_sd_ci: tuple[float, float] | None = None
    unit_sd_ci_says: str | None = None
    overdispersion: float | None
    next_unit_ci: tuple[float, float] | None
    next_unit_says: str | None = None
    p_value: float | None
    p_adjusted: float | None
    alpha_in_family: float | None
    bands: list[BandResult]
    verdict: list[str]
    decision: str
    units: list[dict[str, Any]]
    bounds: list[dict[str, Any]]
    second_opinions: list[SecondOpinion]
    bayes: BayesResult | None
    reasons: list[str]
    reason_codes: list[str] = []
    as_deviated: dict[str, Any] | None = None
    is_proportion: bool | None = None
    units_per_level: dict[str, int] = {}
    drawn_once: list[str] = []
    replicated: str | None = None
    effect_sizes: list[EffectSize] = []
    answers: list[LevelAnswers] = []
    is_bounded: bool | None = None
    pairs_lost: list[str] = []
    judge_error: JudgeErrorResult | None = None
    anytime: AnytimeResult | None = None
    dose: DoseResult | None = None


class ClaimResult(Part):
    """A composite claim: `holds` is null where a member is not testable or undecided."""

    id: str
    says: str
    rule: Literal["all_of", "any_of"]
    members: list[str]
    p_value: float | None
    decision: Literal["supported", "not supported", "undecided", "not testable"]
    reasons: list[str]


class Correlation(Part):
    """A gate's measure beside a hypothesis's, over the runs that have both: `r`, and `r_within` its levels.

    Null where a measure does not vary, with the reason.
    """

    hypothesis: str
    n: int
    r: float | None
    r_within: float | None
    reason: str | None = None


class GateResult(Part):
    """A gate of the plan and whether it held."""

    name: str
    need: str
    verdict: list[str]
    estimate: float | None
    ci: tuple[float, float] | None
    passed: bool | None
    reasons: list[str]
    correlations: list[Correlation] = []


class DeviationResult(Part):
    """A declared departure, as the ledger has it."""

    pointer: str
    before: Any
    after: Any
    reason: str
    effect: str
    hypotheses: list[str]
    at: str


class InputResult(Part):
    """A sealed file that the numbers came from."""

    table: str
    path: str
    sha256: str
    rows: int


class LookResult(Part):
    """The planned look that this analysis is, and whether the plan goes on after it.

    Parameters
    ----------
    place, seeds
        Which look it is, from 1, and seeds an arm that it has.
    goes_on
        Whether the next look is carried out, at `next_seeds`; null after the last.
    at_will
        Looks are valid at any time: the study may end here, or go on.
    hypotheses, undecided
        Hypotheses that decide it, and the bands that must all be left for the plan to go on; empty where the next look
        has no condition.
    estimate_in
        Ends between which the estimate must lie for the plan to go on; null where bands decide.
    """

    place: int
    seeds: int
    goes_on: bool | None = None
    at_will: bool = False
    next_seeds: int | None = None
    hypotheses: list[str] = []
    undecided: list[str] = []
    estimate_in: list[float] | None = None


class NearCopies(Part):
    """Answers of two runs of one model and arm, question by question: shares that are equal, and nearly so."""

    runs: tuple[str, str]
    n: int
    equal: float
    near: float


class LevelAnswers(Part):
    """Answers that one level of a hypothesis owes: those scored, and those missing by reason.

    `owed` and `scored` are null where only published means are known.
    """

    level: str
    owed: int | None
    scored: int | None
    missing: int
    reasons: dict[str, int]


class ArmAnswers(Part):
    """Answers that one arm owes to one measure.

    `share_of_scored` is of the answers that were scored, all counted alike; `ties` of them are neither one thing nor
    the other, and `share_without_ties` leaves those out. Null for measures that are no rates, or know no ties.
    """

    measure: str
    arm: str
    owed: int | None
    scored: int | None
    missing: int
    reasons: dict[str, int]
    share_of_scored: float | None
    ties: int | None
    share_without_ties: float | None


class Accounting(Part):
    """Runs and answers planned, done, missing, excluded: nothing swept away.

    Runs not due belong to a later planned look, which may never be called for; they are not missing.
    """

    runs_planned: int
    runs_with_data: int
    runs_not_due: int = 0
    runs_missing: list[str]
    answers: int | None
    answers_missing: dict[str, int]
    by_arm: list[ArmAnswers] = []
    owed_basis: list[str] = []
    quarantined: dict[str, int]
    looks_planned: int
    looks_used: int
    look: LookResult | None = None
    amendments: int
    near_copies: list[NearCopies] = []

    @property
    def has_stopped(self) -> bool:
        """Whether the plan's rule ends the study before the last look."""
        return self.look is not None and self.look.goes_on is False


class Limit(Part):
    """What keeps the confidence in a headline from being higher: its kind, the number behind it, and by how many steps.

    `value` is null where the limit is not a number. `hypotheses` are those of the headline that it touches; empty where
    it touches the study.
    """

    code: str
    says: str
    value: float | None
    hypotheses: list[str]
    steps: Literal[1, 2]


type Outcome = Literal["as predicted", "not as predicted", "inconclusive", "not testable"]


class Tally(Part):
    """How many hypotheses of one role came out one way."""

    role: Literal["confirmatory", "exploratory"]
    outcome: Outcome
    n: int


class Answer(Part):
    """The report's first words, made from the verdicts.

    `confidence` is in the decision on the headline; `grounds` speak for it, and `limits` lower it, in words `reasons`.
    An open headline has none, and its `reasons` say what would settle it. `tally` counts every hypothesis once.
    """

    sentences: list[str]
    confidence: Literal["high", "moderate", "low", "none"]
    reasons: list[str]
    grounds: list[str] = []
    limits: list[Limit] = []
    tally: list[Tally] = []


class Numbers(Part):
    """What is decided from sealed data: results.json without the words that follow from it."""

    study: str
    title: str
    question: str
    lock_id: str
    lock_n: int
    status: Status
    status_reasons: list[str]
    hypotheses: list[HypothesisResult]
    claims: list[ClaimResult]
    cells: list[CellResult]
    gates: list[GateResult]
    deviations: list[DeviationResult]
    accounting: Accounting
    samples: list[dict[str, Any]]
    training_examples: list[dict[str, Any]] = []
    inputs: list[InputResult]
    known: list[str] = []
    caveats: list[str] = []
    next_steps: list[str] = []
    multiverse: list[MultiverseResult] = []
    inside: list[InsideResult] = []
    judges: list[JudgeResult] = []
    audit: AuditResult | None = None
    replication: ReplicationResult | None = None
    agreements: list[AgreementResult] = []
    software: list[SoftwareResult] = []


class Results(Numbers):
    """The whole of results.json.

    `check_page_sha256` is the digest of the page `check.html` that came with the tool which built the report;
    empty in reports that were built before there was one.
    """

    tool_version: str
    check_page_sha256: str = ""
    answer: Answer
    cannot_know: list[str]

    def to_bytes(self) -> bytes:
        """Canonical JSON and one line feed."""
        return canonical_json(self.model_dump(mode="json")) + b"\n"


def read_results(paths: StudyPaths) -> Results:
    """The results of a study's last analysis.

    Raises
    ------
    OutOfOrder
        It has not been analysed yet.
    """
    file = paths.report / "results.json"
    if not is_regular(file):
        raise OutOfOrder(f"{paths.name} has no results yet", then=f"seedlock analyze {paths.name}")
    return Results.model_validate_json(read_regular(file))
