"""`seedlock simulate`: the design of a study, simulated and written where the lock finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seedlock.analysis.simulation.counting import count_items
from seedlock.analysis.simulation.design_lints import require_known
from seedlock.analysis.simulation.labels_needed import labels_needed
from seedlock.analysis.simulation.look_cost import look_costs
from seedlock.analysis.simulation.not_simulated import not_simulated
from seedlock.analysis.simulation.result import Assumed, LookRow, RuleRow, SeedsNeeded, SimulationResult, TargetRow
from seedlock.analysis.simulation.rules import look_rules
from seedlock.analysis.simulation.seeds_needed import Search
from seedlock.analysis.simulation.simulate import MOST_STUDIES, Design, Progress, declare_design, play_world, worlds_at
from seedlock.analysis.simulation.summary import blank_row, look_rows, rule_rows, target_row
from seedlock.analysis.simulation.truth import scenarios
from seedlock.analysis.simulation.worst import in_words, spreads, worst_cases
from seedlock.prereg.base.canonical import sha256_file, write_atomic
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.lock import holds_as_it_stands
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import read_plan

FEWEST_STUDIES = 100
WANTED_POWER = 0.8
MOST_SEEDS = 64
ONE_BY_ONE = 200
SEARCH_STUDIES = 1000


def quiet(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


def simulate_design(
    plan: Plan,
    *,
    simulations: int,
    seed: int,
    progress: Progress = quiet,
    items: dict[str, int] | None = None,
    study: str | None = None,
    plan_sha256: str | None = None,
    most_seeds: int = MOST_SEEDS,
) -> SimulationResult:
    """Simulate a plan under no effect, at every edge of its bands, and under the expected effects.

    Parameters
    ----------
    simulations
        Simulated studies a world, from 100 to a million. Estimators that are not vectorised are computed in the
        first 200 of them, and the search for seeds uses at most 1,000; every rate says its own number.
    seed
        0 or more; the same seed gives the same bytes.
    progress
        Called with what is being done, studies done and studies to do.
    items
        Item set -> items counted in its file.
    most_seeds
        The search for the seeds needed ends here; below 2 there is no search.

    Raises
    ------
    BadInput
        A number out of range, a plan naming methods that are not there, or a design that cannot be drawn.
    """
    if not FEWEST_STUDIES <= simulations <= MOST_STUDIES:
        promised = f"{FEWEST_STUDIES} to {MOST_STUDIES}: fewer say nothing about a rate of a few percent"
        raise BadInput(
            "so many simulated studies make no sense",
            Finding(where="--simulations", found=str(simulations), promised=promised),
            then="seedlock simulate STUDY --simulations 2000",
        )
    require_known(plan)
    design = declare_design(plan, seed=seed, one_by_one=ONE_BY_ONE, items=items)
    rows, rules, reached = _play_all(design, simulations, progress)
    search = Search(
        design=design,
        items=items,
        simulations=min(simulations, SEARCH_STUDIES),
        most_seeds=most_seeds,
        wanted=WANTED_POWER,
    )
    variation = design.assumed.variation
    worst = worst_cases(rows, rules)
    arms_at = [
        {name: dict(v.arms_at(point)) for name, v in variation.items() if len(set(v.arms_at(point).values())) > 1}
        for point in range(design.assumed.points)
    ]
    points = [{name: v.seed_sd[point] for name, v in variation.items()} for point in range(design.assumed.points)]
    return SimulationResult(
        study=study,
        plan_sha256=plan_sha256,
        seed=seed,
        simulations=simulations,
        one_by_one=ONE_BY_ONE,
        points=points,
        looks=_looks(plan),
        assumed=[Assumed(what=a.what, value=a.value, source=a.source) for a in design.assumed.record],
        rows=rows,
        rules=rules,
        reached=reached,
        seeds_needed=list(_search(search, progress)) if most_seeds >= 2 else [],
        wanted_power=WANTED_POWER,
        not_simulated=list(not_simulated(design)),
        arms_at=arms_at if any(arms_at) else [],
        worst=worst,
        look_costs=list(look_costs(design, simulations=min(simulations, SEARCH_STUDIES))),
        labels_needed=list(labels_needed(design, simulations=min(simulations, SEARCH_STUDIES), wanted=WANTED_POWER)),
        findings=[in_words(one, spreads(points, arms_at, one.point)) for one in worst if one.is_broken],
    )


def _looks(plan: Plan) -> list[dict[str, Any]]:
    alpha = plan.inference.alpha
    return [
        {
            "seeds": rule.seeds,
            "nominal_alpha": float(f"{rule.nominal(alpha):.10g}"),
            "when": rule.when.model_dump() if rule.when else None,
        }
        for rule in look_rules(plan)
        if rule.seeds is not None
    ]


def _play_all(
    design: Design, simulations: int, progress: Progress
) -> tuple[list[TargetRow], list[RuleRow], list[LookRow]]:
    """Every scenario at every point of the grid."""
    rows: list[TargetRow] = []
    rules: list[RuleRow] = []
    reached: list[LookRow] = []
    by_id = {t.id: t for t in design.layout.targets}
    points = range(design.assumed.points)
    planned = [worlds_at(design, point, scenarios(design.layout)) for point in points]
    total = simulations * sum(len(worlds.worlds) for worlds, _ in planned)
    done = 0

    def stepped(studies: int) -> None:
        nonlocal done
        done += studies
        progress("simulating studies", done, total)

    for point, (worlds, raw) in enumerate(planned):
        for number, world in enumerate(worlds.worlds):
            endings = play_world(
                design, world, point=point, number=number, simulations=simulations, raw=raw, stepped=stepped
            )
            rows += [target_row(by_id[name], world, endings, raw=raw[name], point=point) for name in world.truth]
            rules += rule_rows(design.plan, design.layout, world, endings, raw=raw, point=point)
            reached += look_rows(design.rules, world, endings, point=point)
        no_level = "no rates or means give this value"
        rows += [blank_row(by_id[name], scenario, point, no_level) for scenario, name in worlds.impossible]
        rows += [blank_row(t, "expected", point, t.problem) for t in design.layout.targets if t.problem]
        rules += _unshared(design, rules, point)
    return rows, rules, reached


def _unshared(design: Design, found: list[RuleRow], point: int) -> Iterator[RuleRow]:
    """Claims and families without a rate in a scenario: their members cannot hold their values together."""
    have = {(row.id, row.scenario) for row in found if row.point == point}
    names: list[tuple[str, str]] = [(claim.id, "claim") for claim in design.plan.claim]
    for scenario in ("null", "expected"):
        for name, kind in names:
            if (name, scenario) not in have:
                reason = "its hypotheses cannot all be simulated, or cannot hold these values together"
                yield RuleRow.model_validate(
                    {"id": name, "kind": kind, "scenario": scenario, "point": point, "rate": None, "reason": reason}
                )


def _search(search: Search, progress: Progress) -> Iterator[SeedsNeeded]:
    plan = search.design.plan
    ids = [t.id for t in search.design.layout.targets if t.kind == "hypothesis" and t.estimand.unit == "seed"]
    ids += [claim.id for claim in plan.claim]
    points = search.design.assumed.as_planned
    total = len(ids) * points
    for i, (identity, point) in enumerate((name, p) for name in ids for p in range(points)):
        progress("searching for the seeds needed", i, total)
        yield search.needed(identity, point)
    progress("searching for the seeds needed", total, total)


def simulation_path(paths: StudyPaths) -> Path:
    """Where a study's simulation lies."""
    return paths.locks / "simulation.json"


