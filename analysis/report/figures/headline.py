"""The figure of the first screen: what each unit of the headline's arms did, over the promised bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from seedlock.analysis.findings.headline import headline_of
from seedlock.analysis.report.figures.bands import Scale, shown_range
from seedlock.analysis.report.figures.forest import bands_rows
from seedlock.analysis.report.figures.rows import NOTE_LETTERS, ROW_IN, TALL_ROW_IN, Row, draw_rows
from seedlock.analysis.report.figures.style import INK, RULE, Caption, Figure, canvas, finish
from seedlock.analysis.report.figures.units import Strip, draw_strip, unit_value
from seedlock.analysis.report.text.formats import Kind, hypothesis_kind, is_proportion
from seedlock.analysis.results.schema import ClaimResult, HypothesisResult
from seedlock.prereg.plan.plan import BASELINE_ARM, Plan
from seedlock.prereg.plan.runs import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SLUG = "headline"
MAX_ROWS = 6
_WIDTH_IN, _AXIS_IN = 4.3, 0.5
_CAPTION = Caption(
    look="Whether the circles of the arms lie apart, and whether the interval below lies inside the tinted band.",
    read=(
        "Above, each circle is one unit of replication and the short bar its arm's mean; the grey band is where nearly "
        "all circles would lie if units did not matter and answers were independent draws at the arm's rate; dashed is "
        "the base model. Below, the dot is the estimate, the thick line its interval, the thin line where the next "
        "unit would fall; tinted is the band that the plan names, grey the others."
    ),
    otherwise="Had the claim been false, the interval would reach into a grey band or lie wholly in one.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """One level of one hypothesis: its units, where counting noise alone would put them, and the base model."""

    strip: Strip
    noise: tuple[float, float] | None
    base: float | None


def headline_hypotheses(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The hypothesis that the answer's number is of, and those that make the same claim of other levels, in order."""
    hypotheses = [HypothesisResult.model_validate(h) for h in results["hypotheses"]]
    lead = headline_of(hypotheses, [ClaimResult.model_validate(c) for c in results["claims"]]).deciding[0]
    shared = ("claim", "measure", "test", "role", "scale", "unit_text")
    return [h for h in results["hypotheses"] if all(h[key] == getattr(lead, key) for key in shared)][:MAX_ROWS]


def headline_figure(results: Mapping[str, Any], plan: Plan) -> Figure:
    """Arms as rows with their units; under them the estimates of the same hypotheses on their bands."""
    hypotheses = headline_hypotheses(results)
    first = hypotheses[0]
    is_only = len(hypotheses) == 1
    drawn: dict[str, _Arm] = {}
    for h in (*hypotheses, *(_beside(first, results) if is_only else ())):
        for arm in _arms(h, results, plan, is_only=is_only):
            drawn.setdefault(arm.strip.label, arm)
    arms = [*drawn.values()][:MAX_ROWS]
    row_in = TALL_ROW_IN if len(arms) <= 2 else ROW_IN
    heights = [row_in * len(arms), ROW_IN * len(hypotheses)]
    tall = sum(heights) + _AXIS_IN * (1 + bool(arms)) + 0.04
    with canvas(tall, rows=2, width_in=_WIDTH_IN) as (figure, (above, below)):
        if arms:
            _draw_arms(above, arms, first, row_in)
        else:
            above.remove()
        scale = shown_range(hypotheses, [None] * len(hypotheses))
        draw_rows(below, bands_rows(hypotheses, scale), scale, kind=hypothesis_kind(first), unit=first["unit_text"])
        below.set_position((0.04, _AXIS_IN / tall, 0.915, heights[1] / tall))
        above.set_position((0.04, (2 * _AXIS_IN + heights[1]) / tall, 0.915, heights[0] / tall))
        return finish(
            figure,
            slug=SLUG,
            title="What did each unit of the headline do?",
            caption=_CAPTION,
            alt=_in_words(arms, hypotheses),
            data={
                "unit": first["unit_text"],
                "arms": [_plotted(arm) for arm in arms],
                "rows": [{key: h[key] for key in ("id", "estimate", "ci", "next_unit_ci")} for h in hypotheses],
            },
        )


