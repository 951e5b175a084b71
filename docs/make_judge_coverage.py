"""Write docs/judge-coverage.md and its figure: intervals of a judge that errs, as it is and corrected by gold labels.

Run from the root of the checkout:  .venv/bin/python -m docs.make_judge_coverage
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import optimize, special

from seedlock.analysis.estimators import welch_t
from seedlock.analysis.estimators.internals.many_studies import ManyLevels
from seedlock.analysis.estimators.internals.prediction_powered import Labelled, judge_weight, rectifier
from seedlock.analysis.estimators.internals.units import FloatArray

PAGE = Path(__file__).parent / "judge-coverage.md"
FIGURE = PAGE.with_suffix(".png")
SEEDS = (3, 5, 8)
STUDIES = 2000
ANSWERS, SEED_SD, LEVEL = 200, 0.5, 0.95
AFTER = (
    "A judge that errs alike in both arms and is seldom wrong costs little. One that errs unlike is wrong about the "
    "difference by the same amount at any number of seeds, so that its interval covers less the more seeds there are. "
    "The corrected interval covers at 3, 5 and 8 seeds an arm, with judges that are right on 60 to 95% of texts and up "
    "to 15 points apart. Its price is width: a weak judge is worth hardly more than none, and the interval is then "
    "that of the labels. How it is made, and when not to use it: [Judges that err](methods/judge-error.md)."
)
BELOW = 3.0
"""Monte Carlo errors below nominal at which a coverage is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is true, how often the judge is right (of hits and of misses alike), and how many labels a run has."""

    rates: tuple[float, float]
    right: tuple[float, float]
    labels: int

    @property
    def shift(self) -> float:
        """How far the judge's own difference lies from the true one, with the seeds at their mean rate."""
        said = [a * p + (1 - a) * (1 - p) for a, p in zip(self.right, self.rates, strict=True)]
        return said[0] - said[1] - (self.rates[0] - self.rates[1])


