"""Forest: every hypothesis on one scale, its bands under its interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.bands import Scale, shown_range
from seedlock.analysis.report.figures.rows import PER_FIGURE, Row, draw_rows, height_of
from seedlock.analysis.report.figures.style import BLUE, INK, MUTED, SHADE, TINT, Caption, Figure, canvas, finish
from seedlock.analysis.report.sections.hypotheses import outcome_of
from seedlock.analysis.report.text.formats import hypothesis_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAPTION = Caption(
    look="Whether each interval lies inside the tinted band, the one its authors predicted.",
    read=(
        "A dot is an estimate, the thick line its interval over the units of replication, the thin line "
        "where the next unit would fall. Tinted: the predicted band; grey: the other bands; ticks: their edges."
    ),
    otherwise="Had a claim been false, its interval would reach into a grey band or lie wholly in one.",
)


def scale_groups(results: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    """Hypotheses that share a scale, in the order of results.json."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for h in results["hypotheses"]:
        groups.setdefault((h["scale"], h["unit_text"], hypothesis_kind(h)), []).append(h)
    return list(groups.values())


def forest_figures(results: Mapping[str, Any]) -> Iterator[Figure]:
    """One figure a scale, at most thirty rows each."""
    number = 0
    for group in scale_groups(results):
        for some in batched(group, PER_FIGURE):
            number += 1
            yield _forest(some, slug=f"forest-{number}")


def _forest(hypotheses: Sequence[Mapping[str, Any]], *, slug: str) -> Figure:
    scale = shown_range(hypotheses, [None] * len(hypotheses))
    rows = bands_rows(hypotheses, scale)
    first = hypotheses[0]
    with canvas(height_of(rows)) as (figure, (axes,)):
        draw_rows(axes, rows, scale, kind=hypothesis_kind(first), unit=first["unit_text"])
        found = "; ".join(f"{h['id']}: {h['decision']}" for h in hypotheses)
        return finish(
            figure,
            slug=slug,
            title="Where does each estimate fall among its bands?",
            caption=_CAPTION,
            alt=f"Forest plot. {found}.",
            data={"unit": first["unit_text"], "rows": [_plotted(h) for h in hypotheses]},
        )


def bands_rows(hypotheses: Sequence[Mapping[str, Any]], scale: Scale) -> list[Row]:
    """A row a hypothesis: its bands, estimate and intervals."""
    limits = (scale.low, scale.high)
    return [Row(label=h["id"], note=_note(h), draw=partial(_draw, h, limits)) for h in hypotheses]


def _note(h: Mapping[str, Any]) -> str:
    outcome = outcome_of(h)
    return outcome if outcome in {"not testable", "inconclusive"} else str(h["decision"])


def _draw(h: Mapping[str, Any], limits: tuple[float, float], axes: Axes, y: float) -> None:
    low, high = limits
    for band in h["bands"]:
        left = band["lower"] if band["lower"] is not None else low
        right = band["upper"] if band["upper"] is not None else high
        colour = TINT if band["name"] == h["predicted"] else SHADE
        axes.fill_betweenx([y - 0.28, y + 0.12], left, right, color=colour, linewidth=0, zorder=1)
        if band["upper"] is not None:
            axes.plot([right, right], [y - 0.28, y + 0.12], color=MUTED, linewidth=0.8, zorder=2)
    if h["estimate"] is None:
        return
    if h["next_unit_ci"] is not None:
        axes.plot(h["next_unit_ci"], [y - 0.19] * 2, color=INK, linewidth=0.8, zorder=3)
    if h["ci"] is not None:
        axes.plot(h["ci"], [y - 0.06] * 2, color=BLUE, linewidth=2.2, solid_capstyle="butt", zorder=4)
    axes.plot([h["estimate"]], [y - 0.06], "o", color=BLUE, markersize=4.5, zorder=5, clip_on=False)


def _plotted(h: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("id", "estimate", "ci", "ci_level", "next_unit_ci", "predicted", "verdict")
    bands = [{key: band[key] for key in ("name", "lower", "upper")} for band in h["bands"]]
    return {**{key: h[key] for key in keys}, "bands": bands}
