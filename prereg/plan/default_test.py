"""The test of a hypothesis or gate that names none: by what is replicated, what seeds share, and where rates lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seedlock.prereg.plan.levels import weighted_levels
from seedlock.prereg.plan.lint import matching_units
from seedlock.prereg.plan.pairing import sharing
from seedlock.prereg.plan.plan import Estimand, Gate, Hypothesis, Plan
from seedlock.prereg.plan.runs import Where

NEAR_AN_END = 0.25
"""A planned rate this close to 0 or 1 makes t on unit rates miss more often than it says, where seeds differ much."""
YES_NO = frozenset(
    {
        "capability",
        "discriminator",
        "era",
        "label_rate",
        "marker_position",
        "marker_rate",
        "refusal",
    }
)
"""Kinds of measure that give a rate between 0 and 1; a test holds them equal to what the measures say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A test, and why the design asks for it."""

    test: str
    reason: str


def with_tests(plan: Plan) -> Plan:
    """The plan with a test for every hypothesis and gate; `model_fields_set` has `test` only where it named one."""
    first = {h.id: extra for _, h, extra in reversed(list(plan.expanded()))}
    hypotheses = [h if h.test else _tested(h, default_test(plan, h, first.get(h.id, {})).test) for h in plan.hypothesis]
    gates = {
        name: gate if gate.test else _tested(gate, default_test(plan, gate, extra).test)
        for name, gate, extra in _gates(plan)
    }
    return plan.model_copy(update={"hypothesis": hypotheses, "gates": gates})


def _gates(plan: Plan) -> Iterator[tuple[str, Gate, Where]]:
    """Every gate once, with the condition of its first level."""
    tested = {id(gate): extra for _, gate, extra in reversed(list(plan.expanded_gates()))}
    for name, gate in plan.gates.items():
        yield name, gate, tested.get(id(gate), {})


def _tested[E: (Hypothesis, Gate)](estimand: E, test: str) -> E:
    values = {name: getattr(estimand, name) for name in type(estimand).model_fields}
    return type(estimand).model_construct(_fields_set=estimand.model_fields_set, **{**values, "test": test})


def default_test(plan: Plan, estimand: Estimand, extra: Where) -> Choice:
    """The test that a design asks for where its plan names none.

    Notes
    -----
    Levels that share seeds are paired; strangers keep a spread each (Welch), for one spread is a wager: Delacre, Lakens
    & Leys (2017), https://doi.org/10.5334/irsp.82. Yes/no rates that the plan expects near 0 or 1 get the test whose
    interval respects those ends. Where items are the sample of single runs, answers cluster by item.
    """
    weighted = weighted_levels(plan, estimand)
    if (line := _of_a_line(plan, estimand, extra)) is not None:
        return line
    if estimand.unit not in plan.run_factors:
        return _over_items(plan, estimand, extra, n_levels=len(weighted))
    # Of a slope over several doses the logit tests keep next to nothing: their interval holds for every path of rates.
    may_be_near = plan.measures[estimand.measure].kind in YES_NO and estimand.dose is None
    near = rates_near_an_end(plan, estimand) if may_be_near else []
    planned = f"rates like {near[0]:g} are planned" if near else ""
    if len(weighted) < 2:
        return Choice(test="logit_t" if near else "one_sample_t", reason=planned or "one level")
    shared = sharing(plan, estimand, extra)
    sizes = [len(units) for units in matching_units(plan, estimand, extra).values()]
    if shared in {"nothing", "not said"}:
        return _of_strangers(plan, planned, is_balanced=len(set(sizes)) == 1)
    fewest = min(sizes, default=0)
    if near and fewest > len(weighted):
        return Choice(test="paired_logit_t", reason=f"{planned}, and levels share {shared}")
    return Choice(test="paired_t", reason=f"levels share {shared}")


def _of_a_line(plan: Plan, estimand: Estimand, extra: Where) -> Choice | None:
    """A line where no contrast of levels with replicates will do: a covariate, measured numbers, one unit a dose."""
    if estimand.adjust is not None:
        return Choice(test="ancova_cr2", reason=f"the contrast is adjusted for {estimand.adjust}")
    if estimand.dose is None:
        return None
    shared = sharing(plan, estimand, extra)
    is_within = shared not in {"nothing", "not said"}
    if estimand.contrast is None:
        reason = f"numbers are measured, and levels share {shared}" if is_within else "numbers are measured, run by run"
        return Choice(test="slope_t" if is_within else "slope_cr2", reason=reason)
    fewest = min(map(len, matching_units(plan, estimand, extra).values()), default=2)
    if not is_within and estimand.over in plan.run_factors and fewest < 2:
        return Choice(test="slope_cr2", reason=f"a dose has one {estimand.unit}")
    return None


def _of_strangers(plan: Plan, near: str, *, is_balanced: bool) -> Choice:
    if near:
        return Choice(test="logit_t", reason=f"{near}, and levels are not said to share seeds")
    if plan.inference.items == "new" and is_balanced:
        return Choice(test="crossed", reason="new items are meant, and levels are not said to share seeds")
    return Choice(test="welch_t", reason="levels are not said to share seeds, and each may have its own spread")


def _over_items(plan: Plan, estimand: Estimand, extra: Where, *, n_levels: int) -> Choice:
    """Items or their attributes as the sample."""
    if n_levels > 1 and estimand.over not in plan.run_factors:
        return Choice(test="welch_t", reason=f"levels of {estimand.over} have {estimand.unit}s of their own")
    by_seed = estimand.model_copy(update={"unit": "seed"})
    runs = matching_units(plan, by_seed, extra).values()
    if all(len(seeds) == 1 for seeds in runs):
        return Choice(test="clustered_t", reason="one run a level: items are the sample")
    if n_levels > 1:
        return Choice(test="paired_t", reason=f"levels answer the same {estimand.unit}s")
    return Choice(test="one_sample_t", reason="one level")


def rates_near_an_end(plan: Plan, estimand: Estimand) -> list[float]:
    """Rates near 0 or 1 that the plan expects, as `[design]` says or as the edges of a plain mean lie."""
    weights = [weight for weight in (estimand.contrast or {"all": 1.0}).values() if weight]
    design = plan.design.measures.get(estimand.measure)
    base = None if design is None else design.base
    rates = list(base.values()) if isinstance(base, dict) else [] if base is None else [base]
    if len(weights) == 1 and estimand.scale == "raw":
        rates += [edge / weights[0] for edge in estimand.partition.edges]
    return sorted({rate for rate in rates if 0 <= rate < NEAR_AN_END or 1 - NEAR_AN_END < rate <= 1})
