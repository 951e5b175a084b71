"""An interval inside [0, 1] for a rate whose items, not answers, are the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from seedlock.analysis.estimators.internals.binomial import Counts, rate_edges
from seedlock.analysis.estimators.internals.sample import EdgeTest
from seedlock.analysis.estimators.internals.t_interval import require_level
from seedlock.analysis.estimators.internals.units import ROUNDING
from seedlock.prereg.errors import NoSpread, TooFewUnits

type Form = Literal["t", "t and score", "score", "exact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredRate:
    """A mean over items and the interval that suits it; `clustered_rate` chooses the form.

    Parameters
    ----------
    rate
        Mean over items, each weighing the same unless weights say otherwise.
    se
        Of `rate`, from the spread between items; None where items do not differ.
    n_items
        Items; the t quantiles have n_items - 1 df.
    worth
        Independent answers the sample is worth (effective n); None at 0 and 1, where nothing tells.
    form
        "t" on item means, on both sides the wider one; "t and score", where the score is wider on one; "score" alone,
        with `worth` and t quantiles; "exact" with one answer an item.
    low, high
        The interval, inside [0, 1].
    is_floored
        An end of it is the one that items without a single hit (or miss) would leave.
    """

    rate: float
    se: float | None
    n_items: int
    worth: float | None
    form: Form
    low: float
    high: float
    is_floored: bool

    @property
    def method(self) -> str:
        """Say in words which interval this is."""
        if self.form == "exact":
            return f"Clopper-Pearson exact, one answer an item ({self.n_items} items)"
        floor = f", no narrower than {self.n_items} items leave it at {round(self.rate)}" if self.is_floored else ""
        df, score = f"{self.n_items - 1} df{floor}", f"Wilson score, effective n {self.worth or 0:.4g}"
        if self.form == "score":
            return f"{score}, t with {df}"
        return f"t on item means, {df}" if self.form == "t" else f"the wider of t on item means and {score}, {df}"

    def edge_tests(self, edges: tuple[float, ...]) -> tuple[EdgeTest, ...]:
        """Test every edge by the test that the interval inverts."""
        inside = Counts(k=1, n=2) if 0 < self.rate < 1 else Counts(k=round(self.rate), n=1)
        return rate_edges(
            inside,
            edges,
            p_above=lambda edge: max(edge**self.n_items, self._tail(edge, 1.0)),
            p_below=lambda edge: max((1 - edge) ** self.n_items, self._tail(edge, -1.0)),
        )

    def _tail(self, edge: float, side: float) -> float:
        """The p of t or the score on one side; at 0 and 1 the exact test decides, and logic on the other side."""
        if self.worth is None:
            return 1.0 if side * (self.rate - 0.5) < 0 else 0.0
        errors = [math.sqrt(edge * (1 - edge) / self.worth)]
        if self.form != "score" and self.se is not None:
            errors.append(self.se)
        return max(float(stats.t.sf(side * (self.rate - edge) / se, self.n_items - 1)) for se in errors)


def clustered_rate(
    rates_I: list[float], *, worth: float | None, level: float, weights_I: list[float] | None = None
) -> ClusteredRate:
    """Compute the interval for a mean of item rates.

    Parameters
    ----------
    rates_I
        Rate of every item, shape (I,), in [0, 1].
    worth
        Effective number of answers, where the counts are known; None takes it from the spread of the rates.
    level
        Two-sided confidence level.
    weights_I
        What every item weighs, shape (I,), positive; None weighs all the same.

    Raises
    ------
    TooFewUnits
        Fewer than two items.
    NoSpread
        Every item has the same rate inside (0, 1), and nothing says how many answers that rests on.

    Notes
    -----
    Wilson's form with the effective n of Korn & Graubard (1998) and t quantiles: see Franco et al. (2019),
    https://doi.org/10.1093/jssam/smy019. Where the interval of t on item means lies strictly inside (0, 1), the wider
    end on each side: item rates of few hits are skewed, and t alone ends too early on the side of the middle (it covers
    .92 with 40 items at 10%). Few hits say next to nothing about how much items differ. So no interval ends below what
    I items without a hit leave open, 1 - (alpha / 2)^(1 / I), nor begins above its mirror image: an item that never hit
    counts as one answer, the worst case.
    With weights w that sum to 1 the variance is I / (I - 1) * sum w^2 (x - mean)^2, the linearised one of a weighted
    mean of clusters (Cochran 1977, Sampling Techniques, 6.19); with equal weights the usual one.
    """
    require_level(level)
    n_items = len(rates_I)
    if n_items < 2:
        raise TooFewUnits(f"{n_items} item(s): how much items differ cannot be estimated")
    weighted = list(zip(weights_I or [1.0] * n_items, rates_I, strict=True))
    total = math.fsum(weight for weight, _ in weighted)
    rate = math.fsum(weight * x for weight, x in weighted) / total
    squares = math.fsum((weight * (x - rate)) ** 2 for weight, x in weighted)
    se = math.sqrt(squares * n_items / (n_items - 1)) / total
    spread = se if se > ROUNDING else None
    form: Form = "exact"
    if all(x in (0, 1) and x == rates_I[0] for x in rates_I):
        low = high = rate = float(rates_I[0])
        worth = None
    else:
        if worth is None:
            if spread is None:
                raise NoSpread(f"all {n_items} items have the rate {rate:g}: no standard error, no t statistic")
            worth = rate * (1 - rate) / spread**2
        low, high, form = _t_or_score(rate, spread, worth, float(stats.t.isf((1 - level) / 2, n_items - 1)))
    least = ((1 - level) / 2) ** (1 / n_items)
    return ClusteredRate(
        rate=rate,
        se=spread,
        n_items=n_items,
        worth=worth,
        form=form,
        low=min(low, least),
        high=max(high, 1 - least),
        is_floored=low > least or high < 1 - least,
    )


def _t_or_score(rate: float, se: float | None, worth: float, t: float) -> tuple[float, float, Form]:
    shrink = t**2 / worth
    centre = (rate + shrink / 2) / (1 + shrink)
    half = math.sqrt(rate * (1 - rate) * shrink + shrink**2 / 4) / (1 + shrink)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    if se is None or rate - t * se <= 0 or rate + t * se >= 1:
        return low, high, "score"
    is_wider = rate - t * se <= low and rate + t * se >= high
    return min(low, rate - t * se), max(high, rate + t * se), "t" if is_wider else "t and score"
