"""The plan: what a researcher promises, as typed and frozen data.

Every class here is one table of `plan.toml`. Nothing in a plan is ever evaluated as code: the words that
choose a method (`test`, `bayes`, `kind`) are keys of plain tables elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from seedlock.prereg.plan.audit import AUDIT, Audit
from seedlock.prereg.plan.bands import Bands, parse_bands
from seedlock.prereg.plan.design import Design, Look, Multiverse, Name, every_look
from seedlock.prereg.plan.doses import Dose
from seedlock.prereg.plan.gold import Gold
from seedlock.prereg.plan.hosted import Hosted
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.imports import Import, Judged
from seedlock.prereg.plan.inside import Inside
from seedlock.prereg.plan.judges import Judge
from seedlock.prereg.plan.original import Original
from seedlock.prereg.plan.rates import Rates
from seedlock.prereg.plan.runs import Arm, Corpus, Decoding, Grid, ItemSet, Model, Stage, Table, Where, listed

BASELINE_ARM = "base"
JUDGE_ERROR = r"^retry [0-9], then (as answers|exclude|exclude and bound)$"


class StudySection(Table):
    """`[study]`: the question, and what the authors had already seen when they wrote the plan."""

    title: str = Field(min_length=1)
    question: str = Field(min_length=1)
    exposure: Literal["none", "pilot", "published"] = "none"
    known: list[str] = []
    caveats: list[str] = []
    next_steps: list[str] = []


class Inference(Table):
    """`[inference]`: to whom the claims speak, and how often they may be wrong.

    `alpha` is the one-sided level of each band's test; the matching interval has level 1 - 2 alpha.
    """

    seeds: Literal["new", "these"]
    items: Literal["new", "these"]
    alpha: float = Field(gt=0, lt=0.5)


class Measure(BaseModel):
    """`[measures.NAME]`: `kind` names a file in `analysis/measures`; the other keys are that kind's own.

    It scores the items that its kind reads; `items` and `where` narrow them to item sets and item attributes. `judge`
    names the judge whose labels and values it scores. `unit` says what its numbers are where the kind does not.
    """

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False, defer_build=True)

    kind: str
    unit: str | None = None
    items: list[Name] = []
    where: Where = {}
    judge: Name | None = None

    @field_validator("items", mode="before")
    @classmethod
    def _one_or_several(cls, items: Any) -> Any:
        return [items] if isinstance(items, str) else items

    @property
    def params(self) -> dict[str, Any]:
        """The kind's own settings, checked by that kind."""
        return dict(self.model_extra or {})


class Sd(Table):
    """`[sd.NAME]`: the standard deviation a scale is expressed in, and where it is frozen.

    Either a `value` with its `source`, or `of` = whose spread: single answers, item means or unit means; an SD that the
    study's own data give carries its error into every test on its scale, and so does a `value` with the `df` behind it.
    `fallback` is the SD to use, with its `source`, where the data turn out to have no spread; without it the scale is
    undefined then.
    """

    value: float | None = Field(default=None, gt=0)
    source: str | None = None
    df: float | None = Field(default=None, ge=1)
    of: Literal["answers", "item means", "unit means"] | None = None
    fallback: float | None = Field(default=None, gt=0)
    measure: Name | None = None
    arm: Name | None = None
    items: Name | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Sd:
        if (self.value is None) == (self.of is None):
            raise ValueError("give either value (with source) or of (with measure and arm)")
        if (self.value is not None or self.fallback is not None) and not self.source:
            raise ValueError("a fixed value needs its source")
        if self.df is not None and self.value is None:
            raise ValueError("df stands beside a value: an SD from the data brings its own")
        if self.value is not None and self.fallback is not None:
            raise ValueError("a fixed value needs no fallback")
        if self.of is not None and (self.measure is None or self.arm is None):
            raise ValueError("of needs measure and arm: whose spread, on what")
        return self


