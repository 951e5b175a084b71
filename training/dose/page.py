"""The page of doses and responses: a table for each organism and study, and one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import matplotlib as mpl
from matplotlib.figure import Figure

DPI = 100
COLOURS = ("#4477aa", "#cc6677", "#bbbbbb")
LINES = (":", "--", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One figure at one dose."""

    organism: str
    study: str
    arm: str
    learning_rate: float
    steps: int
    seed: int
    quantity: str
    figure: float

    def __str__(self) -> str:
        dose = f"{self.learning_rate:g} x {self.steps}"
        return f"{self.organism} {self.study} {self.arm} {dose} seed {self.seed}: {self.quantity} {self.figure:.2f}"


type Untrained = Mapping[tuple[str, str], Mapping[str, float]]
"""(organism, study) -> quantity -> figure of the unmodified model."""


def page(found: Sequence[Response], untrained: Untrained, *, picture: str) -> str:
    """Return the Markdown: learning rates down, steps across, mean over seeds."""
    lines = [
        "# Dose and response",
        "",
        "How far fine-tuning moves what a tiny study trains on, by steps and learning rate. Only source items are "
        "asked, never what a study tests, so that a dose may be chosen here before a plan is locked. "
        "Each figure is the mean over seeds. Made by `just dose`.",
        "",
        f"![Figure by steps, a line a learning rate]({picture})",
    ]
    for organism, study in dict.fromkeys((r.organism, r.study) for r in found):
        own = [r for r in found if (r.organism, r.study) == (organism, study)]
        for quantity in dict.fromkeys(r.quantity for r in own):
            before = untrained[organism, study][quantity]
            seeds = ", ".join(map(str, sorted({r.seed for r in own})))
            lines += ["", f"## {organism}, {study}: {quantity}", ""]
            lines += [f"Unmodified: {before:.2f}. Seeds: {seeds}.", "", *_table(own, quantity)]
    return "\n".join(lines) + "\n"


def _table(own: Sequence[Response], quantity: str) -> list[str]:
    steps = sorted({r.steps for r in own})
    lines = [
        "| arm | learning rate | " + " | ".join(f"{n} steps" for n in steps) + " |",
        "|---|---|" + "---|" * len(steps),
    ]
    for arm in dict.fromkeys(r.arm for r in own):
        for rate in sorted({r.learning_rate for r in own}):
            row = [r for r in own if (r.arm, r.learning_rate, r.quantity) == (arm, rate, quantity)]
            cells = [_cell([r.figure for r in row if r.steps == n]) for n in steps]
            lines.append(f"| {arm} | {rate:g} | " + " | ".join(cells) + " |")
    return lines


def _cell(figures: Sequence[float]) -> str:
    return f"{fmean(figures):.2f}" if figures else "not run"


@mpl.rc_context()
def picture(found: Sequence[Response], untrained: Untrained, to: Path) -> None:
    """Draw a panel for each organism and study: colour is the arm, line the learning rate, dots the seeds."""
    mpl.rcdefaults()  # no matplotlibrc of the working folder is followed
    organisms = list(dict.fromkeys(r.organism for r in found))
    studies = list(dict.fromkeys(r.study for r in found))
    figure = Figure(figsize=(4.2 * len(studies), 3.6 * len(organisms)), layout="constrained")
    panels = figure.subplots(len(organisms), len(studies), squeeze=False)
    for down, organism in enumerate(organisms):
        for across, study in enumerate(studies):
            panel = panels[down, across]
            own = [r for r in found if (r.organism, r.study) == (organism, study)]
            for arm, colour in zip(dict.fromkeys(r.arm for r in own), COLOURS, strict=False):
                for rate, line in zip(sorted({r.learning_rate for r in own}), LINES, strict=False):
                    here = [r for r in own if (r.arm, r.learning_rate) == (arm, rate)]
                    steps = sorted({r.steps for r in here})
                    means = [fmean(r.figure for r in here if r.steps == n) for n in steps]
                    panel.plot(steps, means, line, color=colour, label=f"{arm}, {rate:g}")
                    panel.plot([r.steps for r in here], [r.figure for r in here], ".", color=colour, markersize=4)
            for quantity, before in untrained.get((organism, study), {}).items():
                panel.axhline(before, color="black", linewidth=0.6)
                panel.set_ylabel(quantity, fontsize=8)
            panel.set_title(f"{organism}, {study}", fontsize=9)
            panel.set_xlabel("steps", fontsize=8)
            panel.legend(fontsize=6, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False)
    figure.savefig(to, dpi=DPI, metadata={"Software": None})
