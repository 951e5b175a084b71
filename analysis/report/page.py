"""The page and its appendix: self-contained HTML files that may load nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.report.figures.bands import band_picture, row_layout, shown_range
from seedlock.analysis.report.figures.style import Figure
from seedlock.analysis.report.sections.answer import StatusView
from seedlock.analysis.report.sections.first_screen import GLYPHS
from seedlock.analysis.report.sections.hypotheses import HypothesisView
from seedlock.analysis.report.view import View
from seedlock.analysis.report.writers import HtmlWriter

TEMPLATES = Path(__file__).parent / "templates"
_SECTIONS = (
    ("answer", "Answer"),
    ("found", "Promised and found"),
    ("samples", "Samples"),
    ("figures", "Figures"),
    ("accounting", "Nothing swept away"),
    ("how", "Plan"),
    ("check", "Check"),
)
_SHOWN_SAMPLES = 4
_OPTIONAL = {"samples", "figures", "cells"}
_APPENDIX = (
    ("hypotheses", "Hypotheses"),
    ("figures", "Figures"),
    ("cells", "Cells"),
    ("counts", "Counts and checks"),
    ("data", "Data and digests"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A file that the page vouches for."""

    what: str
    path: str
    sha256: str


@cache
def templates() -> Environment:
    """The report's templates; everything written into them is escaped unless it is Markup."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(view: View, results: Mapping[str, Any]) -> str:
    """The page that is read: answer, promised and found, samples, figures, what became of everything.

    Parameters
    ----------
    view
        What it says.
    results
        results.json as plain data, to which every number is bound.
    """
    return render(
        "page.html.j2",
        view,
        results,
        sections=[entry for entry in _SECTIONS if entry[0] not in _OPTIONAL or getattr(view, entry[0])],
        row_picture=_row_picture,
        shown_samples=_SHOWN_SAMPLES,
        picture=drawn(view.headline.figure),
    )


def render_appendix(
    view: View, results: Mapping[str, Any], posteriors: Mapping[str, PosteriorDraws], digests: Sequence[Digest]
) -> str:
    """What only a statistician opens: every hypothesis in full, every figure, cell, count and digest.

    Parameters
    ----------
    view, results
        As for the page.
    posteriors
        Hypothesis id -> draws, for the curves of the band pictures.
    digests
        Files that the report was made from and with.
    """

    def whole_picture(h: HypothesisView) -> Markup:
        scale = shown_range(h.siblings, [posteriors.get(sibling["id"]) for sibling in h.siblings])
        return band_picture(h.raw, posteriors.get(h.raw["id"]), scale)

    return render(
        "appendix.html.j2",
        view,
        results,
        sections=[entry for entry in _APPENDIX if entry[0] not in _OPTIONAL or getattr(view, entry[0])],
        whole_picture=whole_picture,
        digests=digests,
    )


class OnEveryPage(Protocol):
    """What the frame of a page says of what it reports."""

    @property
    def status(self) -> StatusView:
        """What it may call itself."""

    @property
    def study(self) -> str:
        """Its name."""


def render(template: str, view: OnEveryPage, results: Mapping[str, Any], **more: Any) -> str:
    """Fill a template that extends the frame: the view's fields, a writer of bound numbers, style and script."""
    script = _asset("page.js")
    page = templates().get_template(template).render(
        **view_fields(view),
        **more,
        w=HtmlWriter(results),
        title=results["title"],
        glyphs=GLYPHS,
        drawn=drawn,
        style=Markup(_asset("page.css").replace("{{ print_header }}", _print_header(view))),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        policy=_policy(script),
    )  # fmt: skip
    return page.rstrip() + "\n"


def _row_picture(h: HypothesisView, *, is_first: bool, is_last: bool) -> Markup:
    """One row of its claim, on the scale that the claim's rows share."""
    scale = shown_range(h.siblings, [None] * len(h.siblings))
    return band_picture(h.raw, None, scale, row_layout(is_first=is_first, is_last=is_last))


def drawn(figure: Figure) -> Markup:
    """A figure as it stands in the page."""
    return Markup(figure.in_page())  # noqa: S704 - drawn here, escaped there


def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").strip()


def _policy(script: str) -> str:
    """Nothing is loaded from anywhere; the one script is the one whose digest stands here."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def view_fields(view: Any) -> dict[str, Any]:
    """The fields of a view by their names, as templates ask for them."""
    return {field.name: getattr(view, field.name) for field in fields(view)}


def _print_header(view: OnEveryPage) -> str:
    """Status and study for the head of every printed page, as the inside of a CSS string."""
    study = re.sub(r"[^A-Za-z0-9_.\-]", " ", view.study)
    return f"{view.status.word.upper()} \\00B7  {study}"
