"""The page: one self-contained HTML file that may load nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.report.figures.bands import Scale, band_picture, shown_range
from seedlock.analysis.report.figures.style import Figure
from seedlock.analysis.report.sections.first_screen import GLYPHS
from seedlock.analysis.report.sections.hypotheses import HypothesisView
from seedlock.analysis.report.text.pieces import Quote
from seedlock.analysis.report.view import View, level_line
from seedlock.analysis.report.writers import HtmlWriter

TEMPLATES = Path(__file__).parent / "templates"
_SECTIONS = (
    ("answer", "Answer"),
    ("found", "Promised and found"),
    ("accounting", "Nothing swept away"),
    ("figures", "Figures"),
    ("samples", "Samples"),
    ("how", "How"),
    ("check", "Check"),
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


def render_page(
    view: View,
    results: Mapping[str, Any],
    posteriors: Mapping[str, PosteriorDraws],
    digests: Sequence[Digest],
) -> str:
    """The whole page.

    Parameters
    ----------
    view
        What it says.
    results
        results.json as plain data, to which every number is bound.
    posteriors
        Hypothesis id -> draws, for the curves of the band pictures.
    digests
        Files that the page was made from and with.
    """
    said = {field.name: getattr(view, field.name) for field in fields(view)}
    said["hypotheses"] = [
        {
            **{field.name: getattr(h, field.name) for field in fields(h)},
            "picture": band_picture(h.raw, posteriors.get(h.raw["id"]), _shared_scale(h, posteriors)),
            "glyph": GLYPHS[h.outcome],
            "level": level_line(h),
            "id_line": (Quote(f"{h.ref}/id"),),
        }
        for h in view.hypotheses
    ]
    said["picture"] = Markup(view.headline.figure.in_page())  # noqa: S704 - drawn here, escaped there
    said["figures"] = [_question(title, tuple(some)) for title, some in groupby(view.figures, key=lambda f: f.title)]
    script = _asset("page.js")
    page = templates().get_template("page.html.j2").render(
        **said,
        w=HtmlWriter(results),
        title=results["title"],
        sections=[entry for entry in _SECTIONS if entry[0] != "samples" or view.samples],
        style=Markup(_asset("page.css").replace("{{ print_header }}", _print_header(view))),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        policy=_policy(script),
        digests=digests,
    )  # fmt: skip
    return page.rstrip() + "\n"


def _shared_scale(h: HypothesisView, posteriors: Mapping[str, PosteriorDraws]) -> Scale:
    """Siblings are drawn on one scale, so that their pictures can be compared."""
    return shown_range(h.siblings, [posteriors.get(sibling["id"]) for sibling in h.siblings])


def _question(title: str, figures: tuple[Figure, ...]) -> dict[str, Any]:
    """Figures that answer one question stand together over one caption."""
    plots = [{"slug": f.slug, "svg": Markup(f.in_page())} for f in figures]  # noqa: S704 - drawn here, escaped there
    return {"title": title, "caption": figures[0].caption, "plots": plots}


def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").strip()


def _policy(script: str) -> str:
    """Nothing is loaded from anywhere; the one script is the one whose digest stands here."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def _print_header(view: View) -> str:
    """Status and study for the head of every printed page, as the inside of a CSS string."""
    study = re.sub(r"[^A-Za-z0-9_.\-]", " ", view.study)
    return f"{view.status.word.upper()} \\00B7  {study}"
