"""Build the report: the page, its Markdown twin, and every figure with the numbers it plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.report.check import require_sound
from seedlock.analysis.report.figures import FIGURES
from seedlock.analysis.report.figures.design import design_picture
from seedlock.analysis.report.figures.headline import headline_figure
from seedlock.analysis.report.figures.style import Figure
from seedlock.analysis.report.markdown import render_markdown
from seedlock.analysis.report.page import Digest, render_page
from seedlock.analysis.report.view import gather
from seedlock.analysis.results.schema import Results
from seedlock.analysis.simulation.counting import count_items
from seedlock.prereg.base.canonical import canonical_json, sha256_bytes, write_atomic
from seedlock.prereg.lock.gate import LockedPlan


def build_report(results: Results, locked: LockedPlan, posteriors: Mapping[str, PosteriorDraws], out: Path) -> None:
    """Write report.html, report.md and figures/ into `out`. The same inputs give the same bytes.

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
    data = results.model_dump(mode="json")
    headline = headline_figure(data, locked.plan)
    others = (*draw_figures(data, posteriors), *_design_figure(locked))
    figures = (headline, *others)
    _write_figures(figures, out / "figures")
    view = gather(data, locked, headline, others)
    page = render_page(view, data, posteriors, [*_digests(results, locked), *_figure_digests(figures)])
    write_atomic(out / "report.html", page.encode())
    write_atomic(out / "report.md", render_markdown(view, data).encode())
    require_sound(out, results, locked.plan, study=locked.paths.name)


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


def _write_figures(figures: tuple[Figure, ...], folder: Path) -> None:
    files = {name: content for figure in figures for name, content in _files(figure).items()}
    for stale in sorted(folder.glob("*")) if folder.is_dir() else []:
        if stale.name not in files and stale.suffix in {".svg", ".png", ".json"}:
            stale.unlink()
    for name, content in files.items():
        write_atomic(folder / name, content)


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
