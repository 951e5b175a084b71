"""The band picture: scale, named bands, posterior, interval and next unit of one hypothesis in one small SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.report.figures.density import Density, density_of
from seedlock.analysis.report.text.formats import exact_spec, hypothesis_kind, hypothesis_spec, is_proportion
from seedlock.analysis.report.text.pieces import shows_hidden
from seedlock.prereg.verify.number_binding import format_value

WIDTH, LEFT, RIGHT = 360.0, 6.0, 354.0
_LETTER = 5.1
_ROW = 13.0
_BAND = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
_EDGE = Markup('<line class="edge" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>')
_CURVE = Markup('<path class="posterior" d="{}"/>')
_NOTE = Markup('<text class="none" x="{:.1f}" y="{:.1f}" text-anchor="middle">no estimate: not testable</text>')
_NEXT = Markup('<path class="next" d="M{0:.1f},{2:.1f}H{1:.1f}M{0:.1f},{3:.1f}v6M{1:.1f},{3:.1f}v6"/>')
_INTERVAL = Markup('<line class="ci" x1="{0:.1f}" x2="{1:.1f}" y1="{2:.1f}" y2="{2:.1f}"/>')
_DOT = Markup('<circle class="estimate" cx="{:.1f}" cy="{:.1f}" r="4"/>')
_TICK = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A stretch of the hypothesis's scale and where it lies on the picture."""

    low: float
    high: float

    def x(self, value: float) -> float:
        """Horizontal place of `value`, held inside the picture."""
        share = (value - self.low) / (self.high - self.low)
        return LEFT + min(1.0, max(0.0, share)) * (RIGHT - LEFT)


