"""Rows for random effects over studies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from docs.validation_rows.check import Check, stored
from seedlock.analysis.inference.random_effects import pool

GIVEN = {
    "bcg": "13 trials of BCG vaccine (Colditz et al. 1994)",
    "three_far_apart": "three studies far apart",
    "three_alike": "three studies alike: tau 0",
    "two": "two studies",
    "eight": "eight studies",
}


def synthesis_checks() -> Iterator[Check]:
    """Compute the rows."""
    for name, given in GIVEN.items():
        case: Any = stored("random_effects")[name]
        found = pool(np.array(case["effect"]), np.array(case["se"]), level=0.95)
        theirs, prediction = case["adhoc"], found.prediction or ()
        yield Check(
            method="`pool`: mean, 95% interval" + (", prediction" if prediction else ""),
            source="R metafor, REML, test = adhoc",
            given=given,
            expected=(theirs["estimate"], *theirs["ci"], *(theirs["prediction"] or ())),
            found=(found.estimate, *found.ci, *prediction),
            digits=6,
        )
        yield Check(
            method="`pool`: tau squared and I squared, with Q-profile intervals",
            source="R metafor, confint",
            given="the same",
            expected=(case["tau2"], *case["tau2_ci"], case["i2"], *case["i2_ci"]),
            found=(found.tau2, *found.tau2_ci, found.i2, *found.i2_ci),
            digits=5,
        )