class Estimand(Table):
    """What a hypothesis or a gate estimates, and the bands that its scale is cut into.

    The estimand is the sum over levels of `over` of weight x mean, where the mean is taken over the
    units of replication, each the mean over its items. Without `contrast` it is the plain mean. Where `test` refuses
    the data because units do not differ, `fallback` is the test that decides. A plan that names no `test` gets the
    one that its design asks for when it is read (`default_test`); the lock records it.

    With a `dose` the levels of `over` are numbers and the estimand is the slope over them (a contrast, where the plan
    has the numbers) or a rank correlation. `adjust` names a measure whose unit means a contrast is adjusted for.
    """

    measure: Name
    items: Name | None = None
    where: Where = {}
    over: str = "arm"
    contrast: dict[str, float] | None = None
    dose: Dose | None = None
    adjust: Name | None = None
    per: str | None = None
    unit: str = "seed"
    test: str = ""
    fallback: str | None = None
    bands: list[str | float]
    scale: str = "raw"
    alpha: float | None = Field(default=None, gt=0, lt=0.5)

    @field_validator("bands")
    @classmethod
    def _bands_partition(cls, bands: list[str | float]) -> list[str | float]:
        parse_bands(bands)
        return bands

    @field_validator("contrast")
    @classmethod
    def _contrast_has_weight(cls, contrast: dict[str, float] | None) -> dict[str, float] | None:
        if contrast is not None and not any(contrast.values()):
            raise ValueError("a contrast needs at least one weight that is not zero")
        return contrast

    @model_validator(mode="after")
    def _slope_is_a_contrast(self) -> Self:
        if self.dose is not None:
            self.__dict__["contrast"] = self.dose.contrast_beside(self.contrast)  # frozen from here on
        return self

    @property
    def partition(self) -> Bands:
        """The bands, parsed."""
        return parse_bands(self.bands)


class Hypothesis(Estimand):
    """`[[hypothesis]]`: a claim, the number that decides it, and the band its authors expect."""

    id: Name
    claim: str = Field(min_length=1)
    predicted: str
    bayes: str | None = None
    family: Name | None = None
    role: Literal["confirmatory", "exploratory"] = "confirmatory"
    requires: list[Name] | None = None

    @model_validator(mode="after")
    def _predicts_a_band(self) -> Hypothesis:
        if self.predicted not in self.partition.names:
            raise ValueError(f"predicted = {self.predicted!r} is none of the bands {self.partition.names}")
        return self


class Gate(Estimand):
    """`[gates.NAME]`: a condition on the set of bands left that must hold before hypotheses are tested."""

    need: str

    @model_validator(mode="after")
    def _needs_a_band(self) -> Gate:
        if self.need not in self.partition.names:
            raise ValueError(f"need = {self.need!r} is none of the bands {self.partition.names}")
        return self


class Claim(Table):
    """`[[claim]]`: says something when all (or any) of its hypotheses end in their predicted band.

    With `audited` it rests on the measures that pass the audit: hypotheses on others are left out, and fewer measures
    than the audit needs leave it not testable.
    """

    id: Name
    says: str = Field(min_length=1)
    all_of: list[str] | None = None
    any_of: list[str] | None = None
    audited: bool = False

    @model_validator(mode="after")
    def _one_rule(self) -> Claim:
        if bool(self.all_of) == bool(self.any_of):
            raise ValueError("give either all_of or any_of, with at least one hypothesis")
        return self

    @property
    def members(self) -> list[str]:
        """Ids of the hypotheses named."""
        return self.all_of or self.any_of or []


class Missing(Table):
    """`[missing]`: what happens to answers and runs that never came, or that a row filter leaves out. None is scored.

    `answers`: complete cases only, or also worst-case bounds (a verdict that flips between them is none).
    `runs`: analyse what arrived and disclose it, or refuse to analyse. `judge_error`: how often a judgement that failed
    is asked for again; one that never came is a missing answer. `filter_gap`: how far the shares that a row filter
    leaves out may differ between levels before it warns, or refuses (`filters`).
    """

    answers: Literal["exclude", "exclude and bound"] = "exclude and bound"
    judge_error: str = Field(default="retry 3, then as answers", pattern=JUDGE_ERROR)
    runs: Literal["refuse", "analyse and bound", "analyse and disclose"] = "refuse"
    filter_gap: float = Field(default=0.1, ge=0, le=1)
    filters: Literal["warn", "refuse"] = "warn"

    @property
    def judge_retries(self) -> int:
        """How often a failed judgement is asked for again."""
        return int(self.judge_error.split()[1].rstrip(","))


