"""Original and replication side by side: what was found, what that promised, and what was found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.bands import Scale
from seedlock.analysis.report.figures.forest import scale_groups
from seedlock.analysis.report.figures.rows import PER_FIGURE, Row, draw_rows, height_of
from seedlock.analysis.report.figures.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    SHADE,
    TINT,
    Caption,
    Figure,
    canvas,
    finish,
)
from seedlock.analysis.report.text.formats import hypothesis_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAPTION = Caption(
    look="Whether each lower dot lies on the pale stretch above it.",
    read=(
        "The upper dot and line are the original's estimate and interval; the pale stretch is its prediction of the "
        "replication's estimate, both errors counted; the lower dot and line are the replication. Tinted: "
        "the predicted band; grey: the others."
    ),
    otherwise="The lower dot would lie outside the pale stretch, or in a grey band.",
)
_KEYS = ("id", "original_estimate", "original_ci", "promise", "is_consistent")


def replication_figures(results: Mapping[str, Any]) -> Iterator[Figure]:
    """One figure a scale, of the hypotheses that both studies tested."""
    if results.get("replication") is None:
        return
    before = {one["id"]: one for one in results["replication"]["hypotheses"] if one["original_estimate"] is not None}
    number = 0
    for group in scale_groups(results):
        both = [h for h in group if h["id"] in before and h["estimate"] is not None]
        for some in batched(both, PER_FIGURE):
            number += 1
            yield _beside([(h, before[h["id"]]) for h in some], slug=f"replication-{number}")


def _beside(pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]], *, slug: str) -> Figure:
    words = {True: "consistent", False: "not consistent", None: "not compared"}
    scale = _scale(pairs)
    rows = [Row(label=h["id"], note=words[o["is_consistent"]], draw=partial(_draw, h, o)) for h, o in pairs]
    first = pairs[0][0]
    with canvas(height_of(rows)) as (figure, (axes,)):
        draw_rows(axes, rows, scale, kind=hypothesis_kind(first), unit=first["unit_text"])
        said = "; ".join(f"{h['id']}: {words[o['is_consistent']]}" for h, o in pairs)
        data = [{key: o[key] for key in _KEYS} | {"estimate": h["estimate"], "ci": h["ci"]} for h, o in pairs]
        return finish(
            figure,
            slug=slug,
            title="Did it come out again?",
            caption=_CAPTION,
            alt=f"Original and replication of each hypothesis. {said}.",
            data={"unit": first["unit_text"], "rows": data},
        )


def _scale(pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Scale:
    values: list[float] = []
    for h, o in pairs:
        values += [band["upper"] for band in h["bands"] if band["upper"] is not None]
        values += [
            h["estimate"],
            o["original_estimate"],
            *(h["ci"] or []),
            *(o["original_ci"] or []),
            *(o["promise"] or []),
        ]
    margin = 0.1 * (max(values) - min(values)) or 1.0
    return Scale(low=min(values) - margin, high=max(values) + margin)


def _draw(h: Mapping[str, Any], original: Mapping[str, Any], axes: Axes, y: float) -> None:
    low, high = axes.get_xlim()
    for band in h["bands"]:
        left, right = (
            (low if band["lower"] is None else band["lower"]),
            (high if band["upper"] is None else band["upper"]),
        )
        axes.fill_betweenx(
            [y - 0.3, y + 0.16], left, right, color=TINT if band["name"] == h["predicted"] else SHADE, linewidth=0
        )
        if band["upper"] is not None:
            axes.plot([right, right], [y - 0.3, y + 0.16], color=MUTED, linewidth=0.8)
    if original["promise"] is not None:
        axes.plot(original["promise"], [y - 0.07] * 2, color=ORANGE, linewidth=3.0, alpha=0.35, solid_capstyle="butt")
    for estimate, bar, colour, place in (
        (original["original_estimate"], original["original_ci"], INK, y + 0.04),
        (h["estimate"], h["ci"], BLUE, y - 0.19),
    ):
        if bar is not None:
            axes.plot(bar, [place] * 2, color=colour, linewidth=1.6, solid_capstyle="butt", zorder=3)
        axes.plot([estimate], [place], "o", color=colour, markersize=4.5, zorder=4)
