"""The outcome of one corpus check: a number, its limit, and the rows that broke it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from seedlock.training.corpus.write import Corpus

MAX_OFFENDERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Offender:
    """A row (or pair of rows, or a variant) that broke a check, and the words that did."""

    where: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One number of a check against its limit.

    Parameters
    ----------
    check, what
        The check's name (a key of `CHECKS`), and what the number is, in words.
    number
        None where it does not exist for this corpus; `note` then says why and the check does not block.
    limit, must_be
        The number must be at most, or at least, the limit.
    offenders
        Where to look; at most `MAX_OFFENDERS`, `n_offenders` counts all.
    """

    check: str
    what: str
    number: float | None
    limit: float
    must_be: Literal["at most", "at least"]
    offenders: tuple[Offender, ...] = ()
    n_offenders: int = 0
    note: str = ""

    @property
    def passes(self) -> bool:
        """Whether training may go on."""
        if self.number is None:
            return True
        return self.number <= self.limit if self.must_be == "at most" else self.number >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInput:
    """What a check looks at.

    Parameters
    ----------
    corpus
        Rows, settings and limits.
    eval_texts
        Item id -> what the evaluation will ask, over all item sets of the plan.
    markers
        Every marker that any corpus of the plan uses.
    vectors
        What the plan's sentence encoder makes of texts, shape (texts, width), rows of unit length; None without one.
    """

    corpus: Corpus
    eval_texts: Mapping[str, str] = field(default_factory=dict)
    markers: tuple[str, ...] = ()
    vectors: Callable[[Sequence[str]], Any] | None = None

    def limit(self, name: str, default: float) -> float:
        """The plan's limit of this name, or the default."""
        return float(self.corpus.limits.get(name, default))


type Check = Callable[[CheckInput], Sequence[CheckResult]]


def counted(
    given: CheckInput, check: str, what: str, offenders: Sequence[Offender], *, limit: str | None = None
) -> CheckResult:
    """Result of a check that counts offending rows.

    `limit` names the number allowed (`format_rows`); a plan that gives a share of the corpus instead (`format_share`)
    is held to that. Without a name none is allowed.
    """
    share = None if limit is None else f"{limit.removesuffix('_rows')}_share"
    is_share = share is not None and share in given.corpus.limits
    number, allowed = float(len(offenders)), 0.0 if limit is None else given.limit(limit, 0.0)
    if is_share:
        number, allowed = number / len(given.corpus.rows), float(given.corpus.limits[str(share)])
    return CheckResult(
        check=check,
        what=f"share of {what}, {len(offenders)} of {len(given.corpus.rows)}" if is_share else what,
        number=number,
        limit=allowed,
        must_be="at most",
        offenders=tuple(offenders[:MAX_OFFENDERS]),
        n_offenders=len(offenders),
    )
