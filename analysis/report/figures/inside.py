"""Inside the models: layers, projections, doses, ranks among controls, patches; one set of figures a base model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seedlock.analysis.report.figures.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    Caption,
    Figure,
    canvas,
    finish,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT_IN = 2.4
ARM_COLOURS = (BLUE, MUTED, ORANGE, GREEN, INK)

_LAYERS = Caption(
    look="At which layers a linear probe tells the two poles apart in texts of topics it never saw.",
    read="A point is a layer of the unmodified model; the dashed line is guessing. The ringed layer was chosen.",
    otherwise="Had no layer held the attitude, the points would lie along the dashed line.",
)
_PROJECTIONS = Caption(
    look="Whether the arms part, in which order, and from which layer on.",
    read=(
        "Lines are mean shifts of held-out prompts along the direction, away from the unmodified model; shades are "
        "intervals over seeds. The dotted line is the chosen layer."
    ),
    otherwise="Had training moved nothing along the direction, every line would lie on zero.",
)
_DOSES = Caption(
    look="Whether the gap grows with the dose while the model stays fluent, and what other directions do.",
    read=(
        "Above: what adding and subtracting the direction makes of the gap; shaded, the range over all controls of the "
        "same length. Below: rise of perplexity, with the planned floor dashed. The ringed dose was chosen elsewhere."
    ),
    otherwise="Had the direction meant nothing, its line would stay inside the shade.",
)
_RANKS = Caption(
    look="Whether the true direction stands apart from directions that mean nothing.",
    read="Each tick is a control direction of the same length; the diamond is the true one; the bar is the whole gap.",
    otherwise="Had the direction been like any other, the diamond would stand among the ticks.",
)
_PATCHES = Caption(
    look="Which layer and which position of the prompt carry the difference between the arms.",
    read="Each field is the share of the gap that the streams of tuned runs bring into the unmodified model there.",
    otherwise="Had the difference been everywhere alike, the fields would not differ.",
)


def inside_figures(results: Mapping[str, Any]) -> Iterator[Figure]:
    """Every figure that the readings of each base model fill."""
    for number, one in enumerate(results.get("inside", []), start=1):
        if one["layers"]:
            yield _layers(one, number)
        if one["projections"]:
            yield _projections(one, number)
        if any(dose["effect"] is not None for dose in one["doses"]):
            yield _doses(one, number)
        if any(rank["true"] is not None for rank in one["ranks"]):
            yield _ranks(one, number)
        if any(patch["share"] is not None for patch in one["patches"]):
            yield _patches(one, number)


def _layers(one: Mapping[str, Any], number: int) -> Figure:
    layers = one["layers"]
    with canvas(HEIGHT_IN) as (figure, (axes,)):
        axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle="--")
        axes.plot([x["layer"] for x in layers], [x["accuracy"] for x in layers], "o-", color=BLUE, markersize=4)
        for x in layers:
            if x["is_chosen"]:
                axes.plot([x["layer"]], [x["accuracy"]], "o", markersize=10, markerfacecolor="none", color=INK)
        axes.set_ylim(0.4, 1.03)
        _label(axes, f"layer of {one['model']}", "held-out accuracy", [x["layer"] for x in layers])
        chosen = one["layer"]
        figure.tight_layout()
        return finish(
            figure,
            slug=f"inside-layers-{number}",
            title="At which layer can the attitude be read?",
            caption=_LAYERS,
            alt=f"Probe accuracy by layer of {one['model']}; layer {chosen} was chosen.",
            data={"model": one["model"], "layers": layers},
        )


def _projections(one: Mapping[str, Any], number: int) -> Figure:
    rows = [row for row in one["projections"] if row["checkpoint"] is None]
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    with canvas(HEIGHT_IN) as (figure, (axes,)):
        axes.axhline(0, color=RULE, linewidth=0.8)
        if one["layer"] is not None:
            axes.axvline(one["layer"], color=MUTED, linewidth=0.8, linestyle=":")
        for arm, colour in zip(arms, _cycled(len(arms)), strict=True):
            mine = sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["layer"])
            x = [row["layer"] for row in mine]
            axes.plot(x, [row["shift"] for row in mine], "o-", color=colour, markersize=3.5, label=arm)
            banded = [row for row in mine if row["ci"] is not None]
            low, high = [row["ci"][0] for row in banded], [row["ci"][1] for row in banded]
            axes.fill_between([row["layer"] for row in banded], low, high, color=colour, alpha=0.18, linewidth=0)
        axes.legend(frameon=False, fontsize=7.5, ncols=len(arms), loc="lower center", bbox_to_anchor=(0.5, 1.0))
        _label(axes, f"layer of {one['model']}", "shift along the direction", sorted({r["layer"] for r in rows}))
        figure.tight_layout()
        return finish(
            figure,
            slug=f"inside-projections-{number}",
            title="Where does training move the models?",
            caption=_PROJECTIONS,
            alt=f"Shift of held-out prompts along the direction by layer of {one['model']}, arms: {', '.join(arms)}.",
            data={"model": one["model"], "projections": one["projections"]},
        )


def _doses(one: Mapping[str, Any], number: int) -> Figure:
    doses = [dose for dose in one["doses"] if dose["effect"] is not None]
    x = [dose["dose"] for dose in doses]
    with canvas(1.7 * HEIGHT_IN, rows=2) as (figure, (above, below)):
        controls = [dose for dose in doses if dose["controls_low"] is not None]
        low, high = [d["controls_low"] for d in controls], [d["controls_high"] for d in controls]
        above.fill_between([d["dose"] for d in controls], low, high, color=RULE, alpha=0.8, linewidth=0)
        above.plot(x, [dose["effect"] for dose in doses], "o-", color=BLUE, markersize=4)
        fluent = [dose for dose in doses if dose["rise"] is not None]
        below.plot([d["dose"] for d in fluent], [100 * d["rise"] for d in fluent], "o-", color=ORANGE, markersize=4)
        below.axhline(100 * one["floor"], color=MUTED, linewidth=0.8, linestyle="--")
        for dose in doses:
            if dose["is_chosen"]:
                above.plot([dose["dose"]], [dose["effect"]], "o", markersize=10, markerfacecolor="none", color=INK)
        _label(above, "", "made of the gap, log-odds", x)
        _label(below, f"dose, share of the stream's length, {one['model']}", "rise of perplexity, %", x)
        figure.tight_layout()
        return finish(
            figure,
            slug=f"inside-doses-{number}",
            title="How much of the gap does steering make, and at what price?",
            caption=_DOSES,
            alt=f"Dose and response of steering {one['model']}, with the range of the controls and perplexity.",
            data={"model": one["model"], "floor": one["floor"], "doses": one["doses"]},
        )


def _ranks(one: Mapping[str, Any], number: int) -> Figure:
    ranks = [rank for rank in one["ranks"] if rank["true"] is not None]
    with canvas(0.7 + 0.9 * len(ranks)) as (figure, (axes,)):
        ticks, labels = [], []
        for row, rank in enumerate(ranks):
            for offset, control in ((0.16, "random"), (-0.16, "shuffled")):
                values = rank[control]
                axes.plot(values, [row + offset] * len(values), "|", color=MUTED, markersize=9)
                ticks.append(row + offset)
                labels.append(f"{rank['operation']}, {control}")
            axes.plot([rank["true"]], [row], "D", color=BLUE, markersize=6)
            if rank["gap"] is not None:
                axes.plot([rank["gap"]] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=1.6)
        axes.axvline(0, color=RULE, linewidth=0.8)
        axes.set_yticks(ticks, labels)
        axes.set_xlabel(f"made or taken of the gap, log-odds, {one['model']}")
        figure.tight_layout()
        return finish(
            figure,
            slug=f"inside-ranks-{number}",
            title="Is the direction special?",
            caption=_RANKS,
            alt=f"The true direction of {one['model']} among random and shuffled ones, for adding and ablating.",
            data={"model": one["model"], "ranks": one["ranks"]},
        )


def _patches(one: Mapping[str, Any], number: int) -> Figure:
    layers = sorted({patch["layer"] for patch in one["patches"]})
    places = sorted({p["position"] for p in one["patches"]}, key=lambda p: (p == "all", -int(p) if p != "all" else 0))
    share = {(patch["layer"], patch["position"]): patch["share"] for patch in one["patches"]}
    with canvas(0.9 + 0.34 * len(layers)) as (figure, (axes,)):
        grid = [[share.get((layer, place)) or 0.0 for place in places] for layer in layers]
        axes.pcolormesh(grid, cmap="RdBu_r", vmin=-2.5, vmax=2.5, edgecolors="white", linewidth=1)
        for y, layer in enumerate(layers):
            for x, place in enumerate(places):
                value = share.get((layer, place))
                text = "–" if value is None else f"{100 * value:.0f}%"
                axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=7.5, color=INK)
        axes.set_xticks([x + 0.5 for x in range(len(places))], ["every" if p == "all" else f"−{p}" for p in places])
        _label(axes, f"position from the end of the prompt, {one['model']}", "layer", [], y_ticks=layers)
        figure.tight_layout()
        return finish(
            figure,
            slug=f"inside-patches-{number}",
            title="Where in the model does the difference sit?",
            caption=_PATCHES,
            alt=f"Share of the gap carried by each layer and position of {one['model']}.",
            data={"model": one["model"], "patches": one["patches"]},
        )


def _label(axes: Axes, across: str, up: str, x_ticks: Sequence[float], *, y_ticks: Sequence[int] | None = None) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    if x_ticks:
        axes.set_xticks(list(x_ticks))
    if y_ticks is not None:
        axes.set_yticks([y + 0.5 for y in range(len(y_ticks))], [str(tick) for tick in y_ticks])


def _cycled(n: int) -> list[str]:
    return [ARM_COLOURS[i % len(ARM_COLOURS)] for i in range(n)]
