"""Write docs/dose-coverage.md and its figure: slopes, rank correlations and adjusted contrasts at few seeds.

Run from the root of the checkout:  .venv/bin/python -m docs.make_dose_coverage
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from seedlock.analysis.estimators.ancova_cr2 import ancova_cr2
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.analysis.estimators.kendall import kendall
from seedlock.analysis.estimators.slope_cr2 import slope_cr2
from seedlock.analysis.estimators.slope_t import slope_t
from seedlock.analysis.estimators.spearman import spearman
from seedlock.prereg.errors import Refusal

PAGE = Path(__file__).parent / "dose-coverage.md"
FIGURE = PAGE.with_suffix(".png")
SEEDS = (3, 5, 8)
STUDIES = 1000
LEVEL = 0.95
STEPS = np.arange(8.0)
"""Checkpoints, say: every seed has all of them."""
DOSES = np.arange(4.0)
PLACES = np.linspace(0, 1, 8)
SLOPE, SLOPE_SD, SEED_SD, NOISE = 0.1, 0.05, 0.1, 0.1

type Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How often the intervals of one method held the truth, of the studies that had one."""

    case: str
    method: str
    seeds: int
    covered: float
    answered: float
    width: float

    @property
    def is_low(self) -> bool:
        """Whether coverage is three Monte Carlo errors below nominal."""
        return self.covered < LEVEL - 3 * math.sqrt(LEVEL * (1 - LEVEL) / (STUDIES * max(self.answered, 1e-9)))


def lines(rng: np.random.Generator, seeds: int) -> FloatArray:
    """Every seed at every step, with a level and a slope of its own: shape (S, D)."""
    level_S, slope_S = rng.normal(0, SEED_SD, seeds), rng.normal(SLOPE, SLOPE_SD, seeds)
    return np.asarray(level_S[:, None] + slope_S[:, None] * STEPS + rng.normal(0, NOISE, (seeds, len(STEPS))))


def strangers(rng: np.random.Generator, seeds: int) -> FloatArray:
    """Runs that share nothing, more variable at higher doses: shape (S, D)."""
    return np.asarray(SLOPE * DOSES + rng.normal(0, 1, (seeds, len(DOSES))) * (0.1 + 0.1 * DOSES))


def with_gaps(rng: np.random.Generator, seeds: int) -> FloatArray:
    """As `lines`, with up to four runs of each seed lost, a quarter on average; NaN where lost."""
    y_SD = lines(rng, seeds)
    for row in y_SD:
        row[rng.permutation(len(STEPS))[: rng.integers(0, 5)]] = np.nan
    return y_SD


def sample(y_SD: FloatArray, x_D: FloatArray, *, are_strangers: bool = False) -> Sample:
    """Units at numbers as an estimator is given them."""
    levels = []
    for place, x in enumerate(x_D.tolist()):
        means = {f"s{s}": float(y) for s, y in enumerate(y_SD[:, place]) if not math.isnan(y)}
        if means:
            levels.append(Level(name=f"d{place}", weight=1.0, unit_means=means, unit_x=dict.fromkeys(means, x)))
    return Sample(levels=tuple(levels), unit="seed", is_proportion=False, are_strangers=are_strangers)


def one_line(y_SD: FloatArray) -> Interval:
    """What one gets who forgets the seed: a line through all runs, each taken as independent and alike."""
    kept = ~np.isnan(y_SD)
    fit = stats.linregress(np.broadcast_to(np.arange(float(y_SD.shape[1])), y_SD.shape)[kept], y_SD[kept])
    half = stats.t.isf((1 - LEVEL) / 2, kept.sum() - 2) * fit.stderr
    return fit.slope - half, fit.slope + half


def by(method: Callable[..., object], data: Sample) -> Interval:
    """An estimator's interval; None where it refuses."""
    try:
        found = method(data, level=LEVEL, edges=())
    except Refusal:
        return None
    return found.ci_low, found.ci_high  # type: ignore[attr-defined]


