"""Yes/no answers to the same items under two conditions: the fourfold table and McNemar's test."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from seedlock.analysis.estimators.internals.sample import Level
from seedlock.prereg.errors import Finding, NoSpread, NotCounts, NotPaired, NotThisDesign


@dataclass(frozen=True, slots=True, kw_only=True)
class Fourfold:
    """Items by answer under the first and the second condition."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def n(self) -> int:
        """Number of items."""
        return self.both + self.first_only + self.second_only + self.neither


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Exact McNemar test: two-sided p, its mid-p, and the discordant pairs it rests on."""

    first_only: int
    second_only: int
    p: float
    p_mid: float


def fourfold(first: Level, second: Level) -> Fourfold:
    """Cross-classify items by their answers at two levels.

    Parameters
    ----------
    first, second
        Levels with `cluster_k` and `cluster_n`, one answer an item, the same items.

    Raises
    ------
    NotCounts
        No counts by item.
    NotThisDesign
        An item with more than one answer.
    NotPaired
        Items that only one level has.
    """
    for level in (first, second):
        if not level.cluster_n:
            raise NotCounts(f"level {level.name!r} has no answers by item")
        several = [item for item, n in level.cluster_n.items() if n != 1]
        if several:
            raise NotThisDesign(f"one answer an item is needed; {level.name!r} has {len(several)} item(s) with more")
    odd = sorted(first.cluster_n.keys() ^ second.cluster_n.keys())
    if odd:
        raise NotPaired(
            f"{len(odd)} item(s) are answered at one level only",
            *(Finding(where=item, found="one level", promised="both") for item in odd),
        )
    pairs = [(first.cluster_k[item], second.cluster_k[item]) for item in sorted(first.cluster_n)]
    return Fourfold(
        both=pairs.count((1, 1)),
        first_only=pairs.count((1, 0)),
        second_only=pairs.count((0, 1)),
        neither=pairs.count((0, 0)),
    )


def mcnemar(table: Fourfold) -> McNemar:
    """Test that the two conditions have the same rate, from the items they disagree on.

    Raises
    ------
    NoSpread
        No item is answered differently.

    Notes
    -----
    Exact binomial on the discordant items. McNemar (1947), https://doi.org/10.1007/BF02295996; mid-p:
    Fagerland, Lydersen & Laake (2013), https://doi.org/10.1186/1471-2288-13-91
    """
    b, n = table.first_only, table.first_only + table.second_only
    if n == 0:
        raise NoSpread("no item is answered differently: there is nothing to test")
    p = float(stats.binomtest(b, n).pvalue)
    middle = float(stats.binom.pmf(b, n, 0.5))
    p_mid = 1.0 - middle / 2 if 2 * b == n else p - middle
    return McNemar(first_only=b, second_only=n - b, p=p, p_mid=p_mid)
