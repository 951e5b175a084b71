"""Is the effect too small to matter? Two one-sided tests, and their mirror, the minimal-effect test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seedlock.analysis.estimators.internals.estimator import Method
from seedlock.analysis.estimators.internals.sample import Estimate, Level, Sample
from seedlock.analysis.estimators.one_sample_t import one_sample_t
from seedlock.analysis.inference.bands import inner_band_p
from seedlock.prereg.errors import BadInput

type TostOutcome = Literal["different", "equivalent", "different but negligible", "inconclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tost:
    """The answer of an equivalence test with bounds -sesoi and +sesoi.

    Parameters
    ----------
    estimate
        With the interval of level 1 - 2 * alpha that matches the test.
    sesoi, alpha
        As asked.
    p_equivalent
        Larger of the two one-sided p: small when the effect lies inside the bounds.
    p_different
        Two-sided p of no effect.
    p_minimal
        Of |effect| <= sesoi: small when the effect is at least the SESOI, in either direction.
    outcome
        Whether the effect is different from 0, inside the bounds, both or neither, each at `alpha`.
    """

    estimate: Estimate
    sesoi: float
    alpha: float
    p_equivalent: float
    p_different: float
    p_minimal: float
    outcome: TostOutcome


def tost(sample: Sample, estimator: Method, *, sesoi: float, alpha: float) -> Tost:
    """Test whether a contrast lies inside +/- `sesoi`, by any estimator with edge tests.

    Parameters
    ----------
    sample
        As the estimator takes it.
    sesoi
        Smallest effect of interest, above 0, in the unit of the measure.
    alpha
        In (0, 0.5).

    Returns
    -------
    Tost
        `p_equivalent <= alpha` exactly when the interval of level 1 - 2 * alpha lies inside the bounds.

    Raises
    ------
    BadInput
        `sesoi` or `alpha` out of range.
    Refusal
        Whatever the estimator refuses: where it has no standard error there is no equivalence either.

    Notes
    -----
    Schuirmann (1987), https://doi.org/10.1007/BF01068419. Minimal-effect test: Murphy & Myors (1999),
    https://doi.org/10.1037/0021-9010.84.2.234, with the p of an inner band (`inner_band_p`).
    pingouin's `tost` answers p = 7e-63 on three identical values an arm; this refuses.
    """
    if not sesoi > 0:
        raise BadInput(f"the smallest effect of interest is above 0; found {sesoi}")
    if not 0 < alpha < 0.5:
        raise BadInput(f"alpha lies between 0 and 0.5; found {alpha}")
    estimate = estimator(sample, level=1 - 2 * alpha, edges=(-sesoi, 0.0, sesoi))
    low, zero, high = estimate.edges
    is_t = low.t is not None and high.t is not None
    p_equivalent = max(low.p_above, high.p_below)
    p_different = min(1.0, 2 * min(zero.p_above, zero.p_below))
    return Tost(
        estimate=estimate,
        sesoi=sesoi,
        alpha=alpha,
        p_equivalent=p_equivalent,
        p_different=p_different,
        p_minimal=inner_band_p(above=(low.p_above, high.p_above), below=(low.p_below, high.p_below), is_t=is_t),
        outcome=_outcome(is_different=p_different <= alpha, is_equivalent=p_equivalent <= alpha),
    )


def tost_mean(diff_S: Sequence[float], *, sesoi: float, alpha: float) -> Tost:
    """Test whether a mean paired difference lies inside +/- `sesoi`.

    Parameters
    ----------
    diff_S
        Treatment minus control, one value per seed, shape (S,). Same unit as `sesoi`.
    sesoi, alpha
        As `tost`.

    Raises
    ------
    TooFewUnits
        Fewer than two seeds: the standard error does not exist.
    NoSpread
        Every seed gave the same difference: no t statistic.

    Notes
    -----
    Two one-sided t tests, S - 1 df; seeds are the replicates, not completions.
    Schuirmann (1987), https://doi.org/10.1007/BF01068419
    """
    level = Level(name="difference", weight=1.0, unit_means={f"{i:06d}": float(d) for i, d in enumerate(diff_S)})
    sample = Sample(levels=(level,), unit="seed", is_proportion=False)
    return tost(sample, one_sample_t, sesoi=sesoi, alpha=alpha)


def _outcome(*, is_different: bool, is_equivalent: bool) -> TostOutcome:
    if is_different and is_equivalent:
        return "different but negligible"
    if is_different:
        return "different"
    return "equivalent" if is_equivalent else "inconclusive"