def run_simulation(
    paths: StudyPaths,
    *,
    simulations: int,
    seed: int,
    progress: Progress = quiet,
    bayes: int = 0,
    to: Path | None = None,
) -> SimulationResult:
    """Simulate a study's plan and write `lockfiles/STUDY/simulation.json`, which the next lock records.

    Parameters
    ----------
    bayes
        Data sets on which each planned Bayesian hierarchy is calibrated; 0 for none.
    to
        Another file to write.

    Raises
    ------
    OutOfOrder
        The plan is the locked one and `to` is not given: the simulation stays as it was at the lock.
    """
    if to is None:
        _require_not_locked(paths)
    plan = read_plan(paths.plan)
    items = count_items(plan, paths)
    result = simulate_design(
        plan,
        simulations=simulations,
        seed=seed,
        progress=progress,
        items=items,
        study=paths.name,
        plan_sha256=sha256_file(paths.plan),
    )
    if bayes:
        from seedlock.analysis.simulation.bayes import calibrations  # noqa: PLC0415 - numba takes seconds to import

        rows = calibrations(plan, simulations=bayes, seed=seed, progress=progress, items=items)
        result = result.model_copy(update={"calibration": rows})
    write_atomic(to or simulation_path(paths), result.to_bytes())
    return result


def _require_not_locked(paths: StudyPaths) -> None:
    """Let a study that was changed since its lock be simulated for the amendment, and no other locked one."""
    files = lock_paths(paths)
    if files and holds_as_it_stands(read_lock(files[-1]), paths):
        fault = Finding(
            where=paths.relative(simulation_path(paths)),
            found=f"the plan of lock {len(files)}",
            promised="what was known of the design when it was locked",
        )
        raise OutOfOrder(
            f"{paths.name} is locked: its simulation stays as it was",
            fault,
            then=f"seedlock simulate {paths.name} --to FILE  writes another one elsewhere",
        )


def simulation_for_lock(paths: StudyPaths) -> bytes | None:
    """The simulation's bytes if there is one of this very plan; None if there is none.

    Raises
    ------
    BadInput
        There is one, of another plan.
    """
    file = simulation_path(paths)
    if not file.is_file():
        return None
    data = file.read_bytes()
    made_for = json.loads(data).get("plan_sha256")
    current = sha256_file(paths.plan)
    if made_for != current:
        raise BadInput(
            f"the simulation of {paths.name} was made for another plan",
            Finding(where=paths.relative(file), found=f"plan {made_for}", promised=f"plan {current}"),
            then=f"seedlock simulate {paths.name}  again,  or delete the file to lock without a simulation",
        )
    return data
