"""Each test of a plan on made-up answers of the planned shape: what could never run is refused before the lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Sample
from seedlock.analysis.simulation.assumptions import assume
from seedlock.analysis.simulation.evaluate import Simulated, as_sample, runs_at
from seedlock.analysis.simulation.layout import Target, lay_out
from seedlock.prereg.errors import NotCounts, NotPaired, NotThisDesign, Refusal, TooFewUnits
from seedlock.prereg.plan.lint import Lint
from seedlock.prereg.plan.plan import Plan

ITEMS, DRAWS = 6, 20
SHAPES = (NotThisDesign, NotPaired, NotCounts, TooFewUnits)
"""Refusals that depend on the shape of the data and not on their values."""


def cannot_run(plan: Plan) -> Iterator[Lint]:
    """Every hypothesis and gate whose test, or the test to fall back on, refuses the shape of the planned data."""
    assumed = assume(plan)
    layout = lay_out(plan, replace(assumed, items={name: min(n, ITEMS) for name, n in assumed.items.items()}))
    rng = np.random.default_rng(0)
    cells = {
        place: rng.integers(1, DRAWS, size=(1, len(layout.runs), block.n_items)) / DRAWS
        for place, block in enumerate(layout.blocks)
    }
    data = Simulated(cells=cells, runs=runs_at(layout.seed_rank, None), draws=DRAWS)
    for target in layout.targets:
        if all(level.units for level in target.levels):
            is_rate = assumed.variation[target.estimand.measure].is_rate
            yield from _rehearsed(plan, target, data, is_rate=is_rate)


def _rehearsed(plan: Plan, target: Target, data: Simulated, *, is_rate: bool) -> Iterator[Lint]:
    sample = _numbered(as_sample(target, data, 0, is_rate=is_rate))
    if target.estimand.dose is not None and len(sample.levels) < 2:
        return  # over an item's attribute, whose values are not known here
    for test in filter(None, (target.estimand.test, target.estimand.fallback)):
        if ESTIMATORS[test].not_simulated:
            continue
        try:
            ESTIMATORS[test].run(sample, level=0.5, edges=())
        except TooFewUnits as refusal:
            has_own_lint = target.estimand.unit in plan.run_factors and ESTIMATORS[test].reads is None
            if not has_own_lint:
                yield _lint(target, test, refusal)
        except SHAPES as refusal:
            yield _lint(target, test, refusal)
        except Refusal:
            continue


def _numbered(sample: Sample) -> Sample:
    """The sample with some number at every unit that has none: what is measured is not known before the data."""
    rng = np.random.default_rng(1)
    return replace(
        sample,
        levels=tuple(
            level if level.unit_x else replace(level, unit_x={unit: float(rng.random()) for unit in level.unit_means})
            for level in sample.levels
        ),
    )


def _lint(target: Target, test: str, refusal: Refusal) -> Lint:
    details = "; ".join(f"{f.where}: {f.found}, promised {f.promised}" for f in refusal.findings[:2])
    return Lint(
        code="cannot-run",
        severity="refuse",
        where=target.id,
        says=f"{test} could not run on the data that are planned: {refusal.what}"
        + (f" ({details})" if details else ""),
        remedy=refusal.then or "another test, unit or contrast",
    )
