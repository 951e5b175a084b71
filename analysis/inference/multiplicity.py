"""Corrections for several tests of one family: Holm for confirmatory, Benjamini-Hochberg for exploratory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scipy import stats

from seedlock.prereg.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """One test of a family: its p, its adjusted p, and whether it is rejected; None where not testable."""

    p: float | None
    p_adjusted: float | None
    rejected: bool


def holm(p_values: Mapping[str, float | None], *, alpha: float) -> dict[str, Adjusted]:
    """Adjust a confirmatory family so that any false rejection has probability at most `alpha`.

    Parameters
    ----------
    p_values
        Test -> p; None where the test was refused. The planned family size counts these too.
    alpha
        Familywise level.

    Returns
    -------
    dict
        In the order given. Rejected where the adjusted p is at most `alpha`.

    Raises
    ------
    BadInput
        An empty family, or a p outside [0, 1].

    Notes
    -----
    Holm (1979), https://www.jstor.org/stable/4615733. Our own: statsmodels' `multipletests` collects garbage
    on every call, a tenth of a second that a design simulation cannot afford.
    """
    return _adjust(p_values, alpha=alpha, adjust=_holm_adjusted)


def bh(p_values: Mapping[str, float | None], *, alpha: float) -> dict[str, Adjusted]:
    """Adjust an exploratory family so that the false discovery rate is at most `alpha`.

    Parameters
    ----------
    p_values
        Test -> p; None where the test was refused. The planned family size counts these too.
    alpha
        False discovery rate, for independent or positively dependent tests.

    Returns
    -------
    dict
        In the order given. Rejected where the adjusted p is at most `alpha`.

    Raises
    ------
    BadInput
        An empty family, or a p outside [0, 1].

    Notes
    -----
    Benjamini & Hochberg (1995), https://doi.org/10.1111/j.2517-6161.1995.tb02031.x. By scipy.
    """
    return _adjust(p_values, alpha=alpha, adjust=lambda p: stats.false_discovery_control(p).tolist())


CORRECTIONS = {"holm": holm, "bh": bh}
"""As `[families]` of a plan names them; "none" corrects nothing, and "dunnett" reads more than p-values."""
DUNNETT = "dunnett"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What its family leaves one member.

    Parameters
    ----------
    share
        Part of its own alpha at which every one of its bands is judged, in (0, 1].
    p_adjusted
        Smallest alpha of the family at which its predicted band would be the only one left; None where not testable.
    """

    share: float
    p_adjusted: float | None


def places(
    p_decided: Mapping[str, float | None], p_predicted: Mapping[str, float | None], *, alpha: float, method: str
) -> dict[str, Place]:
    """Correct a family of hypotheses in every direction: no band of any member is judged at a level of its own.

    Parameters
    ----------
    p_decided
        Member -> smallest alpha at which any single band of it would be left (the second largest p of its bands); None
        where the test was refused.
    p_predicted
        Member -> the same for the band that the plan predicts.
    alpha
        Of the family: the probability at most with which the true band of any member is excluded (Holm), or the
        expected share of decided members whose true band is excluded (Benjamini-Hochberg).
    method
        A key of `CORRECTIONS`.

    Notes
    -----
    Exactly one band of a member is true, so M members hold M true hypotheses however many bands there are. Holm's
    step-down over members: with d of them decided, in whatever band, the others are judged at alpha / (M - d), those
    that stay undecided as well. Directions under the false discovery rate: Benjamini & Yekutieli (2005),
    https://doi.org/10.1198/016214504000001907. Simulated for 8 and 16 members in tests/test_multiplicity.py.
    """
    adjusted = CORRECTIONS[method](p_decided, alpha=alpha)
    order = sorted((name for name, a in adjusted.items() if a.rejected), key=lambda name: adjusted[name].p or 0.0)
    n, decided = len(adjusted), len(order)
    found = {}
    for name, a in adjusted.items():
        if method == "holm":
            share = 1 / (n - order.index(name)) if a.rejected else 1 / (n - decided)
        else:
            share = max(decided, 1) / n
        p = p_predicted[name]
        known = None if p is None or a.p_adjusted is None else min(1.0, max(a.p_adjusted, p / share))
        found[name] = Place(share=share, p_adjusted=a.p_adjusted if p == a.p else known)
    return found


def _holm_adjusted(p_values: list[float]) -> list[float]:
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    steps = (min(1.0, p_values[i] * (len(order) - rank)) for rank, i in enumerate(order))
    adjusted = dict(zip(order, itertools.accumulate(steps, max), strict=True))
    return [adjusted[i] for i in range(len(p_values))]


def _adjust(
    p_values: Mapping[str, float | None], *, alpha: float, adjust: Callable[[list[float]], list[float]]
) -> dict[str, Adjusted]:
    if not p_values:
        raise BadInput("a family holds at least one test")
    odd = [f"{test} = {p}" for test, p in p_values.items() if p is not None and not 0 <= p <= 1]
    if odd:
        raise BadInput(f"a p-value lies in [0, 1]; found {', '.join(odd)}")
    corrected = adjust([1.0 if p is None else p for p in p_values.values()])
    return {
        test: Adjusted(p=p, p_adjusted=None if p is None else adj, rejected=p is not None and adj <= alpha)
        for (test, p), adj in zip(p_values.items(), corrected, strict=True)
    }