class Bayes(Table):
    """`[bayes]`: priors and sampler of the seed hierarchy.

    `run_sd`: one SD between runs for all levels that a hypothesis weighs ("shared"), or one each ("by level"). The
    default is one, or one each where one does not make the spread of a level's runs: predictive p outside .025 to .975.
    """

    run_sd_prior: str = "half-normal(1)"
    run_sd: Literal["shared, then by level", "shared", "by level"] = "shared, then by level"
    sensitivity: list[str] = []
    draws: int = Field(default=1000, ge=200)
    chains: int = Field(default=4, ge=2)
    seed: int = 20260101


class Samples(Table):
    """`[samples]`: which completions the report shows: the first `per_cell` of a seeded shuffle."""

    per_cell: int = Field(default=2, gt=0, le=20)
    seed: int
    measure: Name | None = None
    by: list[str] = ["arm"]


class Report(Table):
    """`[report]`: the tables of cells the report shows, each a list of factors, and what answers cluster by.

    `cluster` is an item attribute, or "item": several answers to one item are not independent. `effect_sizes` names the
    SDs in which differences of two levels are also shown: between units of replication, items, or single completions.
    """

    cells: list[list[str]] = [["model", "arm", "seed"]]
    cluster: str = "item"
    effect_sizes: list[Literal["unit", "item", "completion"]] = ["unit"]


class Tolerances(Table):
    """`[tolerances]`: how far a replay may differ. Bayesian numbers carry Monte Carlo error.

    A replay that may differ by more than rounding or sampling error would hold whatever the numbers are.
    """

    absolute: float = Field(default=1e-9, ge=0, le=1e-6)
    relative: float = Field(default=1e-9, ge=0, le=1e-6)
    monte_carlo: float = Field(default=0.05, ge=0, le=0.25)


