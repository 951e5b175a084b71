"""How figures look: Okabe-Ito colours, text as text, the same bytes every time, light and dark in one SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

INK, MUTED, RULE = "#22262b", "#6a727c", "#d4d8dd"
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
TINT, SHADE = "#d9e9f4", "#eef0f2"

_IN_PAGE = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    BLUE: "var(--accent)",
    ORANGE: "var(--second)",
    GREEN: "var(--third)",
    TINT: "var(--band-left)",
    SHADE: "var(--band-out)",
}
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "seedlock",
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "axes.unicode_minus": True,
}
WIDTH_IN = 5.0
_PDFS: ContextVar[dict[str, bytes] | None] = ContextVar("pdfs", default=None)
_PLACES = re.compile(r'\s(?:d|x|y|x1|x2|y1|y2|points)="[^"]*"')
_DECIMALS = re.compile(r"(\.\d\d)\d+")
"""Places beyond a hundredth of a point, which no screen or printer shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What to look at, how to read it, and what would have looked different had the claim been false. No digits."""

    look: str
    read: str
    otherwise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One finished figure.

    Parameters
    ----------
    slug
        File name without its ending, and the figure's id on the page.
    title
        The question it answers.
    alt
        The picture in words, for who cannot see it.
    svg, png
        The files' content; `svg` stands alone, in fixed colours on white.
    data
        What is plotted, as plain JSON data.
    """

    slug: str
    title: str
    caption: Caption
    alt: str
    svg: str
    png: bytes
    data: Mapping[str, Any]

    def in_page(self) -> str:
        """The SVG to write into the page: ids of its own, colours and type from the page's style sheet."""
        svg = self.svg[self.svg.index("<svg") :]
        svg = re.sub(r'<rect class="paper"[^>]*/>', "", svg)
        svg = re.sub(r'\bid="([^"]+)"', rf'id="{self.slug}-\1"', svg)
        svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{self.slug}-", svg)
        for fixed, variable in _IN_PAGE.items():
            svg = svg.replace(fixed, variable)
        return re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 var(--sans)", svg)


@contextmanager
def canvas(
    height_in: float, *, rows: int = 1, columns: int = 1, width_in: float = WIDTH_IN
) -> Iterator[tuple[Canvas, list[Axes]]]:
    """A blank figure in the report's style, by default of its width; closed afterwards.

    Matplotlib follows a `matplotlibrc` in the working folder, which may be a stranger's and can have programs run
    (`text.usetex`): nothing of it is kept.
    """
    import matplotlib as mpl  # noqa: PLC0415 - drawing is the last step; nothing else needs it
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure as Blank  # noqa: PLC0415

    with mpl.rc_context():
        mpl.rcdefaults()  # nobody's own matplotlibrc: the same bytes everywhere
        mpl.rcParams.update(_RC)
        figure = Blank(figsize=(width_in, height_in))
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False)
        yield figure, list(axes.flat)


def finish(figure: Canvas, *, slug: str, title: str, caption: Caption, alt: str, data: Mapping[str, Any]) -> Figure:
    """Write the canvas as SVG and PNG, both free of dates and version marks."""
    picture, vector = io.BytesIO(), io.StringIO()
    figure.savefig(picture, format="png", dpi=200, facecolor="white", metadata={"Software": None})
    if (pdfs := _PDFS.get()) is not None:
        pdfs[slug] = _pdf(figure)
    none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(vector, format="svg", transparent=True, metadata=none)
    return Figure(
        slug=slug,
        title=title,
        caption=caption,
        alt=alt,
        svg=_plain_svg(vector.getvalue(), alt),
        png=_few_colours(picture.getvalue()),
        data=data,
    )


@contextmanager
def also_as_pdf() -> Iterator[dict[str, bytes]]:
    """Keep every figure that is finished inside as PDF too, by its slug: what a paper includes."""
    pdfs: dict[str, bytes] = {}
    token = _PDFS.set(pdfs)
    try:
        yield pdfs
    finally:
        _PDFS.reset(token)


def _pdf(figure: Canvas) -> bytes:
    page = io.BytesIO()
    none = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    figure.savefig(page, format="pdf", transparent=True, metadata=none)
    return page.getvalue()


def _few_colours(png: bytes) -> bytes:
    """The picture with a palette: a third of the size, and no difference that an eye can see."""
    from PIL import Image  # noqa: PLC0415

    small = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        palette = picture.convert("RGB").quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        palette.save(small, format="png", optimize=True)
    return small.getvalue()


def _plain_svg(svg: str, alt: str) -> str:
    """Drop the document type and metadata (they name other hosts), put paper under it and words beside it."""
    from html import escape  # noqa: PLC0415

    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.S)
    head, rest = body.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    rest = _PLACES.sub(lambda found: _DECIMALS.sub(r"\1", found.group()), rest)
    paper = '<rect class="paper" width="100%" height="100%" fill="white"/>'
    return f'{head} role="img" aria-label="{escape(alt, quote=True)}">{paper}{rest}'