def slopes(seeds: int) -> Iterator[Row]:
    """Slopes, by what the runs of a seed share."""
    cases: tuple[tuple[str, Callable[..., FloatArray], bool], ...] = (
        ("seeds at all of eight steps", lines, False),
        ("a quarter of the runs lost", with_gaps, False),
        ("runs that share nothing, noisier at high doses", strangers, True),
    )
    for case, draw, apart in cases:
        rng = np.random.default_rng(seeds)
        drawn = [draw(rng, seeds) for _ in range(STUDIES)]
        data = [sample(y_SD, np.arange(float(y_SD.shape[1])), are_strangers=apart) for y_SD in drawn]
        yield _row(case, "one line, seeds forgotten", seeds, [one_line(y_SD) for y_SD in drawn], SLOPE)
        if not apart:
            yield _row(case, "`slope_t`", seeds, [by(slope_t, one) for one in data], SLOPE)
        yield _row(case, "`slope_cr2`", seeds, [by(slope_cr2, one) for one in data], SLOPE)


def ranks(seeds: int) -> Iterator[Row]:
    """Rank correlations over eight places; the truth is the mean over seeds on Fisher's scale, simulated apart."""
    for strength in (0.0, 0.3):
        case = "eight places, no trend" if not strength else "eight places, a falling trend"
        for name, method, correlation in (
            ("spearman", spearman, stats.spearmanr),
            ("kendall", kendall, stats.kendalltau),
        ):
            half = {"spearman": 6 / (8 * 63), "kendall": 2 / (8 * 7)}[name]
            rng = np.random.default_rng(seeds)
            many = _places(rng, 2000, strength)
            r = np.array([correlation(PLACES, y).statistic for y in many])
            truth = math.tanh(float(np.arctanh(np.clip(r, half - 1, 1 - half)).mean()))
            found = [by(method, sample(_places(rng, seeds, strength), PLACES)) for _ in range(STUDIES)]
            yield _row(case, f"`{name}`", seeds, found, truth if strength else 0.0)


def _places(rng: np.random.Generator, seeds: int, strength: float) -> FloatArray:
    own_S = rng.normal(-strength, 0.2, seeds)
    return np.asarray(own_S[:, None] * PLACES + rng.normal(0, 0.15, (seeds, len(PLACES))))


def adjusted(seeds: int) -> Iterator[Row]:
    """Two arms that share seeds; one writes longer answers, and longer answers score higher by themselves."""
    rng = np.random.default_rng(seeds)
    plain, found = [], []
    for _ in range(STUDIES):
        seed_S = rng.normal(0, SEED_SD, seeds)
        x_SA = rng.normal(100, 15, (seeds, 2)) + np.array([0.0, 20.0])
        y_SA = seed_S[:, None] + 0.01 * (x_SA - 100) + np.array([0.0, 0.1]) + rng.normal(0, NOISE, (seeds, 2))
        difference = stats.ttest_1samp(y_SA[:, 1] - y_SA[:, 0], 0).confidence_interval(LEVEL)
        plain.append((float(difference.low), float(difference.high)))
        levels = tuple(
            Level(
                name=name,
                weight=weight,
                unit_means={f"s{s}": float(y_SA[s, arm]) for s in range(seeds)},
                unit_x={f"s{s}": float(x_SA[s, arm]) for s in range(seeds)},
            )
            for arm, (name, weight) in enumerate((("a", -1.0), ("b", 1.0)))
        )
        found.append(by(ancova_cr2, Sample(levels=levels, unit="seed", is_proportion=False)))
    yield _row("an arm that writes longer answers", "paired t, length forgotten", seeds, plain, 0.1)
    yield _row("an arm that writes longer answers", "`ancova_cr2`", seeds, found, 0.1)


def _row(case: str, method: str, seeds: int, found: Sequence[Interval], truth: float) -> Row:
    answered = [interval for interval in found if interval is not None]
    inside = [low <= truth <= high for low, high in answered]
    return Row(
        case=case,
        method=method,
        seeds=seeds,
        covered=float(np.mean(inside)) if inside else math.nan,
        answered=len(answered) / len(found),
        width=float(np.mean([high - low for low, high in answered])) if answered else math.nan,
    )