class Plan(Table):
    """A whole plan, parsed. See `docs/plan.md` for every field with an example."""

    study: StudySection
    original: Original | None = None
    inference: Inference
    models: dict[Name, Model] = Field(min_length=1)
    encoder: Model | None = None
    corpora: dict[Name, Corpus] = {}
    stages: dict[Name, Stage] = {}
    arms: dict[Name, Arm] = Field(min_length=1)
    grid: Grid
    items: dict[Name, ItemSet] = {}
    decoding: Decoding | None = None
    hosted: Hosted | None = None
    measures: dict[Name, Measure] = Field(min_length=1)
    sd: dict[Name, Sd] = {}
    gates: dict[Name, Gate] = {}
    audit: Audit | None = None
    hypothesis: list[Hypothesis] = Field(min_length=1)
    claim: list[Claim] = []
    families: dict[Name, Literal["holm", "dunnett", "bh", "none"]] = {}
    missing: Missing = Missing()
    bayes: Bayes = Bayes()
    samples: Samples | None = None
    report: Report = Report()
    tolerances: Tolerances = Tolerances()
    design: Design = Design()
    look: list[Look] = []
    rates: Rates | None = None
    multiverse: Multiverse | None = None
    inside: Inside | None = None
    import_: Import | None = Field(default=None, alias="import")
    judges: dict[Name, Judge] = {}
    judgements: dict[Name, Judged] = {}
    acknowledge: dict[str, str] = {}

    @model_validator(mode="after")
    def _a_look_at_every_seed(self) -> Plan:
        """One look with the rule "anytime" stands for one at every number of seeds from there to all of the grid."""
        most = max(len(self.grid.seeds_of(model)) for model in self.grid.models) if self.grid.models else 0
        self.__dict__["look"] = every_look(self.look, most)  # frozen from here on
        return self

    @property
    def looks_at_any_time(self) -> bool:
        """Whether looks need no schedule: their tests are valid at every one, and whoever looks may stop."""
        return bool(self.look) and self.look[0].rule == "anytime"

    @property
    def begins_with_audit(self) -> bool:
        """Whether anything rests on the metric audit, so that its items come before all others."""
        needed = any(AUDIT in (hypothesis.requires or ()) for hypothesis in self.hypothesis)
        return self.audit is not None and (needed or any(claim.audited for claim in self.claim))

    @property
    def planned_arms(self) -> list[str]:
        """Arms of the grid, in the order the plan gives."""
        return self.grid.arms if self.grid.arms is not None else list(self.arms)

    @property
    def used_stages(self) -> list[str]:
        """Stages that planned arms go through, in plan order."""
        return list(dict.fromkeys(stage for arm in self.planned_arms for stage in self.arms[arm].stages))

    @property
    def used_corpora(self) -> list[str]:
        """Corpora of those of them that are trained here, in plan order."""
        trained = [self.stages[name] for name in self.used_stages if self.stages[name].given is None]
        return list(dict.fromkeys(stage.corpus for stage in trained))

    def runs(self) -> Iterator[PlannedRun]:
        """Every promised run, models x arms x seeds, then the unmodified models."""
        for model in self.grid.models:
            for arm in self.planned_arms:
                for seed in self.grid.seeds_of(model):
                    yield PlannedRun(model=model, arm=arm, seed=seed, factors=self.arms[arm].factors)
            if self.grid.baseline:
                yield PlannedRun(model=model, arm=BASELINE_ARM, seed=None, factors={})

    def levels_of(self, factor: str) -> list[str]:
        """Planned levels of a run factor ("model", "arm", "seed" or a factor of the arms), in plan order."""
        return list(dict.fromkeys(run.factor(factor) for run in self.runs() if run.has(factor)))

    @property
    def run_factors(self) -> list[str]:
        """Names that a contrast, `per` or `where` may use for runs."""
        declared = [name for arm in self.planned_arms for name in self.arms[arm].factors]
        return list(dict.fromkeys(["model", "arm", "seed", *declared]))

    def expanded(self) -> Iterator[tuple[str, Hypothesis, Where]]:
        """Every hypothesis as it is tested: `H1` or, with `per`, `H1[level]` with its extra condition."""
        for hypothesis in self.hypothesis:
            if hypothesis.per is None:
                yield hypothesis.id, hypothesis, {}
                continue
            for level in self._per_levels(hypothesis):
                yield HypothesisId(hypothesis.id, level), hypothesis, {hypothesis.per: level}

    def expanded_gates(self) -> Iterator[tuple[str, Gate, Where]]:
        """Every gate as it is tested: by its name or, with `per`, `name[level]` with its extra condition."""
        for name, gate in self.gates.items():
            if gate.per is None:
                yield name, gate, {}
                continue
            for level in self._per_levels(gate):
                yield HypothesisId(name, level), gate, {gate.per: level}

    def gates_of(self, hypothesis: Hypothesis, extra: Where) -> list[str]:
        """Gates, as they are tested, that stand before a hypothesis: all, or those it requires.

        Of a gate with one test a level, those of the hypothesis's own levels.
        """
        required = list(self.gates) if hypothesis.requires is None else hypothesis.requires
        wanted = {**hypothesis.where, **extra}
        return [
            identity
            for identity, _, at in self.expanded_gates()
            if HypothesisId.read(identity).base in required
            and all(level in listed(wanted[factor]) for factor, level in at.items() if factor in wanted)
        ]

    def gold_of(self, judge: str | None) -> Gold | None:
        """Which verdicts of a judge are checked against the right answer; None where none are planned to be."""
        table = self.judges.get(judge or "") or self.judgements.get(judge or "")
        gold = getattr(table, "gold", None)
        return gold if isinstance(gold, Gold) else None

    def corpus_file(self, name: str) -> str:
        """Path of a corpus, relative to the study folder."""
        return self.corpora[name].file or f"corpora/{name}.jsonl"

    def _per_levels(self, estimand: Estimand) -> list[str]:
        per = estimand.per or ""
        wanted = estimand.where.get(per)
        if wanted is None:
            return [level for level in self.levels_of(per) if not (per == "arm" and level == BASELINE_ARM)]
        return listed(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One promised fine-tuning run (or unmodified model: `seed` is None)."""

    model: str
    arm: str
    seed: int | None
    factors: Mapping[str, str]

    def has(self, factor: str) -> bool:
        """Whether this run has a level of `factor`."""
        return factor in {"model", "arm", "seed"} or factor in self.factors

    def factor(self, factor: str) -> str:
        """The run's level of `factor`, as text."""
        own = {"model": self.model, "arm": self.arm, "seed": str(self.seed)}
        return own[factor] if factor in own else self.factors[factor]

    @property
    def label(self) -> str:
        """`model/arm/seed`, for people."""
        return f"{self.model}/{self.arm}" + ("" if self.seed is None else f"/{self.seed}")
