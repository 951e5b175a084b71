"""Before the lock: is each planned hierarchy calibrated at its number of seeds, items and answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seedlock.analysis.bayes.cells import Design, Nesting
from seedlock.analysis.bayes.models import MODELS
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.simulation.assumptions import Assumed, assume
from seedlock.analysis.simulation.layout import Target, lay_out
from seedlock.analysis.simulation.result import CalibrationRow, Share
from seedlock.prereg.errors import BadInput, Refusal
from seedlock.prereg.plan.plan import Hypothesis, Plan

if TYPE_CHECKING:
    from seedlock.analysis.bayes.calibration import Calibration, Planned
    from seedlock.analysis.simulation.simulate import Progress


def calibrations(
    plan: Plan, *, simulations: int, seed: int, progress: Progress, items: dict[str, int] | None = None
) -> list[CalibrationRow]:
    """Calibrate every distinct hierarchy that the plan's hypotheses name.

    Raises
    ------
    BadInput
        Too few simulations.
    """
    from seedlock.analysis.bayes.calibration import FEWEST  # noqa: PLC0415 - numba takes seconds to import

    if simulations < FEWEST:
        raise BadInput(
            f"{simulations} simulated data sets cannot show calibration", then=f"--bayes {FEWEST} at the least"
        )
    found: dict[str, CalibrationRow] = {}
    for identity, planned in planned_cells(plan, assume(plan, items)):
        if isinstance(planned, str):
            found[identity] = CalibrationRow(ids=[identity], reason=planned)
            continue
        key = _in_words(planned)
        if key in found:
            found[key] = found[key].model_copy(update={"ids": [*found[key].ids, identity]})
            continue
        found[key] = _calibrated(plan, identity, planned, simulations=simulations, seed=seed, progress=progress)
    return list(found.values())


def _calibrated(
    plan: Plan, identity: str, planned: Planned, *, simulations: int, seed: int, progress: Progress
) -> CalibrationRow:
    from seedlock.analysis.bayes.calibration import calibrate  # noqa: PLC0415
    from seedlock.analysis.bayes.priors import HierarchyPriors, parse_prior  # noqa: PLC0415

    what = f"calibrating the hierarchy of {identity}"
    try:
        made = calibrate(
            planned,
            priors=HierarchyPriors(run_sd=parse_prior(plan.bayes.run_sd_prior)),
            simulations=simulations,
            seed=seed,
            stepped=lambda done: progress(what, done, simulations),
        )
    except Refusal as refusal:
        return CalibrationRow(ids=[identity], reason=refusal.what)
    return CalibrationRow(
        ids=[identity],
        design=_in_words(planned),
        simulations=made.simulations,
        unsound=made.unsound,
        refused=made.refused,
        p_values={name: float(f"{p:.10g}") for name, p in made.p_values.items()},
        shares=_shares(made),
        is_calibrated=made.is_calibrated,
    )


def _shares(made: Calibration) -> list[Share]:
    """How often the central 80% of the posterior holds each truth: nearly 80% of the time."""
    return [
        Share(name=name, inside_80=float(np.mean((ranks >= 10) & (ranks < 90)))) for name, ranks in made.ranks.items()
    ]


def planned_cells(plan: Plan, assumed: Assumed) -> Iterator[tuple[str, Planned | str]]:
    """Every Bayesian hypothesis and the cells it will have, or why they cannot be simulated."""
    layout = lay_out(plan.model_copy(update={"hypothesis": [_weighed(h) for h in plan.hypothesis]}), assumed)
    targets = {target.id: target for target in layout.targets}
    rates = {name for name, variation in assumed.variation.items() if variation.is_rate}
    for identity, hypothesis, _ in plan.expanded():
        if hypothesis.bayes is None:
            continue
        target = targets[identity]
        block_items = [layout.blocks[level.block].n_items for level in target.levels]
        yield identity, _cells(hypothesis, target, block_items, assumed.draws, is_rate=hypothesis.measure in rates)


def _weighed(hypothesis: Hypothesis) -> Hypothesis:
    """The hypothesis over the levels that its fit reads: those with weight."""
    if hypothesis.contrast is None:
        return hypothesis
    return hypothesis.model_copy(update={"contrast": {level: w for level, w in hypothesis.contrast.items() if w}})


def _cells(
    hypothesis: Hypothesis, target: Target, block_items: list[int], draws: int, *, is_rate: bool
) -> Planned | str:
    from seedlock.analysis.bayes.calibration import Planned  # noqa: PLC0415

    model = MODELS[str(hypothesis.bayes)]
    likelihood = model.of_counts if is_rate else model.of_means
    if likelihood not in {"binomial", "gaussian"}:
        return f"{hypothesis.bayes} is not calibrated before the lock"
    if target.problem or any(level.item_groups is not None for level in target.levels):
        return target.problem or "its units are not runs"
    levels = tuple(sorted(level.name for level in target.levels))
    by_name = {level.name: (level, n) for level, n in zip(target.levels, block_items, strict=True)}
    units = tuple(sorted({unit for level in target.levels for unit in level.units}))
    groups = [(a, unit) for a, name in enumerate(levels) for unit in sorted(by_name[name][0].units)]
    n_items = min(block_items) if model.is_crossed else 0
    nesting: Nesting = "paired" if ESTIMATORS[hypothesis.test].is_paired and len(levels) > 1 else "nested"
    try:
        design = Design(
            levels=levels,
            units=units,
            items=tuple(f"{i:04d}" for i in range(n_items)),
            level_G=np.array([a for a, _ in groups], dtype=np.int64),
            unit_G=np.array([units.index(unit) for _, unit in groups], dtype=np.int64),
            nesting=nesting,
        )
    except Refusal as refusal:
        return refusal.what
    if not is_rate:
        return Planned(design=design, likelihood="gaussian")
    runs_G = np.array([len(by_name[levels[a]][0].units[unit]) for a, unit in groups])
    per_run = np.array([draws if n_items else draws * by_name[levels[a]][1] for a, _ in groups])
    n_GI = np.repeat((runs_G * per_run)[:, None], max(1, n_items), axis=1).astype(np.int64)
    return Planned(design=design, likelihood="binomial", n_GI=n_GI)


def _in_words(planned: Planned) -> str:
    """The design in words: what two hypotheses share when they share a calibration."""
    design, n_GI = planned.design, planned.n_GI
    answers = "unit means" if n_GI is None else f"{n_GI.min()} to {n_GI.max()} answers a cell"
    items = f" x {len(design.items)} items" if design.items else ""
    units = np.bincount(design.level_G)
    return (
        f"{planned.likelihood}, {len(design.levels)} levels of {units.min()} to {units.max()} {design.nesting} units"
        f"{items}, {answers}"
    )
