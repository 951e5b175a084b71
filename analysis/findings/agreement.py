"""Do judges agree? Cohen's kappa plain and weighted, the intraclass correlation, Krippendorff's alpha."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from seedlock.analysis.estimators.internals.t_interval import cut, require_level
from seedlock.analysis.estimators.internals.units import FloatArray, refuse_non_finite
from seedlock.prereg.errors import BadInput, NoSpread, NotPaired, TooFewUnits

type Metric = Literal["nominal", "ordinal", "interval"]

RESAMPLES = 2000
FEWEST_ITEMS = 10
FEWEST_FOR_ICC = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A coefficient of agreement or association, with an interval where the method has one.

    Parameters
    ----------
    kind
        The coefficient in words.
    value
        At most 1; 0 is chance.
    n
        Items it rests on.
    ci_low, ci_high, ci_level
        None with a `reason` where there is no interval.
    """

    kind: str
    value: float
    n: int
    ci_low: float | None
    ci_high: float | None
    ci_level: float | None
    reason: str = ""


def krippendorff_alpha(
    ratings: Mapping[str, Mapping[str, float]],
    *,
    metric: Metric,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Agreement:
    """Agreement of any number of judges, with ratings missing.

    Parameters
    ----------
    ratings
        Judge -> item -> rating; a judge may leave items out. Codes as numbers; only their equality counts
        for "nominal", their order for "ordinal".
    metric
        How far apart two different ratings are.
    level
        Two-sided confidence level.
    rng
        Of the bootstrap; without it there is no interval.

    Raises
    ------
    TooFewUnits
        No item has two ratings.
    NoSpread
        All ratings are the same: chance agreement is total, and alpha 0 / 0.
    NotFinite
        A rating is NaN or infinite.

    Notes
    -----
    Our own: statsmodels and pingouin have none. Krippendorff (2011), Computing Krippendorff's
    alpha-reliability, https://repository.upenn.edu/handle/20.500.14332/2089. The interval is a percentile bootstrap
    over items (Zapf et al. 2016, https://doi.org/10.1186/s12874-016-0200-9): it speaks of other items judged by
    these judges, never of other judges. Refused below ten items, and where more than one resample in twenty is
    of one code only.
    """
    require_level(level)
    for judge, rated in ratings.items():
        refuse_non_finite(judge, rated)
    items = sorted(set().union(*ratings.values())) if ratings else []
    rated_I = [[rated[item] for rated in ratings.values() if item in rated] for item in items]
    paired_I = [values for values in rated_I if len(values) > 1]
    if not paired_I:
        raise TooFewUnits("no item has two ratings: there is nothing to agree on")
    codes = sorted({value for values in paired_I for value in values})
    if len(codes) == 1:
        raise NoSpread("all ratings are the same: chance alone would agree as well")
    coincidence_ICC = np.zeros((len(paired_I), len(codes), len(codes)))
    for i, values in enumerate(paired_I):
        counts_C = np.array([values.count(code) for code in codes], dtype=float)
        coincidence_ICC[i] = (np.outer(counts_C, counts_C) - np.diag(counts_C)) / (len(values) - 1)
    codes_C = np.array(codes, dtype=float)
    value = _alpha(coincidence_ICC.sum(axis=0), codes_C, metric)
    low, high, reason = _bootstrapped(coincidence_ICC, codes_C, metric, level, rng)
    return Agreement(
        kind=f"Krippendorff's alpha, {metric}",
        value=value,
        n=len(paired_I),
        ci_low=low,
        ci_high=high,
        ci_level=None if low is None else level,
        reason=reason,
    )


def _alpha(coincidence_CC: FloatArray, codes_C: FloatArray, metric: Metric) -> float:
    """1 - observed by expected disagreement; NaN where one code is all there is."""
    margin_C = coincidence_CC.sum(axis=0)
    distance_CC = _distance(codes_C, margin_C, metric)
    expected = float(margin_C @ distance_CC @ margin_C) / (margin_C.sum() - 1)
    return 1 - float((coincidence_CC * distance_CC).sum()) / expected if expected > 0 else math.nan


def _bootstrapped(
    coincidence_ICC: FloatArray, codes_C: FloatArray, metric: Metric, level: float, rng: np.random.Generator | None
) -> tuple[float | None, float | None, str]:
    """Percentile interval over resampled items, or none and the reason."""
    items, codes, _ = coincidence_ICC.shape
    if rng is None:
        return None, None, "an interval takes a random generator"
    if items < FEWEST_ITEMS:
        return None, None, f"{items} items with two ratings; a bootstrap over items needs {FEWEST_ITEMS}"
    times_BI = rng.multinomial(items, np.full(items, 1 / items), size=RESAMPLES)
    resampled_BCC = (times_BI @ coincidence_ICC.reshape(items, -1)).reshape(RESAMPLES, codes, codes)
    alpha_B = np.array([_alpha(coincidence_CC, codes_C, metric) for coincidence_CC in resampled_BCC])
    known_B = alpha_B[np.isfinite(alpha_B)]
    if len(known_B) < 0.95 * RESAMPLES:
        return None, None, "too many resamples hold one code only"
    low, high = np.quantile(known_B, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high), ""


def cohen_kappa(
    first: Mapping[str, float],
    second: Mapping[str, float],
    *,
    level: float = 0.95,
    weights: Literal["none", "linear", "quadratic"] = "none",
) -> Agreement:
    """Agreement of two judges on the same items.

    Parameters
    ----------
    first, second
        Item -> rating. Weighted kappa takes the ratings' ranks among all used ones as their distance.
    level
        Two-sided confidence level.

    Raises
    ------
    NotPaired
        Items that one judge left out.
    TooFewUnits
        Fewer than two items.
    NoSpread
        Both judges gave one and the same rating to all.
    NotFinite
        A rating is NaN or infinite.

    Notes
    -----
    By statsmodels; interval from its asymptotic variance, cut to [-1, 1]; None where that variance is 0.
    Cohen (1960), https://doi.org/10.1177/001316446002000104; Fleiss, Cohen & Everitt (1969),
    https://doi.org/10.1037/h0028106
    """
    require_level(level)
    items = _paired_items(first, second)
    codes = sorted({*first.values(), *second.values()})
    if len(codes) == 1:
        raise NoSpread("both judges gave one rating to everything: chance alone would agree as well")
    place = {code: i for i, code in enumerate(codes)}
    table_CC = np.zeros((len(codes), len(codes)))
    for item in items:
        table_CC[place[first[item]], place[second[item]]] += 1
    with np.errstate(invalid="ignore", divide="ignore"):  # a variance of 0, up to a rounding error, in a z nobody reads
        found = cohens_kappa(table_CC, wt=None if weights == "none" else weights)
    se = math.sqrt(max(0.0, float(found.var_kappa)))
    se = se if se > 1e-7 else 0.0
    z = float(stats.norm.isf((1 - level) / 2))
    low, high = cut(float(found.kappa) - z * se, float(found.kappa) + z * se, (-1.0, 1.0))
    return Agreement(
        kind="Cohen's kappa" if weights == "none" else f"Cohen's kappa, {weights} weights",
        value=float(found.kappa),
        n=len(items),
        ci_low=low if se > 0 else None,
        ci_high=high if se > 0 else None,
        ci_level=level if se > 0 else None,
        reason="" if se > 0 else "the asymptotic variance is 0 at complete agreement",
    )


def icc(ratings: Mapping[str, Mapping[str, float]]) -> Agreement:
    """Absolute agreement of judges who rated the same items on a scale: ICC(A,1), with its 95% interval.

    Parameters
    ----------
    ratings
        Judge -> item -> rating; items that some judge left out are left out.

    Raises
    ------
    TooFewUnits
        Fewer than two judges, or five items that all rated.
    NoSpread
        Items or judges that all rated alike: pingouin gives NaN, or 1 with an interval of no width.
    NotFinite
        A rating is NaN or infinite.

    Notes
    -----
    Items and judges both at random, one judge's rating being used. By pingouin, whose intervals are 95% and rounded to
    two digits. McGraw & Wong (1996), https://doi.org/10.1037/1082-989X.1.1.30
    """
    for judge, rated in ratings.items():
        refuse_non_finite(judge, rated)
    items = sorted(set.intersection(*(set(rated) for rated in ratings.values()))) if ratings else []
    if len(ratings) < 2 or len(items) < FEWEST_FOR_ICC:
        raise TooFewUnits(f"{len(items)} items that {len(ratings)} judge(s) rated; an ICC needs two and five items")
    by_judge = {judge: [rated[item] for item in items] for judge, rated in ratings.items()}
    if len({x for values in by_judge.values() for x in values}) == 1:
        raise NoSpread("all ratings are the same: chance alone would agree as well")
    first, *others = by_judge.values()
    if all(other == first for other in others):
        same = "every judge gave the same ratings: the interval has no width"
        return Agreement(
            kind="ICC(A,1)", value=1.0, n=len(items), ci_low=None, ci_high=None, ci_level=None, reason=same
        )
    import pandas as pd  # noqa: PLC0415 - pingouin reads frames
    import pingouin  # noqa: PLC0415 - nearly two seconds of start-up, for judges on a scale

    rows = [(item, judge, by_judge[judge][at]) for judge in by_judge for at, item in enumerate(items)]
    frame = pd.DataFrame(rows, columns=["item", "judge", "rating"])
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)  # inside pingouin
        found = pingouin.intraclass_corr(frame, targets="item", raters="judge", ratings="rating").set_index("Type")
    low, high = (float(end) for end in found.loc["ICC(A,1)", "CI95"])
    known = math.isfinite(low) and math.isfinite(high)
    return Agreement(
        kind="ICC(A,1)",
        value=float(found.loc["ICC(A,1)", "ICC"]),
        n=len(items),
        ci_low=low if known else None,
        ci_high=high if known else None,
        ci_level=0.95 if known else None,
        reason="" if known else "the judges differ by a constant: the interval is not defined",
    )


def _distance(codes_C: FloatArray, margin_C: FloatArray, metric: Metric) -> FloatArray:
    """Squared distance between codes."""
    if metric == "nominal":
        return np.asarray(1.0 - np.eye(len(codes_C)))
    if metric == "interval":
        return np.asarray((codes_C[:, None] - codes_C[None, :]) ** 2)
    if metric != "ordinal":
        raise BadInput(f"a metric is nominal, ordinal or interval; found {metric!r}")
    # Ratings between two codes, both ends counted half.
    middle_C = np.cumsum(margin_C) - margin_C / 2
    return np.asarray((middle_C[:, None] - middle_C[None, :]) ** 2)


def _paired_items(first: Mapping[str, float], second: Mapping[str, float]) -> Sequence[str]:
    refuse_non_finite("first", first)
    refuse_non_finite("second", second)
    odd = sorted(first.keys() ^ second.keys())
    if odd:
        raise NotPaired(f"{len(odd)} item(s) are rated once only: {', '.join(odd[:5])}")
    if len(first) < 2:
        raise TooFewUnits(f"{len(first)} item(s): no agreement can be estimated")
    return sorted(first)
