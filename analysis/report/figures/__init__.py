"""Figures: each takes estimates or draws, never rows, and answers one question. One file, one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.report.figures.anytime import anytime_figures
from seedlock.analysis.report.figures.cells import cell_figures
from seedlock.analysis.report.figures.convergence import convergence_figures
from seedlock.analysis.report.figures.doses import dose_figures
from seedlock.analysis.report.figures.forest import forest_figures
from seedlock.analysis.report.figures.inside import inside_figures
from seedlock.analysis.report.figures.multiverse import multiverse_figures
from seedlock.analysis.report.figures.replication import replication_figures
from seedlock.analysis.report.figures.style import Figure
from seedlock.analysis.report.figures.unit_sd import unit_sd_figures
from seedlock.analysis.report.figures.units import unit_figures

type FromResults = Callable[[Mapping[str, Any]], Iterator[Figure]]
type FromDraws = Callable[[Mapping[str, Any], Mapping[str, PosteriorDraws]], Iterator[Figure]]


def _of(draw: FromResults) -> FromDraws:
    return lambda results, _posteriors: draw(results)


FIGURES: tuple[FromDraws, ...] = (
    _of(forest_figures),
    _of(replication_figures),
    _of(unit_figures),
    _of(dose_figures),
    _of(anytime_figures),
    _of(cell_figures),
    unit_sd_figures,
    convergence_figures,
    _of(multiverse_figures),
    _of(inside_figures),
)
"""In the order of the page."""
