"""Rank histograms, which show whether every chain visits every part of the posterior equally often."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

import numpy as np

from seedlock.analysis.bayes.posterior_draws import FloatArray, PosteriorDraws
from seedlock.analysis.report.figures.rows import clipped
from seedlock.analysis.report.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    Caption,
    Figure,
    canvas,
    finish,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 16
_PER_FIGURE = 16
_CAPTION = Caption(
    look="Whether all steps stay near the dashed line.",
    read=(
        "All draws of a parameter are ranked together; each stepped line counts one chain's ranks. The grey band holds "
        "what a well-mixed chain does by chance in nearly every bin."
    ),
    otherwise="Had a chain been stuck, its line would pile up at one side and the others would gape there.",
)


def convergence_figures(results: Mapping[str, Any], posteriors: Mapping[str, PosteriorDraws]) -> Iterator[Figure]:
    """Small panels, one a parameter of a hypothesis, sixteen a figure."""
    panels = [
        (f"{h['id']} · {name}", chains)
        for h in results["hypotheses"]
        if (draws := posteriors.get(h["id"])) is not None
        for name, chains in draws.chains_CK.items()
    ]
    for number, some in enumerate(batched(panels, _PER_FIGURE), start=1):
        yield _figure(some, slug=f"convergence-{number}")


def rank_counts(chains_CK: FloatArray, *, bins: int = _BINS) -> FloatArray:
    """Counts of each chain's ranks among all draws, shape (chains, bins).

    Notes
    -----
    Vehtari et al. (2021), https://doi.org/10.1214/20-BA1221
    """
    ranks = np.argsort(np.argsort(chains_CK, axis=None, kind="stable"), kind="stable").reshape(chains_CK.shape)
    edges = np.linspace(0, chains_CK.size, bins + 1)
    return np.array([np.histogram(row, bins=edges)[0] for row in ranks], dtype=np.float64)


def _figure(panels: Sequence[tuple[str, FloatArray]], *, slug: str) -> Figure:
    columns = 2 if len(panels) > 1 else 1
    rows = math.ceil(len(panels) / columns)
    with canvas(1.0 * rows + 0.35, rows=rows, columns=columns) as (figure, axes):
        counts = [rank_counts(chains) for _, chains in panels]
        for place, (name, _), count in zip(axes, panels, counts, strict=False):
            _panel(place, name, count)
        for place in axes[len(panels) :]:
            place.set_visible(False)
        figure.subplots_adjust(
            left=0.03, right=0.97, top=1 - 0.22 / (rows + 0.35), bottom=0.2 / (rows + 0.35), hspace=0.45, wspace=0.08
        )
        return finish(
            figure,
            slug=slug,
            title="Did the sampler's chains agree?",
            caption=_CAPTION,
            alt="Rank histograms of the chains for " + ", ".join(name for name, _ in panels) + ".",
            data={"panels": [{"parameter": n, "counts": c.tolist()} for (n, _), c in zip(panels, counts, strict=True)]},
        )


def _panel(axes: Axes, name: str, counts: FloatArray) -> None:
    expected = float(counts.mean())
    chance = 3 * math.sqrt(expected * (1 - 1 / counts.shape[1]))
    axes.axhspan(max(0.0, expected - chance), expected + chance, color=RULE, alpha=0.6, linewidth=0)
    axes.axhline(expected, color=MUTED, linewidth=0.8, linestyle="--")
    steps = np.arange(counts.shape[1] + 1)
    for i, row in enumerate(counts):
        axes.stairs(row, steps, baseline=None, color=(BLUE, ORANGE, GREEN, INK)[i % 4], linewidth=0.9)
    reach = max(1.6 * chance, 1.1 * float(np.abs(counts - expected).max()))
    axes.set_ylim(expected - reach, expected + reach)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_title(clipped(name, 36), fontsize=8, loc="left", pad=3)
