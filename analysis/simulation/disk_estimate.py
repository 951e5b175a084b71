"""Room that posteriors take: draws of every Bayesian fit that a plan asks for."""

from __future__ import annotations

from seedlock.analysis.simulation.assumptions import assume
from seedlock.analysis.simulation.counting import count_items
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.amounts import Line, about
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import Where, listed

DRAW_BYTES = 8
OTHERS = 12
"""Arms, spreads and sampler statistics of a draw, beside its runs and items."""


def posterior_lines(paths: StudyPaths, plan: Plan) -> list[Line]:
    """One fit for each hypothesis that asks for one; those that speak of the same data will share theirs."""
    asking = [(hypothesis, extra) for _, hypothesis, extra in plan.expanded() if hypothesis.bayes is not None]
    if not asking:
        return []
    n_items = assume(plan, count_items(plan, paths)).items
    size = 0
    for hypothesis, extra in asking:
        where: Where = {"model": [*plan.grid.models], **hypothesis.where, **extra}
        models = listed(where["model"])
        runs = sum(run.seed is not None and run.model in models for run in plan.runs())
        size += runs + n_items[hypothesis.items] + OTHERS
    draws = plan.bayes.draws * plan.bayes.chains * DRAW_BYTES
    note = "a number for each draw, run and item of every fit; hypotheses on the same data share one"
    return [Line(part="disk", of="", what="posteriors", unit="bytes", amount=about(draws * size, note))]
