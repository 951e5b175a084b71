"""What looks at any time cost: seeds until a study stops, beside alpha spent over the same looks, and one look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from seedlock.analysis.simulation.result import LookCost, mean_of
from seedlock.analysis.simulation.rules import LookRule
from seedlock.analysis.simulation.simulate import Design, play_world, worlds_at
from seedlock.analysis.simulation.summary import target_row


def look_costs(design: Design, *, simulations: int) -> Iterator[LookCost]:
    """Every hypothesis without an effect and as expected, under each way to look; nothing where looks are planned.

    Parameters
    ----------
    simulations
        Studies a world and way.
    """
    if not design.plan.looks_at_any_time:
        return
    ways = tuple(_ways(design))
    seeds_L = np.array([look.seeds for look in design.plan.look], dtype=float)
    by_id = {t.id: t for t in design.layout.targets if t.kind == "hypothesis"}
    for point in range(design.assumed.as_planned):
        worlds, raw = worlds_at(design, point, ["null", "expected"])
        for number, world in enumerate(worlds.worlds):
            for way, looked in ways:
                endings = play_world(
                    looked, world, point=point, number=20_000 + number, simulations=simulations, raw=raw
                )
                used = seeds_L[endings.look_K] if len(looked.rules) > 1 else np.full(simulations, seeds_L[-1])
                for name in (one for one in world.truth if one in by_id):
                    row = target_row(by_id[name], world, endings, raw=raw[name], point=point)
                    cost = {"id": name, "scenario": world.scenario, "point": point, "way": way}
                    yield LookCost.model_validate(
                        cost | {"seeds": mean_of(used), "error": row.error, "power": row.power}
                    )


def _ways(design: Design) -> Iterator[tuple[str, Design]]:
    """The plan as it is; its looks with alpha spent, each study stopping once it is decided; one look at all seeds."""
    yield "anytime", design
    spent = [look.model_copy(update={"rule": None, "spend": "obrien-fleming"}) for look in design.plan.look]
    plan = design.plan.model_copy(update={"look": spent})
    rules = tuple(
        LookRule(seeds=look.seeds, when=None, plan=plan, place=place, at_will=True) for place, look in enumerate(spent)
    )
    yield "obrien-fleming", replace(design, plan=plan, rules=rules)
    plan = design.plan.model_copy(update={"look": []})
    yield "one look", replace(design, plan=plan, rules=(LookRule(seeds=None, when=None, plan=plan, place=0),))
