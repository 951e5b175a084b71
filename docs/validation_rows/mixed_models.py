"""Rows for mixed models on data that others published, and for three clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from docs.validation_rows.check import Check, level, rows, run, sample, stored
from seedlock.analysis.estimators.internals.cell_grid import cell_grid
from seedlock.analysis.estimators.internals.reml import CrossedFit, fit_crossed
from seedlock.analysis.estimators.internals.sample import Sample
from seedlock.prereg.errors import TooFewUnits

PUBLISHED = stored("published")
LMER = "R lme4 and lmerTest, REML + Satterthwaite"


def mixed_model_checks() -> Iterator[Check]:
    """Compute the rows."""
    yield from _batches()
    yield from _penicillin()
    yield from _sleepstudy()
    yield from _three_clusters()


def _batches() -> Iterator[Check]:
    for key, given in (
        ("dyestuff", "Dyestuff: 6 batches of 5 (Davies & Goldsmith 1972)"),
        ("dyestuff_ragged", "Dyestuff without 7 of its 30: 2 to 5 a batch"),
        ("dyestuff2", "Dyestuff2: 6 batches of 5 (Box & Tiao 1973)"),
    ):
        ref = PUBLISHED[key]
        seen: Counter[str] = Counter()
        numbered = []
        for unit in ref["unit"]:
            numbered.append(str(seen[unit]))
            seen[unit] += 1
        fit = fit_crossed(cell_grid(_one_level(ref["unit"], numbered, ref["y"]), method="REML"), has_items=False)
        is_zero = ref["sd"]["Batch"] == 0
        yield Check(
            method="`fit_crossed`, units only: SD between and within batches",
            source=LMER,
            given=given,
            expected=(ref["sd"]["Batch"], ref["sd"]["Residual"]),
            found=(fit.unit_sd, fit.residual_sd),
            digits=4,
            expected_remark="singular fit: the SD is at its boundary" if is_zero else "",
            found_remark=fit.reason,
            holds=is_zero == bool(fit.reason),
        )
        yield _mean("`fit_crossed`, units only", ref, fit)


def _mean(method: str, ref: dict[str, Any], fit: CrossedFit) -> Check:
    return Check(
        method=f"{method}: mean, SE, df",
        source=LMER,
        given="the same",
        expected=(ref["fit"]["estimate"], ref["fit"]["se"], ref["fit"]["df"]),
        found=(fit.estimate, fit.se, fit.df),
        digits=4,
    )


def _penicillin() -> Iterator[Check]:
    ref = PUBLISHED["penicillin"]
    made = _one_level(ref["unit"], ref["item"], ref["y"])
    fit = fit_crossed(cell_grid(made, method="REML"))
    yield Check(
        method="`crossed`: SD of plates, of samples, residual",
        source=LMER,
        given="Penicillin: 24 plates x 6 samples (Davies & Goldsmith 1972)",
        expected=(ref["sd"]["plate"], ref["sd"]["sample"], ref["sd"]["Residual"]),
        found=(fit.unit_sd, fit.item_sd, fit.residual_sd),
        digits=4,
    )
    yield _mean("`crossed`", ref, fit)


def _sleepstudy() -> Iterator[Check]:
    ref = PUBLISHED["sleepstudy"]
    by_unit: dict[str, list[tuple[float, float]]] = {}
    for unit, day, y in zip(ref["unit"], ref["day"], ref["y"], strict=True):
        by_unit.setdefault(unit, []).append((day, y))
    slopes = [float(np.polyfit([d for d, _ in points], [y for _, y in points], 1)[0]) for points in by_unit.values()]
    found = run("one_sample_t", sample(level("slope", slopes)))
    yield Check(
        method="`one_sample_t` on each subject's own slope: mean, SE, df",
        source="R lme4 and lmerTest, random intercepts and slopes (10.467, 1.546 in Bates et al. 2015)",
        given="sleepstudy: 18 subjects x 10 days (Belenky et al. 2003)",
        expected=(ref["fit"]["estimate"], ref["fit"]["se"], ref["fit"]["df"]),
        found=(found.estimate, found.se or 0.0, found.df or 0.0),
        digits=4,
    )


def _three_clusters() -> Iterator[Check]:
    ref = PUBLISHED["cr2_three"]
    found = run("cr2", _one_level(ref["unit"], ref["item"], ref["y"]))
    yield Check(
        method="`cr2` with three clusters: estimate, SE, df, 95% interval",
        source="R clubSandwich, CR2 + Satterthwaite",
        given="plates a, d, g of Penicillin x 6 samples",
        expected=(ref["fit"]["estimate"], ref["fit"]["se"], ref["fit"]["df"], *ref["fit"]["ci"]),
        found=(found.estimate, found.se or 0.0, found.df or 0.0, found.ci_low, found.ci_high),
        digits=6,
    )
    gaps = PUBLISHED["cr2_three_gaps"]
    try:
        run("cr2", _one_level(gaps["unit"], gaps["item"], gaps["y"]))
        said = "an answer"
    except TooFewUnits as refusal:
        said = f"refused: {refusal.what}"
    df = f"{gaps['fit']['df']:.3g}"
    yield Check(
        method="`cr2` with three clusters and gaps: refusal below 2 df",
        source="R clubSandwich's df",
        given="the same without 4 of its 18 cells",
        expected=(),
        found=(),
        digits=0,
        expected_remark=f"{df} df",
        found_remark=said,
        holds=said.startswith(f"refused: CR2 leaves {df} "),
    )


def _one_level(units: list[str], items: list[str], y: list[float]) -> Sample:
    cells = zip(units, items, y, strict=True)
    return rows([{"arm": "a", "unit": unit, "item": item, "y": value} for unit, item, value in cells])
