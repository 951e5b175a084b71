"""Build the report: the page, its appendix, their Markdown twin, and every figure with the numbers it plots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.report.check import require_sound
from seedlock.analysis.report.figures import FIGURES
from seedlock.analysis.report.figures.design import design_picture
from seedlock.analysis.report.figures.headline import headline_figure
from seedlock.analysis.report.figures.style import Figure
from seedlock.analysis.report.markdown import render_markdown
from seedlock.analysis.report.page import Digest, render_appendix, render_page
from seedlock.analysis.report.reading_order import in_reading_order
from seedlock.analysis.report.view import gather
from seedlock.analysis.results.schema import Results
from seedlock.analysis.simulation.counting import count_items
from seedlock.prereg.base.canonical import canonical_json, sha256_bytes, write_atomic
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.verify.review_page import review_page

_ACTIVE = re.compile(r"<\s*(?:script|foreignObject|a|image|iframe|animate|set)\b|\son\w+\s*=", re.IGNORECASE)
"""What no drawing of ours holds: programs, other documents, links."""


def build_report(results: Results, locked: LockedPlan, posteriors: Mapping[str, PosteriorDraws], out: Path) -> None:
    """Write pages, Markdown, REVIEW.md and figures/ into `out`. The same inputs give the same bytes.

    Parameters
    ----------
    results
        What results.json says; its caller writes that file.
    locked
        The plan the method text is generated from.
    posteriors
        Hypothesis id -> draws; hypotheses without a fitted model are left out.
    out
        `reports/STUDY`. Files of an earlier report's figures are removed.

    Raises
    ------
    ReportRefused
        What was built says something that its results do not; its caller does not publish it.
    """
    files = report_files(results, locked, posteriors)
    for stale in sorted((out / "figures").glob("*")):
        if f"figures/{stale.name}" not in files and stale.suffix in {".svg", ".png", ".json"}:
            stale.unlink()
    for name, content in files.items():
        write_atomic(out / name, content)
    require_sound(out, results, locked.plan, study=locked.paths.name)


def report_files(
    results: Results,
    locked: LockedPlan,
    posteriors: Mapping[str, PosteriorDraws],
    *,
    pictures: Mapping[str, bytes] = MappingProxyType({}),
) -> dict[str, bytes]:
    """Name and bytes of every file of the report that is drawn; nothing is read but what the lock pins.

    Parameters
    ----------
    pictures
        Files of a published report: a figure that plots the same data is taken from them, as other libraries drew it.
    """
    data = in_reading_order(results, locked.plan)
    drawn = (headline_figure(data, locked.plan), *draw_figures(data, posteriors), *_design_figure(locked))
    figures = tuple(_as_published(figure, pictures) for figure in drawn)
    view = gather(data, locked, figures[0], figures[1:])
    digests = [*_digests(results, locked), *_figure_digests(figures)]
    return {
        "report.html": render_page(view, data).encode(),
        "appendix.html": render_appendix(view, data, posteriors, digests).encode(),
        "report.md": render_markdown(view, data).encode(),
        "REVIEW.md": review_page(locked, results.check_page_sha256).encode(),
        **{f"figures/{name}": content for figure in figures for name, content in _files(figure).items()},
    }


def draw_figures(results: Mapping[str, Any], posteriors: Mapping[str, PosteriorDraws]) -> Iterator[Figure]:
    """Every figure that these results have something to show in."""
    yield from chain.from_iterable(draw(results, posteriors) for draw in FIGURES)


def _design_figure(locked: LockedPlan) -> Iterator[Figure]:
    """The picture that `simulate` drew, where the lock records a simulation."""
    if locked.lock.design.simulation_sha256 is not None:
        yield design_picture(locked.plan, count_items(locked.plan, locked.paths))


def _files(figure: Figure) -> dict[str, bytes]:
    data = canonical_json(dict(figure.data)) + b"\n"
    return {f"{figure.slug}.svg": figure.svg.encode(), f"{figure.slug}.png": figure.png, f"{figure.slug}.json": data}


def _as_published(figure: Figure, pictures: Mapping[str, bytes]) -> Figure:
    """The published pictures of a figure that plots the same data, where they are no more than pictures."""
    svg, png, data = (pictures.get(f"figures/{figure.slug}.{kind}") for kind in ("svg", "png", "json"))
    if svg is None or png is None or data != _files(figure)[f"{figure.slug}.json"]:
        return figure
    drawing = svg.decode("utf-8", "replace")
    return figure if _ACTIVE.search(drawing) else replace(figure, svg=drawing, png=png)


def _digests(results: Results, locked: LockedPlan) -> Iterator[Digest]:
    name = f"lock-{locked.lock.n:04d}.json"
    yield Digest(what="lock", path=f"lockfiles/{locked.paths.name}/{name}", sha256=locked.lock_id)
    yield Digest(what="results", path="results.json", sha256=sha256_bytes(results.to_bytes()))
    for entry in results.inputs:
        yield Digest(what="sealed data", path=entry.path, sha256=entry.sha256)
    for file in locked.lock.files:
        yield Digest(what="locked file", path=file.path, sha256=file.sha256)
    for file in locked.lock.code:
        yield Digest(what="locked code", path=file.path, sha256=file.sha256)


def _figure_digests(figures: tuple[Figure, ...]) -> Iterator[Digest]:
    for figure in figures:
        for name, content in _files(figure).items():
            yield Digest(what="figure", path=f"figures/{name}", sha256=sha256_bytes(content))
