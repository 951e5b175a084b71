"""The multiverse: each hypothesis under every analysis its authors would defend, the locked one among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Literal

from seedlock.analysis.inference.hypothesis import Data, Tested, estimate_hypothesis
from seedlock.analysis.results.multiverse import BranchResult, MultiverseResult
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.plan import Hypothesis, Plan
from seedlock.prereg.plan.runs import Where

type MissingRule = Literal["exclude", "pull down", "pull up"]
DIRECTIONS: tuple[MissingRule, ...] = ("pull down", "pull up")


def multiverse(data: Data, *, shut: Mapping[str, str] | None = None) -> list[MultiverseResult]:
    """Test each hypothesis under every combination that the plan's `[multiverse]` lists.

    Parameters
    ----------
    data
        Cells of the whole study; its plan names the choices.
    shut
        Hypotheses whose gate did not hold -> why: their branches carry this reason and no number.

    Returns
    -------
    list
        One entry a hypothesis, in plan order, its branches by rising estimate (those without one last). Exploratory
        but for the locked branch; no multiplicity correction. Empty where the plan has no `[multiverse]`.

    Notes
    -----
    Specification curve: Simonsohn, Simmons & Nelson (2020), https://doi.org/10.1038/s41562-020-0912-z.
    Multiverse: Steegen et al. (2016), https://doi.org/10.1177/1745691616658637
    """
    if data.plan.multiverse is None:
        return []
    wanted = data.plan.multiverse.hypotheses
    return [
        _curve(data, identity, hypothesis, extra, (shut or {}).get(identity))
        for identity, hypothesis, extra in data.plan.expanded()
        if not wanted or hypothesis.id in wanted
    ]


def _curve(data: Data, identity: str, locked: Hypothesis, extra: Where, shut: str | None) -> MultiverseResult:
    branches = [
        branch
        for hypothesis in alternatives(data.plan, locked)
        for branch in _branches(data, identity, hypothesis, extra, is_locked=hypothesis == locked, shut=shut)
    ]
    known = [b.estimate for b in branches if b.estimate is not None]
    return MultiverseResult(
        id=identity,
        predicted=locked.predicted,
        branches=sorted(branches, key=lambda b: (b.estimate is None, b.estimate or 0.0, *map(str, _choices(b)))),
        n_branches=len(branches),
        n_with_estimate=len(known),
        n_predicted=sum(b.verdict == [locked.predicted] for b in branches),
        least=min(known) if known else None,
        greatest=max(known) if known else None,
        reason=None if known else shut or "no branch has an estimate",
    )


def _choices(branch: BranchResult) -> tuple[str | None, ...]:
    return branch.measure, branch.test, branch.scale, branch.items, branch.missing


def alternatives(plan: Plan, locked: Hypothesis) -> Iterator[Hypothesis]:
    """The hypothesis under every combination of measure, test, scale and items, its own choice first."""
    choices = plan.multiverse
    if choices is None:
        return
    lists = (
        _with_own(locked.measure, choices.measures),
        _with_own(locked.test, choices.tests),
        _with_own(locked.scale, choices.scales),
        _with_own(locked.items, choices.items),
    )
    for measure, test, scale, items in product(*lists):
        update = {"measure": measure, "test": test, "scale": scale, "items": items}
        yield locked.model_copy(update=update)


def _with_own[T](own: T, others: list[str]) -> list[T | str]:
    return list(dict.fromkeys([own, *others]))


def _branches(
    data: Data, identity: str, hypothesis: Hypothesis, extra: Where, *, is_locked: bool, shut: str | None
) -> Iterator[BranchResult]:
    """One branch a rule for missing answers; one in all where nothing is missing, for then the rules agree."""
    rules: list[MissingRule] = list(data.plan.multiverse.missing) if data.plan.multiverse else []
    if shut is not None:
        yield _refused(hypothesis, "exclude", is_locked=is_locked, reason=shut)
        return
    with_bounds = data.plan.model_copy(
        update={"missing": data.plan.missing.model_copy(update={"answers": "exclude and bound"})}
    )
    try:
        tested = estimate_hypothesis(replace(data, plan=with_bounds), identity, hypothesis, extra)
    except BadInput as error:  # another measure may lack this hypothesis's items or attributes
        yield _refused(hypothesis, "exclude", is_locked=is_locked, reason=error.what)
        return
    yield _branch(hypothesis, tested, "exclude", is_locked=is_locked)
    for place, rule in enumerate(DIRECTIONS):
        if rule in rules and tested.bounds:
            bounded = replace(
                tested, estimate=tested.bound_estimates[place], decision=tested.bounds[place], bounds=(), reasons=()
            )
            yield _branch(hypothesis, bounded, rule, is_locked=False)


def _branch(hypothesis: Hypothesis, tested: Tested, rule: MissingRule, *, is_locked: bool) -> BranchResult:
    estimate, decision, scale = tested.estimate, tested.decision, tested.scale
    if estimate is None or decision is None or scale is None:
        return _refused(hypothesis, rule, is_locked=is_locked, reason="; ".join(tested.reasons))
    raw = scale.raw_per_unit
    return BranchResult(
        measure=hypothesis.measure,
        test=hypothesis.test,
        scale=hypothesis.scale,
        items=hypothesis.items,
        missing=rule,
        is_locked=is_locked,
        estimate=estimate.estimate / raw,
        ci=(estimate.ci_low / raw, estimate.ci_high / raw),
        p_value=decision.p_for(hypothesis.predicted),
        verdict=list(decision.verdict),
        reason=None,
    )


def _refused(hypothesis: Hypothesis, rule: MissingRule, *, is_locked: bool, reason: str) -> BranchResult:
    return BranchResult(
        measure=hypothesis.measure,
        test=hypothesis.test,
        scale=hypothesis.scale,
        items=hypothesis.items,
        missing=rule,
        is_locked=is_locked,
        estimate=None,
        ci=None,
        p_value=None,
        verdict=[],
        reason=reason,
    )