CASES = (
    *(
        Case(rates=(0.3, 0.3), right=right, labels=20)
        for right in ((0.95, 0.95), (0.95, 0.80), (0.85, 0.75), (0.80, 0.65), (0.75, 0.60), (0.60, 0.60))
    ),
    Case(rates=(0.3, 0.3), right=(0.80, 0.65), labels=10),
    Case(rates=(0.3, 0.3), right=(0.80, 0.65), labels=60),
    Case(rates=(0.5, 0.2), right=(0.85, 0.85), labels=20),
    Case(rates=(0.5, 0.2), right=(0.75, 0.90), labels=20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Coverage and mean width of the judge's own interval, of the corrected one, and of labels alone."""

    case: Case
    seeds: int
    raw: float
    corrected: float
    labels_alone: float
    raw_width: float
    corrected_width: float
    labels_width: float


def main() -> None:
    """Simulate, and write page and figure."""
    found = list(coverages(STUDIES))
    PAGE.write_text(page(found), "utf-8")
    draw_figure(found)
    print(f"wrote {PAGE.name} and {FIGURE.name}")


def coverages(studies: int, cases: Sequence[Case] = CASES, seeds: Sequence[int] = SEEDS) -> Iterator[Found]:
    """Every case at every number of seeds."""
    for place, case in enumerate(cases):
        for n in seeds:
            yield covered(case, n, studies, np.random.default_rng([2026, place, n]))


def covered(case: Case, seeds: int, studies: int, rng: np.random.Generator) -> Found:
    """Two arms: seeds logit-normal about the true rate, answers binomial, the judge right as often as the case says."""
    truth = case.rates[0] - case.rates[1]
    arms = [_arm(rate, right, (studies, seeds), rng) for rate, right in zip(case.rates, case.right, strict=True)]
    judged, gold = (np.concatenate([arm[part] for arm in arms], axis=1) for part in (0, 1))
    corrected = np.array([_corrected(judged[k], gold[k], case.labels) for k in range(studies)])
    shares, widths = {}, {}
    for name, means in {
        "raw": judged.mean(axis=2),
        "corrected": corrected,
        "labels_alone": gold[:, :, : case.labels].mean(axis=2),
    }.items():
        low, high = _interval(means[:, :seeds], means[:, seeds:])
        shares[name], widths[name] = float(np.mean((low <= truth) & (truth <= high))), float(np.mean(high - low))
    return Found(
        case=case,
        seeds=seeds,
        **shares,
        raw_width=widths["raw"],
        corrected_width=widths["corrected"],
        labels_width=widths["labels_alone"],
    )


def _arm(rate: float, right: float, shape: tuple[int, int], rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """What the judge says and what is right, shape (K, S, N) each; the labelled answers stand first."""
    centre = optimize.brentq(lambda c: _mean_rate(c) - rate, -10, 10)
    rate_KS = special.expit(centre + SEED_SD * rng.standard_normal(shape))
    gold = rng.random((*shape, ANSWERS)) < rate_KS[:, :, None]
    is_right = rng.random(gold.shape) < right
    return np.where(is_right, gold, ~gold).astype(float), gold.astype(float)


def _mean_rate(centre: float) -> float:
    """Mean rate over seeds, by Gauss-Hermite quadrature."""
    at, weight = np.polynomial.hermite_e.hermegauss(40)
    return float(special.expit(centre + SEED_SD * at) @ weight / weight.sum())


def _corrected(judged_RN: FloatArray, gold_RN: FloatArray, labels: int) -> list[float]:
    """Corrected mean of every run, as the analysis makes it."""
    ones = np.ones(labels)
    runs = [
        Labelled(judged_L=judged_N[:labels], gold_L=gold_N[:labels], weight_L=ones)
        for judged_N, gold_N in zip(judged_RN, gold_RN, strict=True)
    ]
    means = []
    for r, run in enumerate(runs):
        weight = judge_weight([*runs[:r], *runs[r + 1 :]])
        means.append(weight * float(judged_RN[r].mean()) + rectifier(run, weight=weight))
    return means


def _interval(treated_KS: FloatArray, control_KS: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The package's own Welch interval; one without spread is all of the scale."""
    levels = [ManyLevels(weight=w, means_KU=means) for w, means in ((1.0, treated_KS), (-1.0, control_KS))]
    simulate = welch_t.ESTIMATOR.simulate
    if simulate is None:
        raise AssertionError("a t on unit means is computed for all studies at once")
    many = simulate(levels, level=LEVEL, edges=(0.0,), limits=(-math.inf, math.inf))
    return np.where(many.has_answer_K, many.low_K, -1.0), np.where(many.has_answer_K, many.high_K, 1.0)


def page(found: Sequence[Found]) -> str:
    """The page as Markdown."""
    error = math.sqrt(LEVEL * (1 - LEVEL) / STUDIES)
    head = " | ".join(f"{n}: judge | corrected | width" for n in SEEDS)
    rows = []
    for case in dict.fromkeys(one.case for one in found):
        cells = [one for one in found if one.case == case]
        numbers = " | ".join(f"{_marked(c.raw, error)} | {_marked(c.corrected, error)} | {_ratio(c)}" for c in cells)
        rates, right = (" v ".join(f"{100 * x:.0f}%" for x in pair) for pair in (case.rates, case.right))
        rows.append(f"| {rates} | {right} | {100 * case.shift:+.0f} pp | {case.labels} | {numbers} |")
    said = (
        f"Coverage of nominal {LEVEL:.0%} Welch intervals for the difference of two arms, over seeds. {ANSWERS} "
        f"answers a run, seeds {SEED_SD:g} logits apart, {STUDIES:,} simulated studies a cell; Monte Carlo error "
        f"{error:.3f} at nominal. The judge is right on the same share of hits and of misses, but not on the same "
        "share in both arms. "
        "*Judge* takes its verdicts as they are, *corrected* is what a plan with `[judges.NAME.gold]` reports, *width* "
        "its mean width over the judge's, and in brackets that of the labels alone, the judge forgotten. Coverages "
        f"that fall short of nominal by more than {BELOW:g} Monte Carlo errors are bold. Written by "
        "`.venv/bin/python -m docs.make_judge_coverage`; a test repeats a part of it with fewer studies."
    )
    table = [f"| true rates | judge right | judge's shift | labels a run | {head} |"]
    table += [f"|---|---|---:|---:|{'---:|---:|---:|' * len(SEEDS)}", *rows]
    figure = "![Coverage of the judge's own and of the corrected interval by seeds an arm](judge-coverage.png)"
    parts = [
        "# Judges that err: what covers",
        textwrap.fill(said, 120),
        "\n".join(table),
        figure,
        textwrap.fill(AFTER, 120),
    ]
    return "\n\n".join(parts) + "\n"


def _marked(share: float, error: float) -> str:
    return f"**{share:.3f}**" if share < LEVEL - BELOW * error else f"{share:.3f}"


def _ratio(one: Found) -> str:
    return f"{one.corrected_width / one.raw_width:.2f} ({one.labels_width / one.raw_width:.2f})"


def draw_figure(found: Sequence[Found]) -> None:
    """Coverage by seeds, one line a case: orange for the judge, blue for the corrected interval."""
    import matplotlib as mpl  # noqa: PLC0415 - only here

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    canvas, axes = plt.subplots(figsize=(6.0, 3.4), layout="constrained")
    for case in dict.fromkeys(one.case for one in found):
        own = [one for one in found if one.case == case]
        axes.plot(SEEDS, [one.raw for one in own], color="#d55e00", marker="o", linewidth=1, alpha=0.8)
        axes.plot(SEEDS, [one.corrected for one in own], color="#0072b2", marker="s", linewidth=1, alpha=0.8)
    axes.axhline(LEVEL, color="#6a727c", linewidth=0.8, linestyle="--")
    axes.set(xticks=SEEDS, ylim=(0, 1.02), xlabel="seeds an arm", ylabel=f"coverage of {LEVEL:.0%} intervals")
    axes.plot([], [], color="#0072b2", marker="s", label="corrected by gold labels")
    axes.plot([], [], color="#d55e00", marker="o", label="the judge's verdicts as they are")
    axes.legend(loc="lower left", frameon=False)
    canvas.savefig(FIGURE, dpi=160, metadata={"Software": None})
    plt.close(canvas)


if __name__ == "__main__":
    main()