def table() -> list[Row]:
    """Every row, case by case."""
    rows = [row for seeds in SEEDS for kind in (slopes, ranks, adjusted) for row in kind(seeds)]
    order = list(dict.fromkeys((row.case, row.method) for row in rows))
    return sorted(rows, key=lambda row: (order.index((row.case, row.method)), row.seeds))


def page(rows: list[Row]) -> str:
    """The page as Markdown."""
    of = {(row.case, row.method, row.seeds): row for row in rows}
    cells = "\n".join(
        f"| {case} | {method} | " + " | ".join(cell(of[case, method, seeds]) for seeds in SEEDS) + " |"
        for case, method in dict.fromkeys((row.case, row.method) for row in rows)
    )
    before = textwrap.fill(
        f"How often a {LEVEL:.0%} interval holds the truth, in {STUDIES:,} simulated studies, and in brackets its mean "
        "width. **Bold**: three Monte Carlo errors or more below nominal. Where a method refuses some studies (too few "
        "df) their share is named. Seeds have a level (SD 0.1) and a slope (SD 0.05, mean 0.1) of their own.",
        120,
    )
    after = textwrap.fill(
        "A line that forgets the seed takes eight steps of one run for eight runs, and covers less the more they "
        "tell of each seed's own slope. With gaps, seeds that differ in slope make `slope_cr2` a little too narrow "
        "(its working model knows no such difference), and at three seeds it has too few df nearly always: "
        "`slope_t` is the test to plan. `ancova_cr2` on seeds that two arms share spends most of its df on the "
        "covariate: at three seeds it is refused, at five often, and its interval is wide. How the methods work, "
        "and when not to use them: [Doses and covariates](methods/doses.md).",
        120,
    )
    head = " | ".join(f"{seeds} seeds" for seeds in SEEDS)
    made = "This page is generated by `.venv/bin/python -m docs.make_dose_coverage`."
    rows_of = f"| what is true | method | {head} |\n|---|---|---|---|---|\n{cells}"
    return "\n\n".join(["# Coverage over doses", before, rows_of, after, made]) + "\n"


def cell(row: Row) -> str:
    """Coverage, width, and the share of studies refused."""
    if math.isnan(row.covered):
        return "refused"
    covered = f"**{row.covered:.3f}**" if row.is_low else f"{row.covered:.3f}"
    refused = f", {1 - row.answered:.0%} refused" if row.answered < 0.9995 else ""
    return f"{covered} ({row.width:.2f}{refused})"


def draw(rows: list[Row]) -> None:
    """Coverage by seeds: with the seed as unit, and without."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7.0, 3.0))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3, sharey=True)
    titles = (
        "seeds at all of eight steps",
        "runs that share nothing, noisier at high doses",
        "an arm that writes longer answers",
    )
    for place, (axis, case) in enumerate(zip(axes, titles, strict=True)):
        for method in dict.fromkeys(row.method for row in rows if row.case == case):
            own = [row for row in rows if (row.case, row.method) == (case, method)]
            axis.plot([r.seeds for r in own], [r.covered for r in own], "o-", markersize=4, label=method.strip("`"))
        axis.axhline(LEVEL, color="#6a727c", linewidth=0.8)
        axis.set_title("\n".join(textwrap.wrap(case, 26)), fontsize=8)
        axis.set_xticks(SEEDS)
        axis.set_xlabel("seeds" if place != 1 else "seeds a dose", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(frameon=False, fontsize=6)
    axes[0].set_ylabel("coverage of a 95% interval", fontsize=8)
    axes[0].set_ylim(0.5, 1.0)
    figure.tight_layout()
    figure.savefig(FIGURE, dpi=150, metadata={"Software": None})


def main() -> None:
    """Simulate, and write page and figure."""
    rows = table()
    PAGE.write_text(page(rows), "utf-8")
    draw(rows)


if __name__ == "__main__":
    main()
