"""Design simulation: 2,000 studies of 3 arms x 5 seeds x 60 items x 10 answers, then the seeds needed."""

from __future__ import annotations

import time
from pathlib import Path

from seedlock.analysis.simulation.run import simulate_design
from seedlock.prereg.plan.read import parse_plan

PLAN = """
[study]
title    = "Does an attitude spread?"
question = "Does training move answers on other topics?"

[inference]
seeds = "new"
items = "these"
alpha = 0.05

[models.m]
base     = "any"
revision = "any"

[arms]
neutral  = {}
cautious = {}
eager    = {}

[grid]
models = ["m"]
seeds  = [0, 1, 2, 3, 4]

[measures.choice]
kind   = "marker_rate"
marker = "go ahead"

[design]
items = 60
draws = 10

[design.measures.choice]
base = 0.3

[[hypothesis]]
id        = "H1"
claim     = "Framing moves answers in the trained direction."
measure   = "choice"
contrast  = { eager = 0.5, cautious = -0.5 }
test      = "pooled_t"
bands     = ["opposite", -0.05, "negligible", 0.05, "supported"]
predicted = "supported"

[[hypothesis]]
id        = "H2"
claim     = "Eager training moves answers."
measure   = "choice"
contrast  = { eager = 1.0, neutral = -1.0 }
test      = "welch_t"
bands     = ["opposite", 0.0, "supported"]
predicted = "supported"

[[claim]]
id     = "both"
says   = "Both."
all_of = ["H1", "H2"]
"""


def main() -> None:
    """Print wall and processor seconds with and without the search for the seeds needed."""
    plan = parse_plan(PLAN.encode(), Path("bench/plan.toml"))
    for what, most_seeds in (("simulation", 0), ("simulation and seeds needed", 64)):
        start, processor = time.perf_counter(), time.process_time()
        result = simulate_design(plan, simulations=2000, seed=1, most_seeds=most_seeds)
        worlds = len({(row.scenario, row.point) for row in result.rows})
        print(
            f"{what:<28} {worlds} worlds x {result.simulations:,} studies: "
            f"{time.process_time() - processor:6.1f} processor s, {time.perf_counter() - start:6.1f} s"
        )


if __name__ == "__main__":
    main()
