"""Which figures the page shows and which its appendix, each over a caption that begins with what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from seedlock.analysis.report.figures.findings import finding_of
from seedlock.analysis.report.figures.style import Caption, Figure
from seedlock.analysis.report.text.pieces import Line

_ON_THE_PAGE = ("replication-", "cells-", "inside-", "multiverse")
_BESIDE = 2
"""As many figures of one question stand beside each other on the page; of more it shows one, the appendix all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionView:
    """Figures that answer one question, over one caption. `has_more` where the appendix shows further ones."""

    title: str
    finding: Line
    caption: Caption
    plots: tuple[Figure, ...]
    has_more: bool = False


def on_the_page(results: Any, figures: Sequence[Figure], measure: str) -> tuple[QuestionView, ...]:
    """A figure or two a question, for the questions that a reader of the page has.

    Parameters
    ----------
    results
        results.json as plain data, from which a caption says what was found.
    figures
        All but the first screen's.
    measure
        The headline's: its figure is shown where there is one a measure.
    """
    views = []
    for title, some in _by_question(figures):
        if not some[0].slug.startswith(_ON_THE_PAGE):
            continue
        lead = next((f for f in some if f.data.get("measure") == measure), some[0])
        plots = some if len(some) <= _BESIDE and "measure" not in lead.data else (lead,)
        views.append(
            QuestionView(
                title=title,
                finding=finding_of(results, plots),
                caption=lead.caption,
                plots=plots,
                has_more=len(plots) < len(some),
            )
        )
    return tuple(views)


def in_the_appendix(figures: Sequence[Figure]) -> tuple[QuestionView, ...]:
    """Every figure but the first screen's."""
    return tuple(
        QuestionView(title=title, finding=(), caption=some[0].caption, plots=some)
        for title, some in _by_question(figures)
    )


def _by_question(figures: Sequence[Figure]) -> list[tuple[str, tuple[Figure, ...]]]:
    """Figures of one title together, in the order of their first."""
    titles = list(dict.fromkeys(f.title for f in figures))
    ordered = sorted(figures, key=lambda f: titles.index(f.title))
    return [(title, tuple(some)) for title, some in groupby(ordered, key=lambda f: f.title)]
