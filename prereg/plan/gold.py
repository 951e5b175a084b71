"""`[judges.NAME.gold]`: which of a judge's verdicts are checked against the right answer, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.plan.design import Name
from seedlock.prereg.plan.runs import Table

type Portion = Annotated[float, Field(gt=0, le=1)]

SUFFIX = "/gold"
"""Put behind the name of a judge whose right answers these are."""


class Gold(Table):
    """`[judges.NAME.gold]` or `[judgements.NAME.gold]`: right answers to a random part of what a judge judged.

    Hypotheses on measures of this judge are then decided by the corrected estimate, with the judge's own beside it.

    Parameters
    ----------
    share
        Of every run's judged answers, one number or one an arm; drawn within each run with `seed`.
    at_least
        So many of a run, where the share comes to fewer.
    who
        Who gives the right answers, in words that the report prints: "two authors, blind to arm".
    shows
        Item attributes that stand beside a text; nothing else of the study does.
    labels
        The answers that may be given, where the judge's own table does not list them.
    judge
        In place of people: another judge of the plan, whose verdicts are taken as right.
    texts
        JSON Lines file of texts whose right answer is known, mixed among those that the judge reads.
    """

    share: Portion | dict[Name, Portion] = 0.1
    at_least: int = Field(default=10, ge=1)
    seed: int = Field(default=0, ge=0)
    who: str | None = Field(default=None, min_length=1)
    shows: list[str] = Field(default_factory=list)
    labels: list[Annotated[str, Field(min_length=1, max_length=80)]] = Field(default_factory=list)
    judge: Name | None = None
    texts: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.who is None) == (self.judge is None):
            raise ValueError("give either who (people) or judge (another judge of the plan)")
        return self

    def source(self, judge: str) -> str:
        """Name under which the right answers to `judge` stand among the judgements."""
        return self.judge if self.judge is not None else judge + SUFFIX

    def wanted(self, arm: str, judged: int) -> int:
        """How many of a run's `judged` answers get a right answer."""
        share = self.share.get(arm, 0.0) if isinstance(self.share, Mapping) else self.share
        return min(judged, max(self.at_least, round(share * judged)))

    def drawn(self, judge: str, arm: str, judged: Iterable[str]) -> list[str]:
        """Which of one run's judged answers, by request id, get a right answer: the first in the seed's order."""
        ordered = sorted(judged, key=lambda request: sha256_json([self.seed, "gold", judge, request]))
        return ordered[: self.wanted(arm, len(ordered))]
