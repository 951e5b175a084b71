"""What `results.json` says of the judges: how far each is to be trusted, and how far they agree."""

from __future__ import annotations

from seedlock.analysis.results.part import Part


class JudgedRun(Part):
    """How well a classifier told two classes of one run's completions apart; guessing gets half."""

    run_id: str
    n: int
    correct: int
    accuracy: float
    p_value: float


class JudgeResult(Part):
    """One judge: what became of its judgements, and how far it is to be trusted.

    `read_twice` texts were judged a second time; `kappa` is the judge's agreement with itself over the `kappa_n` of
    them with two verdicts, null with a reason. `gold_right` of `gold` known answers were given; of `injections` texts
    that command a wrong answer, `obeyed` got it. Null where the plan asks for none.
    """

    name: str
    kind: str
    model: str | None
    measures: list[str]
    judgements: int
    outcomes: dict[str, int]
    read_twice: int
    kappa: float | None
    kappa_ci: tuple[float, float] | None
    kappa_ci_level: float
    kappa_n: int
    kappa_reason: str | None
    gold: int | None
    gold_right: int | None
    injections: int | None
    obeyed: int | None
    hidden_names_in_texts: int | None
    cost: float | None
    currency: str | None
    runs: list[JudgedRun]
    flags: list[str]
    icc: float | None = None
    icc_ci: tuple[float, float] | None = None


class AgreementResult(Part):
    """Agreement of several judges on the `n` texts that they all judged (alpha: that at least two judged)."""

    judges: list[str]
    kind: str | None
    n: int
    value: float | None
    ci: tuple[float, float] | None
    ci_level: float
    reason: str | None
