"""Rows for agreement of judges, and for means corrected by gold labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from docs.validation_rows.check import Check, stored
from seedlock.analysis.estimators.internals.prediction_powered import Labelled, rectifier
from seedlock.analysis.findings.agreement import Agreement, Metric, cohen_kappa, krippendorff_alpha

PUBLISHED = stored("published")
BINARY = ("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")
NOMINAL = ("a a b b d c c c e d d a", "b a b b b c c c e d d d")
FOUR_OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
METRICS: tuple[Metric, ...] = ("nominal", "ordinal", "interval")


def judge_checks() -> Iterator[Check]:
    """Compute the rows."""
    for section, texts, metrics, expected, given in (
        ("A", BINARY, METRICS[:1], (0.095,), "2 observers, 10 units, two codes"),
        ("B", NOMINAL, METRICS[:1], (0.692,), "2 observers, 12 units, five codes"),
        ("C", FOUR_OBSERVERS, METRICS, (0.743, 0.815, 0.849), "4 observers, 12 units, gaps"),
    ):
        yield Check(
            method=f"`krippendorff_alpha`: {', '.join(metrics)}",
            source=f"Krippendorff 2011, section {section}",
            given=given,
            expected=expected,
            found=[krippendorff_alpha(_ratings(texts), metric=metric).value for metric in metrics],
            digits=3,
        )
    yield from _kappa("kappa_cohen", "Cohen's table of 1960, 200 people, 3 codes", "quadratic")
    yield from _kappa("kappa_couples", "91 couples of Agresti 1990, 4 codes", "linear")
    yield from _corrected()


def _corrected() -> Iterator[Check]:
    """Corrected means of one run; ppi-python averages the judge over texts without a label, and we over all."""
    cases: Any = stored("prediction_powered")
    found = []
    for case in cases:
        gold, judged, rest = (np.array(case[key]) for key in ("gold", "judged", "judged_only"))
        run = Labelled(judged_L=judged, gold_L=gold, weight_L=np.ones(len(gold)))
        weight = case["lam"] * (len(judged) + len(rest)) / len(rest)
        found.append(weight * float(np.mean([*judged, *rest])) + rectifier(run, weight=weight))
    yield Check(
        method="gold labels: corrected mean of a run",
        source="ppi-python 0.2.3",
        given="judges right on 95, 80 and 60% and one on a scale; lambda 1, .4 and tuned",
        expected=tuple(case["estimate"] for case in cases),
        found=tuple(found),
        digits=4,
    )


def _kappa(key: str, given: str, weights: Literal["linear", "quadratic"]) -> Iterator[Check]:
    ref: dict[str, Any] = PUBLISHED[key]
    pairs = [(i, j) for i, row in enumerate(ref["table"]) for j, count in enumerate(row) for _ in range(count)]
    first, second = ({f"{n:03d}": float(pair[side]) for n, pair in enumerate(pairs)} for side in (0, 1))
    found: tuple[tuple[str, str, Agreement], ...] = (
        ("plain", "plain", cohen_kappa(first, second)),
        (f"{weights} weights", "weighted", cohen_kappa(first, second, weights=weights)),
    )
    for name, which, kappa in found:
        by_psych = ref[which].get("psych_ci")
        yield Check(
            method=f"`cohen_kappa`, {name}: value, 95% interval",
            source="R vcd" + (f" (psych's interval: {by_psych[0]:.4f}, {by_psych[1]:.4f})" if by_psych else ""),
            given=given,
            expected=(ref[which]["value"], *ref[which]["ci"]),
            found=(kappa.value, kappa.ci_low or 0.0, kappa.ci_high or 0.0),
            digits=8,
        )


def _ratings(texts: tuple[str, ...]) -> dict[str, dict[str, float]]:
    return {
        str(judge): {f"{unit:02d}": float(ord(code)) for unit, code in enumerate(text.split()) if code != "."}
        for judge, text in enumerate(texts)
    }
