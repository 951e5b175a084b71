"""One figure more: the estimates as points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.report.figures.style import Caption, Figure, canvas, finish


def added_figures(results: Mapping[str, Any], posteriors: Mapping[str, PosteriorDraws]) -> Iterator[Figure]:
    """One point a hypothesis."""
    estimates = [h["estimate"] for h in results["hypotheses"]]
    with canvas(1.5) as (figure, (axes,)):
        axes.plot(estimates, [0.0] * len(estimates), "o")
        yield finish(
            figure,
            slug="added",
            title="Where do the points lie?",
            caption=Caption(look="At the points.", read="Each is an estimate.", otherwise="They would lie elsewhere."),
            alt="Points.",
            data={"estimates": estimates},
        )
