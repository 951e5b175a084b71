"""Bands: which parts of the scale the data exclude, and what is left."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seedlock.analysis.estimators.internals.sample import EdgeTest
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.bands import Bands

type BandOutcome = Literal["decided", "inconclusive", "no band left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BandResult:
    """A band with the p-value of "the parameter lies here" and whether the data exclude it."""

    name: str
    lower: float | None
    upper: float | None
    p: float
    excluded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BandDecision:
    """The verdict on one hypothesis.

    Parameters
    ----------
    bands
        Every band, from the bottom of the scale to the top.
    alpha
        Probability at most with which the true band is excluded.
    verdict
        Names of the bands not excluded: always neighbours.
    outcome
        "decided" with one band left, "inconclusive" with several. "no band left" means that the edge
        tests contradict each other; no band is then claimed.
    decision
        The verdict in words.
    """

    bands: tuple[BandResult, ...]
    alpha: float
    verdict: tuple[str, ...]
    outcome: BandOutcome
    decision: str

    def p_for(self, name: str) -> float:
        """Return the smallest alpha at which `name` would be the only band left.

        Raises
        ------
        BadInput
            No band has this name.
        """
        if name not in {band.name for band in self.bands}:
            known = ", ".join(band.name for band in self.bands)
            raise BadInput(f"no band is called {name!r}; the bands are {known}")
        return max(band.p for band in self.bands if band.name != name)


def decide_bands(edge_tests: Sequence[EdgeTest], bands: Bands, alpha: float, *, scale: float = 1.0) -> BandDecision:
    """Exclude the bands that the data contradict; the verdict is what is left.

    Parameters
    ----------
    edge_tests
        One entry for every edge between `bands`, in any order, on the raw scale of the measure.
    bands
        As the plan cuts its scale.
    alpha
        In (0, 0.5): the probability at most with which the true band is excluded.
    scale
        Raw units in one unit of the bands' scale (the frozen SD, where the plan names one), above 0.

    Returns
    -------
    BandDecision
        An outer band's p is that of the one-sided test at its edge; an inner band's is `inner_band_p`.
        "Only the middle band left" of three is TOST at `alpha`.

    Raises
    ------
    BadInput
        An edge has no test, or `alpha` or `scale` is out of range.

    Notes
    -----
    Exactly one band is true, so excluding bands one by one at `alpha` needs no further correction:
    Finner & Strassburger (2002), https://doi.org/10.1214/aos/1031689023
    """
    if not 0 < alpha < 0.5:
        raise BadInput(f"alpha lies between 0 and 0.5; found {alpha}")
    if not scale > 0:
        raise BadInput(f"one unit of the bands' scale is more than 0 raw units; found {scale}")
    tests = _matched_tests(edge_tests, bands, scale)
    # An excluded band excludes all bands beyond it: running maxima make that hold for any edge tests.
    above = list(itertools.accumulate((test.p_above for test in tests), max))
    below = list(itertools.accumulate((test.p_below for test in reversed(tests)), max))[::-1]
    results = []
    for i, band in enumerate(bands.bands):
        if band.lower is None:
            p = above[i]
        elif band.upper is None:
            p = below[i - 1]
        else:
            is_t = tests[i - 1].t is not None and tests[i].t is not None
            p = inner_band_p(above=(above[i - 1], above[i]), below=(below[i - 1], below[i]), is_t=is_t)
        results.append(BandResult(name=band.name, lower=band.lower, upper=band.upper, p=p, excluded=p <= alpha))
    verdict = tuple(result.name for result in results if not result.excluded)
    outcome: BandOutcome = "no band left" if not verdict else "decided" if len(verdict) == 1 else "inconclusive"
    return BandDecision(
        bands=tuple(results), alpha=alpha, verdict=verdict, outcome=outcome, decision=_in_words(verdict)
    )


def inner_band_p(*, above: tuple[float, float], below: tuple[float, float], is_t: bool) -> float:
    """Return the p-value of "the parameter lies between two edges".

    Parameters
    ----------
    above, below
        One-sided p at the lower and the upper edge.
    is_t
        The tests are tails of one t distribution.

    Returns
    -------
    float
        Otherwise twice the smaller p (each edge at alpha / 2, valid for any tests). For t tests, the exact
        worst case over the band given the estimated standard error: with the estimate above the band,
        P(T > t_upper) + P(T < -t_lower), which is the sum of the two p. It costs twice the one-sided p
        where the band is narrow against the standard error, and nothing where it is wide.

    Notes
    -----
    That the second form keeps its level although the standard error is estimated is shown by integration
    in tests/test_bands.py and argued in docs/decisions/inner-bands.md.
    """
    if is_t:
        return min(1.0, sum(above), sum(below))
    return min(1.0, 2 * min(above[1], below[0]))


def _in_words(verdict: tuple[str, ...]) -> str:
    if not verdict:
        return "no band left: the edge tests contradict each other"
    if len(verdict) == 1:
        return verdict[0]
    return "inconclusive: " + " or ".join(verdict)


def _matched_tests(edge_tests: Sequence[EdgeTest], bands: Bands, scale: float) -> list[EdgeTest]:
    by_edge = {test.edge: test for test in edge_tests}
    missing = [edge for edge in bands.edges if edge * scale not in by_edge]
    if missing:
        raise BadInput(
            "a band edge has no test",
            *(
                Finding(where=f"edge {edge}", found="no test", promised=f"both one-sided tests at {edge * scale}")
                for edge in missing
            ),
        )
    return [by_edge[edge * scale] for edge in bands.edges]
