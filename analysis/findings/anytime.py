"""The course of a hypothesis over its seeds: what looks at any time would have seen, one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Sample
from seedlock.analysis.inference.anytime import anytime, log_e_at
from seedlock.analysis.inference.hypothesis import Tested
from seedlock.analysis.inference.reason import Reason
from seedlock.analysis.results.anytime import AnytimePoint, AnytimeResult
from seedlock.prereg.errors import Refusal, Unattainable
from seedlock.prereg.plan.plan import Plan


def course(tested: Tested, plan: Plan) -> AnytimeResult | None:
    """The estimate with the first two units of every level, with three, and so on; None where looks are planned."""
    if not plan.looks_at_any_time or tested.sample is None or tested.estimate is None or tested.scale is None:
        return None
    unit = tested.estimand.unit
    names = plan.levels_of(unit) if unit in plan.run_factors else []
    known = {name for level in tested.sample.levels for name in level.unit_means}
    ordered = [name for name in names if name in known] + sorted(known - set(names))
    most = max(len(level.unit_means) for level in tested.sample.levels)
    return AnytimeResult(
        effect=plan.look[0].effect,
        log10_needed=-math.log10(tested.alpha),
        points=[_point(tested, plan.look[0].effect, ordered, n) for n in range(2, most + 1)],
    )


def first_units(sample: Sample, ordered: Sequence[str], n: int) -> Sample:
    """The sample with the first `n` units of every level."""
    levels = []
    for level in sample.levels:
        kept = [name for name in ordered if name in level.unit_means][:n]
        means = {name: level.unit_means[name] for name in kept}
        levels.append(replace(level, unit_means=means, cells={k: v for k, v in level.cells.items() if k[0] in means}))
    return replace(sample, levels=tuple(levels))


def _point(tested: Tested, effect: float, ordered: Sequence[str], n: int) -> AnytimePoint:
    blank = AnytimePoint(units=n, estimate=None, ci=None, log10_above=[], log10_below=[], reason=None)
    raw = tested.scale.raw_per_unit if tested.scale else 1.0
    edges = tuple(edge * raw for edge in tested.estimand.partition.edges)
    if tested.sample is None:
        return blank
    try:
        sample = first_units(tested.sample, ordered, n)
        plain = ESTIMATORS[tested.estimand.test].run(sample, level=1 - 2 * tested.alpha, edges=edges)
        evidence = [log_e_at(plain, edge, effect=effect) for edge in edges]
    except Refusal as refusal:
        return blank.model_copy(update={"reason": str(Reason.of(refusal))})
    found = {
        "estimate": plain.estimate / raw,
        "log10_above": [above / math.log(10) for above, _ in evidence],
        "log10_below": [below / math.log(10) for _, below in evidence],
    }
    try:
        whole = anytime(plain, alpha=tested.alpha, effect=effect)
    except Unattainable as refusal:
        return blank.model_copy(update=found | {"reason": str(Reason.of(refusal))})
    return blank.model_copy(update=found | {"ci": (whole.ci_low / raw, whole.ci_high / raw)})
