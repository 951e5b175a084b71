"""Rows for what is computed before a study: looks and power."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pingouin
from scipy import integrate, stats

from docs.validation_rows.check import Check, stored
from seedlock.analysis.inference.alpha_spending import Spending, planned_looks
from seedlock.analysis.inference.anytime import log_e_value
from seedlock.analysis.simulation.tost_power import tost_power

LOOKS = stored("frequentist")["looks"]
SPENDING: tuple[Spending, ...] = ("obrien-fleming", "pocock")


def design_checks() -> Iterator[Check]:
    """Compute the rows."""
    for spending in SPENDING:
        looks = planned_looks((1, 2, 3, 4, 5), alpha=LOOKS["alpha"], spending=spending)
        yield Check(
            method=f"`planned_looks`, {spending}: boundaries",
            source="R mvtnorm",
            given="5 equal looks, one-sided .025",
            expected=tuple(LOOKS[spending.replace("-", "_")]),
            found=tuple(look.boundary_z for look in looks),
            digits=3,
        )
    yield from _looks_at_any_time()
    for seeds, sds in ((3, (0.05, 0.08, 0.10, 0.15, 0.20)), (17, (0.20,)), (18, (0.20,))):
        yield Check(
            method="`tost_power`",
            source="400,000 simulated studies",
            given=f"{seeds} v {seeds} seeds, SESOI .2, seed SD {', '.join(f'{sd:.2f}' for sd in sds)}",
            expected=tuple(_simulated_tost(seeds, sd) for sd in sds),
            found=tuple(tost_power(sesoi=0.2, seed_sd=sd, seeds=seeds, alpha=0.05) for sd in sds),
            digits=2,
        )


def _looks_at_any_time() -> Iterator[Check]:
    """Both halves of the evidence, mixed over the effect as a Cauchy prior is; and one half by quadrature."""
    for t, n in ((2.3, 12), (-3.1, 20)):
        yield Check(
            method="looks at any time: both e-values, mixed over effects",
            source="pingouin, JZS Bayes factor",
            given=f"t = {t}, {n} pairs, Cauchy scale .707",
            expected=(float(pingouin.bayesfactor_ttest(t, n, paired=True)),),
            found=(_cauchy(t, n, 0.707),),
            digits=3,
        )


def _cauchy(t: float, n: int, r: float) -> float:
    def at(effect: float) -> float:
        halves = np.exp(log_e_value(np.array([t, -t]), df=n - 1, size=n, effect=effect))
        return float(halves.mean() * stats.invgamma.pdf(effect**2, 0.5, scale=r**2 / 2) * 2 * effect)

    return float(integrate.quad(at, 0, np.inf, limit=400)[0])


def _simulated_tost(seeds: int, sd: float) -> float:
    """Share of studies without an effect in which the 90% interval lies inside +/- .2."""
    rng = np.random.default_rng([seeds, round(100 * sd)])
    draws, df = 400_000, 2 * (seeds - 1)
    estimate_K = rng.normal(0, sd * np.sqrt(2 / seeds), draws)
    half_K = stats.t.isf(0.05, df) * sd * np.sqrt(rng.chisquare(df, draws) / df * 2 / seeds)
    return float(np.mean((estimate_K - half_K > -0.2) & (estimate_K + half_K < 0.2)))
