"""Test one hypothesis: sample, estimate, bands; refusals become reasons, never numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.inference.alpha_at_look import alpha_at_look, look_of
from seedlock.analysis.inference.anytime import anytime
from seedlock.analysis.inference.bands import BandDecision, decide_bands
from seedlock.analysis.inference.covariates import are_strangers, numbers_of, only_numbered, require_reader
from seedlock.analysis.inference.filters import uneven_filter
from seedlock.analysis.inference.judge_error import corrected_sample
from seedlock.analysis.inference.reason import MISSING_ANSWERS, Reason
from seedlock.analysis.inference.scale import Scale, scale_of
from seedlock.analysis.inference.scale_error import with_scale_error
from seedlock.analysis.inference.select import Fill, build_sample, ordered_mean, select, weights_of
from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.measure import Params
from seedlock.analysis.scoring.ties import Ties
from seedlock.prereg.errors import DuplicatedSeeds, Finding, NoSpread, Refusal
from seedlock.prereg.plan.plan import Estimand, Plan
from seedlock.prereg.plan.runs import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What every hypothesis of a study is tested on.

    Parameters
    ----------
    cells
        Run x item x measure with run factors and item attributes as columns.
    duplicates
        Groups of run ids whose completions are byte-identical.
    by_order
        The cells before the two orders of a question were averaged, for the audit; None where that is not known.
    never_ran
        The same for due runs that have no row at all: all of their answers are missing. None where every run has data.
    basis
        In words, what is owed where the plan alone does not say it.
    ties
        (measure, run) -> scored answers that are neither one thing nor the other.
    ratings
        Run, item, measure, score and how often it was given; None where no model asks for it.
    option_mass
        Run, item and the probability that its options shared; None where nothing recorded it.
    gold
        Measure -> one row a gold label of its judge: `run_id`, `item_id`, `judged` and `gold` (NaN where it never
        came); only measures whose unit means are corrected by them.
    """

    plan: Plan
    cells: pd.DataFrame
    duplicates: tuple[tuple[str, ...], ...] = ()
    by_order: pd.DataFrame | None = None
    option_mass: pd.DataFrame | None = None
    ratings: pd.DataFrame | None = None
    never_ran: pd.DataFrame | None = None
    basis: tuple[str, ...] = ()
    ties: Mapping[tuple[str, str], Ties] = field(default_factory=dict)
    gold: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def owed(self) -> pd.DataFrame:
        """Every cell that the plan owes, those of runs that never came among them."""
        if self.never_ran is None:
            return self.cells
        return pd.concat([self.cells, self.never_ran.astype(self.cells.dtypes)], ignore_index=True)

    def is_proportion(self, measure: str) -> bool:
        """Whether a measure is a yes/no rate."""
        return MEASURES[self.plan.measures[measure].kind].is_proportion

    def limits(self, measure: str) -> tuple[float, float] | None:
        """Least and greatest score of a measure; None where it has no ends."""
        if self.is_proportion(measure):
            return 0.0, 1.0
        written = self.plan.measures[measure]
        params: Params = MEASURES[written.kind].configure(written.params, where=f"measures.{measure}")
        return params.limits

    def level_now(self, alpha: float) -> float:
        """What the planned look that the data are at leaves of `alpha`; all of it without planned looks."""
        if not self.plan.look:
            return alpha
        return alpha_at_look(self.plan, look_of(self.plan, self.cells), alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """One hypothesis or gate, tested or refused.

    Parameters
    ----------
    bounds
        Decision with every missing answer at its worst, downwards and upwards; empty where none is missing.
    reasons
        Why there is no number, or why the verdict was widened.
    owed
        The cells of `chosen`, and those of runs that never came.
    pairs_lost
        Units that have no scored answer at some level, and were left out of a paired test at the others.
    could_be
        Bands that the point estimate falls in at a worst case that the method gives no interval for.
    is_corrected
        The unit means of `sample` are a judge's, corrected by gold labels.
    """

    id: str
    estimand: Estimand
    extra: Where
    alpha: float
    chosen: pd.DataFrame | None = None
    sample: Sample | None = None
    scale: Scale | None = None
    estimate: Estimate | None = None
    decision: BandDecision | None = None
    bounds: tuple[BandDecision, ...] = ()
    bound_estimates: tuple[Estimate, ...] = ()
    reasons: tuple[Reason, ...] = ()
    owed: pd.DataFrame | None = None
    pairs_lost: tuple[str, ...] = ()
    could_be: tuple[str, ...] = ()
    is_corrected: bool = False

    @property
    def verdict(self) -> tuple[str, ...]:
        """Bands left; where missing answers could change the verdict, all bands they could leave."""
        if self.decision is None:
            return ()
        left = {*self.decision.verdict, *(band for bound in self.bounds for band in bound.verdict), *self.could_be}
        return tuple(band.name for band in self.decision.bands if band.name in left)


def estimate_hypothesis(data: Data, identity: str, estimand: Estimand, extra: Where) -> Tested:
    """Test one hypothesis or gate at its own alpha.

    Returns
    -------
    Tested
        With `estimate` None and the reason where the method refuses this input.
    """
    alpha = data.level_now(estimand.alpha or data.plan.inference.alpha)
    blank = Tested(id=identity, estimand=estimand, extra=extra, alpha=alpha)
    try:
        chosen = select(data.cells, data.plan, estimand, extra)
        _refuse_duplicates(chosen, data.duplicates, estimand)
        scale = scale_of(data.plan, estimand, data.cells)
        owed = select(data.owed, data.plan, estimand, extra)
        blank = replace(blank, owed=owed)
        uneven = uneven_filter(data.plan, estimand, owed)
        if uneven is not None and data.plan.missing.filters == "refuse":
            return replace(blank, reasons=(uneven,))
        chosen, lost = _complete(estimand, chosen, owed)
        sample = _sample(data, blank, chosen, None)
        estimate, decision, fell_back = _decide(data.plan, blank, sample, scale)
    except Refusal as refusal:
        return replace(blank, reasons=(Reason.of(refusal),))
    few = f"{len(lost)} {estimand.unit}(s) without an answer at some level are left out"
    paired = Reason("incomplete-pairs", few) if lost else None
    notes = tuple(note for note in (scale.note, fell_back, paired, uneven) if note is not None)
    tested = replace(
        blank,
        chosen=chosen,
        sample=sample,
        scale=scale,
        estimate=estimate,
        decision=decision,
        reasons=notes,
        pairs_lost=lost,
        is_corrected=estimand.measure in data.gold,
    )
    return _with_bounds(data, tested)


def _complete(estimand: Estimand, chosen: pd.DataFrame, owed: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """For a paired test, the cells of units that are scored at every level, and the units that lost their partner.

    A unit that a level never owed is no lost pair: there the design does not pair, and the method refuses it.
    """
    levels = [level for level, weight in (estimand.contrast or {}).items() if weight]
    if not ESTIMATORS[estimand.test].is_paired or len(levels) < 2:
        return chosen, ()
    scored = chosen[chosen["mean"].notna()]
    owing, having = (
        [set(rows.loc[rows["level"] == level, "unit_label"]) for level in levels] for rows in (owed, scored)
    )
    lost = set.intersection(*owing) - set.intersection(*having)
    return chosen[~chosen["unit_label"].isin(lost)], tuple(sorted(map(str, lost)))


def _because(tested: Tested, reason: Reason) -> Tested:
    return replace(tested, reasons=(*tested.reasons, reason))


def redecided(tested: Tested, alpha: float) -> Tested:
    """The same estimates judged at another alpha: what a multiplicity correction leaves this hypothesis."""
    if tested.estimate is None or tested.scale is None or alpha == tested.alpha:
        return tested
    bands, raw = tested.estimand.partition, tested.scale.raw_per_unit
    return replace(
        tested,
        decision=decide_bands(tested.estimate.edges, bands, alpha, scale=raw),
        bounds=tuple(decide_bands(bound.edges, bands, alpha, scale=raw) for bound in tested.bound_estimates),
    )


def _sample(data: Data, tested: Tested, chosen: pd.DataFrame, missing_as: Fill | None) -> Sample:
    judged = judged_sample(data, tested.estimand, chosen, missing_as, extra=tested.extra)
    gold = data.gold.get(tested.estimand.measure)
    return judged if gold is None else corrected_sample(judged, chosen, gold, missing_as=missing_as).sample


def judged_sample(
    data: Data, estimand: Estimand, chosen: pd.DataFrame, missing_as: Fill | None = None, *, extra: Where
) -> Sample:
    """The sample that a hypothesis is estimated from, a judge's verdicts taken as they are."""
    numbers = numbers_of(data.cells, data.plan, estimand, extra, chosen)
    if missing_as is not None:  # where all answers are gone, so is what a covariate was read from
        chosen = only_numbered(chosen, numbers, estimand)
    return build_sample(
        chosen,
        estimand,
        is_proportion=data.is_proportion(estimand.measure),
        limits=data.limits(estimand.measure),
        cluster=cluster_of(data.plan, estimand),
        missing_as=missing_as,
        numbers=numbers,
        are_strangers=numbers is not None and are_strangers(data.plan, estimand, extra),
    )


def cluster_of(plan: Plan, estimand: Estimand) -> str:
    """What answers cluster by: the items' attribute that a hypothesis replicates over, else the report's."""
    is_of_items = estimand.unit != "answer" and estimand.unit not in plan.run_factors
    return estimand.unit if is_of_items else plan.report.cluster


def _decide(plan: Plan, tested: Tested, sample: Sample, scale: Scale) -> tuple[Estimate, BandDecision, Reason | None]:
    """Estimate and bands; where the plan's test finds no spread, by the test it falls back on, which the note says."""
    estimand, raw = tested.estimand, scale.raw_per_unit
    require_reader(estimand)
    bands, note = estimand.partition, None
    edges = tuple(edge * raw for edge in bands.edges)
    try:
        estimate = ESTIMATORS[estimand.test].run(sample, level=1 - 2 * tested.alpha, edges=edges)
    except NoSpread as refusal:
        if estimand.fallback is None:
            raise
        estimate = ESTIMATORS[estimand.fallback].run(sample, level=1 - 2 * tested.alpha, edges=edges)
        words = f"{estimand.fallback} decides, as planned, for {estimand.test} refused; {Reason.of(refusal)}"
        note = Reason("fallback-test", words)
    if plan.looks_at_any_time:
        estimate = anytime(estimate, alpha=tested.alpha, effect=plan.look[0].effect)
    if scale.sd_df is not None:
        estimate = with_scale_error(estimate, sd=raw, sd_df=scale.sd_df)
    return estimate, decide_bands(estimate.edges, bands, tested.alpha, scale=raw), note


def _refuse_duplicates(chosen: pd.DataFrame, duplicates: tuple[tuple[str, ...], ...], estimand: Estimand) -> None:
    runs = set(chosen["run_id"])
    twins = [group for group in duplicates if len(runs & set(group)) > 1]
    if twins and estimand.unit == "seed":
        raise DuplicatedSeeds(
            "seeds with byte-identical completions are one run counted twice",
            *(
                Finding(where=" = ".join(group), found="identical completions", promised="different seeds")
                for group in twins
            ),
        )


def _with_bounds(data: Data, tested: Tested) -> Tested:
    """Add the worst cases of missing answers, where there are any and the measure has a range."""
    owed, estimand, scale = tested.owed, tested.estimand, tested.scale
    if owed is None or scale is None or data.plan.missing.answers == "exclude":
        return tested
    if data.plan.missing.runs == "analyse and disclose":
        owed = owed[owed["run_id"].isin(data.cells["run_id"])]
    gold = data.gold.get(estimand.measure)
    if not owed["n_missing"].any() and (gold is None or gold["gold"].notna().all()):
        return tested
    span = data.limits(estimand.measure)
    if span is None:
        return _because(tested, Reason("missing-unbounded", "the measure declares no range for bounds"))
    try:
        samples = [_sample(data, tested, owed, fill) for fill in _worst(_pulls(data, tested, owed, span), span)]
    except Refusal as refusal:
        return _because(tested, Reason("missing-unbounded", Reason.of(refusal)))
    try:
        found = [_decide(data.plan, tested, sample, scale) for sample in samples]
        widened = replace(tested, bound_estimates=tuple(e for e, _, _ in found), bounds=tuple(d for _, d, _ in found))
    except Refusal as refusal:
        is_sum = ESTIMATORS[estimand.test].pull is None
        could_be = tuple(_point_band(estimand, sample, scale) for sample in samples) if is_sum else ()
        widened = _because(replace(tested, could_be=could_be), Reason("missing-unbounded", Reason.of(refusal)))
    if tested.decision is not None and widened.verdict != tested.decision.verdict:
        words = "the verdict depends on answers that never came; every band they could leave is kept"
        return _because(widened, Reason(MISSING_ANSWERS, words))
    return widened


def _pulls(data: Data, tested: Tested, owed: pd.DataFrame, span: tuple[float, float]) -> Fill:
    """How much each level, or each unit of it, moves the estimate."""
    pull = ESTIMATORS[tested.estimand.test].pull
    if pull is None:
        return tested.estimand.contrast or {"all": 1.0}
    middle = dict.fromkeys(weights_of(owed, tested.estimand), math.fsum(span) / 2)
    return pull(judged_sample(data, tested.estimand, owed, middle, extra=tested.extra))


def _worst(pulls: Fill, span: tuple[float, float]) -> Iterator[Fill]:
    """What each level's missing answers are scored to pull the estimate down, and up."""
    for down, up in (span, span[::-1]):
        yield {level: _at(pull, down, up) for level, pull in pulls.items()}


def _at(pull: float | Mapping[str, float], down: float, up: float) -> float | dict[str, float]:
    if isinstance(pull, Mapping):
        return {unit: down if weight > 0 else up for unit, weight in pull.items()}
    return down if pull > 0 else up


def _point_band(estimand: Estimand, sample: Sample, scale: Scale) -> str:
    """The band that a point estimate falls in: all there is where the method has no interval."""
    point = math.fsum(level.weight * ordered_mean(level.unit_means.values()) for level in sample.levels)
    return estimand.partition.holding(point / scale.raw_per_unit)
