"""The tables of docs/coverage.md: coverage or error by design and method, with what falls short of nominal marked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seedlock.analysis.estimators import ESTIMATORS

LEVEL, ALPHA = 0.95, 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One design: coverage by method (or error of a whole rule), and the share of studies that the method refused."""

    design: str
    share: Mapping[str, float]
    refused: Mapping[str, float]


def table(rows: Sequence[Row], *, nominal: float, studies: int, is_error: bool = False) -> Iterator[str]:
    """Rows as Markdown; a share that is worse than nominal beyond three Monte Carlo errors is marked."""
    methods = list(rows[0].share)
    yield f"| design | {' | '.join(f'`{m}`' if m in ESTIMATORS else m for m in methods)} |"
    yield f"|---|{'---:|' * len(methods)}"
    slack = 3 * math.sqrt(nominal * (1 - nominal) / studies)
    for row in rows:
        cells = []
        for name in methods:
            value, refused = row.share[name], row.refused[name]
            is_worse = value > nominal + slack if is_error else value < nominal - slack
            text = (
                f"**{value:.3f}** ↓"
                if is_worse and not is_error
                else f"**{value:.3f}** ↑"
                if is_worse
                else f"{value:.3f}"
            )
            cells.append(text + (f" ({refused:.0%} refused)" if refused >= 0.005 else ""))
        yield f"| {row.design} | {' | '.join(cells)} |"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of the page: its rows, how many studies a row, and what it says."""

    title: str
    says: str
    rows: Callable[[int], Iterator[Row]]
    studies: int
    nominal: float = LEVEL
    is_error: bool = False


def page(sections: Sequence[Section]) -> Iterator[str]:
    """Every section as Markdown."""
    for section in sections:
        rows = list(section.rows(section.studies))
        error = math.sqrt(section.nominal * (1 - section.nominal) / section.studies)
        yield from ("", f"## {section.title}", "", section.says)
        yield from (f"{section.studies:,} studies a row; Monte Carlo error {error:.3f}.", "")
        yield from table(rows, nominal=section.nominal, studies=section.studies, is_error=section.is_error)