def _beside(first: Mapping[str, Any], results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Contrasts between arms that the same claim rests on, where they count the same thing over the same items."""
    rests_on = {name for claim in results["claims"][:1] for name in claim["members"]}
    alike = ("measure", "items", "unit", "unit_text", "over")
    where = {key: value for key, value in first["where"].items() if key != "arm"}
    return [
        h
        for h in results["hypotheses"]
        if h["id"] in rests_on - {first["id"]}
        and h["contrast"]
        and h["over"] == "arm"
        and h["where"] == where
        and all(h[key] == first[key] for key in alike)
    ]


def _in_words(arms: Sequence[_Arm], hypotheses: Sequence[Mapping[str, Any]]) -> str:
    units = "; ".join(f"{a.strip.label}, {a.strip.note}" for a in arms)
    found = "; ".join(f"{h['id']}: {h['decision']}" for h in hypotheses)
    return f"Units of each arm: {units or 'none'}. On the bands: {found}."


def _plotted(arm: _Arm) -> dict[str, Any]:
    return {"label": arm.strip.label, "values": arm.strip.values, "counting_noise": arm.noise, "base": arm.base}


def _arms(h: Mapping[str, Any], results: Mapping[str, Any], plan: Plan, *, is_only: bool) -> list[_Arm]:
    """The levels that have weight, each with its units."""
    found = dict.fromkeys(str(u.get("level", "all")) for u in h["units"])
    levels = [level for level in found if not h["contrast"] or level in h["contrast"]]
    arms = []
    for level in levels:
        units = [u for u in h["units"] if str(u.get("level", "all")) == level and unit_value(u) is not None]
        if not units:
            continue
        name = level if h["contrast"] else " ".join(_spelled(v) for _, v in sorted(h["where"].items())) or h["id"]
        strip = Strip(
            label=name if is_only else f"{name} · {_of_siblings(h['id'])}",
            note=_counted(units, h["unit"]),
            values=tuple(value for u in units if (value := unit_value(u)) is not None),
            estimate=None,
            ci=None,
            next_unit_ci=None,
        )
        arms.append(_Arm(strip=strip, noise=counting_noise(units), base=_base_rate(h, results, plan)))
    return arms


def _of_siblings(identity: str) -> str:
    """What tells a hypothesis from those expanded from the same entry: `llama` of `shift[llama]`."""
    return identity[identity.index("[") + 1 : -1] if identity.endswith("]") and "[" in identity else identity


def _spelled(value: Any) -> str:
    return " | ".join(map(str, value)) if isinstance(value, list) else str(value)


def _counted(units: Sequence[Mapping[str, Any]], unit: str) -> str:
    name = unit.replace("_", " ")
    counted = f"{len(units)} {name if len(units) == 1 else name + 's'}"
    asked = sorted(u["n"] for u in units if u.get("n"))
    if len(asked) < len(units):
        return counted
    each = f"{asked[0]:,}" if asked[0] == asked[-1] else f"{asked[0]:,} to {asked[-1]:,}"
    whole = f"{counted} × {each} answers"
    return whole if len(whole) <= NOTE_LETTERS else f"{counted} × {each}"


def counting_noise(units: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Where 95% of units would lie if each drew its answers independently at the arm's rate.

    Parameters
    ----------
    units
        Of one arm, as results.json holds them: `k` of `n` answers. Units of unequal n are taken at the smallest.

    Returns
    -------
    tuple or None
        Central binomial quantiles as rates; None where a unit is not a count.
    """
    from scipy.stats import binom  # noqa: PLC0415 - drawing is the last step

    if not units or any(u.get("k") is None or not u.get("n") for u in units):
        return None
    n = min(int(u["n"]) for u in units)
    rate = sum(u["k"] for u in units) / sum(u["n"] for u in units)
    low, high = (float(binom.ppf(q, n, rate)) / n for q in (0.025, 0.975))
    return low, high


def _base_rate(h: Mapping[str, Any], results: Mapping[str, Any], plan: Plan) -> float | None:
    """The base model's mean on the same measure and items; None where no cells hold exactly those."""
    narrowed = plan.items.get(h["items"])
    wanted = {key: listed(value) for key, value in h["where"].items() if key != "arm"}
    if h["items"] is not None:
        if narrowed is None or not narrowed.where or narrowed.file or narrowed.same or narrowed.differs:
            return None
        wanted |= {key: listed(value) for key, value in narrowed.where.items()}
    cells = {
        tuple(cell["keys"][key] for key in wanted): (cell["mean"], cell["n"])
        for cell in results["cells"]
        if cell["measure"] == h["measure"]
        and cell["keys"].keys() == {*wanted, "arm"}
        and cell["keys"]["arm"] == BASELINE_ARM
        and all(str(cell["keys"][key]) in values for key, values in wanted.items())
    }
    known = [(mean, n) for mean, n in cells.values() if mean is not None]
    if len(known) != prod(len(values) for values in wanted.values()):
        return None
    if len(known) == 1:
        return float(known[0][0])
    return None if any(n is None for _, n in known) else sum(m * n for m, n in known) / sum(n for _, n in known)


def _draw_arms(axes: Axes, arms: Sequence[_Arm], first: Mapping[str, Any], row_in: float) -> None:
    kind: Kind = "percent" if is_proportion(first) else "number"
    ends = [v for a in arms for v in (*a.strip.values, *(a.noise or ()), *((a.base,) if a.base is not None else ()))]
    margin = 0.06 * (max(ends) - min(ends)) or 0.05
    low = max(0.0, min(ends) - margin) if kind == "percent" and min(ends) > 0 else min(ends) - margin
    scale = Scale(low=low, high=max(ends) + margin)
    rows = [Row(label=a.strip.label, note=a.strip.note, draw=partial(_draw, a, scale)) for a in arms]
    unit = first["unit_text"] if first["scale"] == "raw" else f"{first['measure']}, on its own scale"
    draw_rows(axes, rows, scale, kind=kind, unit=unit, row_in=row_in)


def _draw(arm: _Arm, scale: Scale, axes: Axes, y: float) -> None:
    if arm.noise is not None:
        axes.fill_betweenx([y - 0.32, y + 0.16], *arm.noise, color=RULE, alpha=0.75, linewidth=0, zorder=0.5)
    if arm.base is not None:
        axes.plot([arm.base] * 2, [y - 0.36, y + 0.16], color=INK, linewidth=1, linestyle=(0, (3, 2)))
    draw_strip(arm.strip, scale, axes, y)
