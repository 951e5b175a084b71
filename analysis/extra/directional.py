"""Two arms pushed in opposite directions from a neutral one: one combined contrast, and its strict twin."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seedlock.analysis.estimators.internals.estimator import Method
from seedlock.analysis.estimators.internals.sample import Estimate, Level, Sample
from seedlock.prereg.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Directional:
    """Movement in the trained direction.

    Parameters
    ----------
    combined
        (up - down) / 2. The neutral arm cancels, so this says nothing about each direction alone.
    p_combined
        Against "combined <= edge".
    up, down
        up - neutral and neutral - down, which share the neutral arm and are not independent.
    p_both
        Against "at least one direction moves by no more than edge": the larger one-sided p.
    """

    combined: Estimate
    p_combined: float
    up: Estimate
    down: Estimate
    p_both: float


def directional(
    sample: Sample, estimator: Method, *, up: str, neutral: str, down: str, level: float, edge: float = 0.0
) -> Directional:
    """Estimate the combined directional contrast, and test both directions at once.

    Parameters
    ----------
    sample
        Levels that include the three named; weights are set here. Other levels keep weight 0 and lend
        their spread where the estimator pools.
    estimator
        As the plan names it (`pooled_t`, `welch_t`, `paired_t`).
    level
        Two-sided confidence level of each estimate.
    edge
        Least movement that counts, in the trained direction, the same for both tests.

    Raises
    ------
    BadInput
        A named level is not in the sample.
    Refusal
        Whatever the estimator refuses.

    Notes
    -----
    Independent units: variance of the combined contrast (se_up^2 + se_down^2) / 4, of the arms' own
    standard errors. "Both directions" is an intersection-union test, with no correction:
    Berger (1982), https://doi.org/10.1080/00401706.1982.10487790
    """

    def contrast(weights: dict[str, float]) -> Estimate:
        levels = tuple(replace(lv, weight=weights.get(lv.name, 0.0)) for lv in sample.levels)
        return estimator(replace(sample, levels=levels), level=level, edges=(edge,))

    absent = {up, neutral, down} - {lv.name for lv in sample.levels}
    if absent:
        raise BadInput(f"no level is called {', '.join(sorted(absent))}; there are {_names(sample.levels)}")
    combined = contrast({up: 0.5, down: -0.5})
    above, below = contrast({up: 1.0, neutral: -1.0}), contrast({neutral: 1.0, down: -1.0})
    return Directional(
        combined=combined,
        p_combined=combined.edges[0].p_above,
        up=above,
        down=below,
        p_both=max(above.edges[0].p_above, below.edges[0].p_above),
    )


def _names(levels: tuple[Level, ...]) -> str:
    return ", ".join(level.name for level in levels)