def shown_range(hypotheses: Sequence[Mapping[str, Any]], draws: Sequence[PosteriorDraws | None]) -> Scale:
    """The stretch that holds every edge, interval and next-unit interval, with a margin."""
    values: list[float] = []
    for h, posterior in zip(hypotheses, draws, strict=True):
        values += [band["upper"] for band in h["bands"] if band["upper"] is not None]
        for key in ("ci", "next_unit_ci"):
            values += h[key] or []
        values += [h["estimate"]] if h["estimate"] is not None else []
        if posterior is not None:
            values += [float(q) for q in np.quantile(posterior.contrast_K, [0.005, 0.995])]
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 0.5 * abs(high) or 1.0
    low, high = low - margin, high + margin
    if all(h["scale"] == "raw" and is_proportion(h) for h in hypotheses):
        bottom = 0.0 if all(hypothesis_kind(h) == "percent" for h in hypotheses) else -1.0
        low, high = max(low, bottom), min(high, 1.0)
    return Scale(low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How much of a hypothesis is drawn, and how high: places are below the top of the bands, in units of the picture.

    Parameters
    ----------
    field
        Height of the bands.
    curve
        Foot of the posterior's curve; None leaves it out.
    interval, next_unit
        Where the interval and the stretch of the next unit run.
    has_names, has_ticks
        Whether bands are named above and edges numbered below; rows of one claim share both.
    """

    field: float
    curve: float | None
    interval: float
    next_unit: float
    has_names: bool = True
    has_ticks: bool = True


WHOLE = Layout(field=62, curve=36, interval=44, next_unit=54)
"""With the posterior's curve, names and edges."""


def row_layout(*, is_first: bool, is_last: bool) -> Layout:
    """A row among those of one claim: the first names the bands, the last numbers their edges."""
    return Layout(field=24, curve=None, interval=10, next_unit=18, has_names=is_first, has_ticks=is_last)


def band_picture(
    hypothesis: Mapping[str, Any],
    posterior: PosteriorDraws | None,
    scale: Scale | None = None,
    layout: Layout = WHOLE,
) -> Markup:
    """Draw one hypothesis.

    Parameters
    ----------
    hypothesis
        Its entry in results.json, as plain JSON data.
    posterior
        Its draws; the curve is left out where there are none.
    scale
        The stretch to show; by default what this hypothesis needs.
    layout
        How much is drawn.
    """
    scale = scale or shown_range([hypothesis], [posterior])
    labels = _labels(hypothesis, scale) if layout.has_names else []
    top = _ROW * (1 + max(row for _, _, row in labels)) + 3 if labels else 2
    height = top + layout.field + (15 if layout.has_ticks else 2)
    draws = posterior.contrast_K if posterior is not None and layout.curve is not None else None
    parts = [
        *_bands(hypothesis, scale, top, layout.field),
        *(_label(text, x, row) for text, x, row in labels),
        *(_posterior(density_of(draws), scale, top + (layout.curve or 0)) if draws is not None else []),
        *_interval(hypothesis, scale, top, layout),
        *(_ticks(hypothesis, scale, top + layout.field) if layout.has_ticks else []),
    ]
    return Markup(
        '<svg class="bandpicture" viewBox="0 0 {width:.0f} {height:.1f}" role="img" aria-label="{label}">{body}</svg>'
    ).format(width=WIDTH, height=height, label=describe(hypothesis), body=Markup("").join(parts))


def describe(h: Mapping[str, Any]) -> str:
    """The picture in words, for who cannot see it."""
    spec, kind = hypothesis_spec(h), hypothesis_kind(h)
    bands = []
    for band in h["bands"]:
        edge = (
            "" if band["upper"] is None else f" up to {format_value(band['upper'], exact_spec(band['upper'], kind))},"
        )
        bands.append(f"{shows_hidden(band['name'])}{' (excluded)' if band['excluded'] else ''}{edge}")
    found = "no estimate"
    if h["estimate"] is not None and h["ci"] is not None:
        low, high = (format_value(end, spec) for end in h["ci"])
        found = f"estimate {format_value(h['estimate'], spec)}, interval {low} to {high}"
    return f"Bands from low to high: {' '.join(bands).rstrip(',')}. Found: {found}."


def _labels(h: Mapping[str, Any], scale: Scale) -> list[tuple[Markup, float, int]]:
    """Band names over their bands, each in the lowest row where it has room: the name, its middle, its row."""
    placed: list[tuple[Markup, float, int]] = []
    ends: list[float] = []
    names = []
    for band in h["bands"]:
        left = scale.x(band["lower"]) if band["lower"] is not None else LEFT
        right = scale.x(band["upper"]) if band["upper"] is not None else RIGHT
        name = shows_hidden(band["name"])
        name = name if len(name) <= 40 else name[:39] + "…"
        mark = "◆ " if band["name"] == h["predicted"] else ""
        half = _LETTER * len(mark + name) / 2
        middle = min(max((left + right) / 2, LEFT + half), RIGHT - half)
        row = next((r for r, end in enumerate(ends) if middle - half > end + 6), len(ends))
        ends[row : row + 1] = [middle + half]
        css = {True: "out", False: "left", None: ""}[band["excluded"]]
        names.append((Markup('<tspan class="name {}">{}{}</tspan>').format(css, mark, name), middle, row))
    deepest = max(row for _, _, row in names)
    for text, middle, row in names:
        placed.append((text, middle, deepest - row))
    return placed


def _label(text: Markup, x: float, row: int) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(x, 10 + _ROW * row, text)


def _bands(h: Mapping[str, Any], scale: Scale, top: float, field: float) -> list[Markup]:
    parts = []
    for band in h["bands"]:
        left = scale.x(band["lower"]) if band["lower"] is not None else LEFT
        right = scale.x(band["upper"]) if band["upper"] is not None else RIGHT
        marks = ("out" if band["excluded"] else "", "predicted" if band["name"] == h["predicted"] else "")
        css = " ".join(["band", *filter(None, marks)])
        parts.append(_BAND.format(css, left, top, max(0.0, right - left), field))
        if band["upper"] is not None:
            parts.append(_EDGE.format(right, top, top + field))
    return parts


def _posterior(density: Density | None, scale: Scale, base: float) -> list[Markup]:
    if density is None:
        return []
    tall = 30.0
    peak = float(density.y.max())
    inside = (density.x >= scale.low) & (density.x <= scale.high) & (density.y > 0.004 * peak)
    if not inside.any():
        return []
    points = [
        f"{scale.x(float(x)):.1f},{base - tall * float(y) / peak:.1f}"
        for x, y in zip(density.x[inside], density.y[inside], strict=True)
    ]
    first, last = (scale.x(float(density.x[inside][i])) for i in (0, -1))
    path = f"M{first:.1f},{base:.1f} L" + " ".join(points) + f" L{last:.1f},{base:.1f} Z"
    return [_CURVE.format(path)]


def _interval(h: Mapping[str, Any], scale: Scale, top: float, layout: Layout) -> list[Markup]:
    if h["estimate"] is None:
        return [_NOTE.format((LEFT + RIGHT) / 2, top + layout.field / 2 + 4)]
    parts = []
    if h["next_unit_ci"] is not None:
        low, high = (scale.x(end) for end in h["next_unit_ci"])
        y = top + layout.next_unit
        parts.append(_NEXT.format(low, high, y, y - 3))
    y = top + layout.interval
    if h["ci"] is not None:
        low, high = (scale.x(end) for end in h["ci"])
        parts.append(_INTERVAL.format(low, high, y))
    parts.append(_DOT.format(scale.x(h["estimate"]), y))
    return parts


def _ticks(h: Mapping[str, Any], scale: Scale, y: float) -> list[Markup]:
    """Band edges and zero, where they do not collide."""
    kind = hypothesis_kind(h)
    edges = [band["upper"] for band in h["bands"] if band["upper"] is not None]
    wanted = [*edges, *([0.0] if scale.low <= 0.0 <= scale.high else [])]
    parts: list[Markup] = []
    taken: list[tuple[float, float]] = []
    for value in dict.fromkeys(wanted):
        text = format_value(value, exact_spec(value, kind))
        half = _LETTER * len(text) / 2
        x = min(max(scale.x(value), LEFT + half), RIGHT - half)
        if any(x - half < end + 4 and x + half > start - 4 for start, end in taken):
            continue
        taken.append((x - half, x + half))
        parts.append(_TICK.format(x, y + 11, escape(text)))
    return parts
