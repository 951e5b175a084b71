"""The table of a plan that says when a measure may be believed: the metric audit, on items of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, Field

from seedlock.prereg.plan.design import STRICT, Name

AUDIT = "audit"
"""Its name among the gates that a hypothesis may require."""

type CheckName = Literal["agreement", "spread", "ceiling", "position", "option_mass", "scored"]
type Limit = float | dict[Name, float] | None

RULES: dict[CheckName, Literal["at least", "more than", "at most"]] = {
    "agreement": "at least",
    "spread": "more than",
    "ceiling": "at most",
    "position": "at most",
    "option_mass": "at least",
    "scored": "at least",
}


class Audit(BaseModel):
    """`[audit]`: limits that a measure must keep in every model, and in every arm of `arms`, before claims rest on it.

    A limit is one number, or one a measure; a check without a limit is shown and not judged, but for `spread`, which
    must be more than 0.

    Parameters
    ----------
    items
        Item set of the audit: never one that a hypothesis is tested on.
    choice
        The measure that holds the model's own choice, positive for and negative against.
    measures
        What is audited.
    arms
        Arms in which the limits are judged; the checks of the others are shown. Without it, every arm: leave out only
        one in which the models have no opinion, whose signs are noise.
    match
        Item attributes that name a question, whatever the form in which it is asked.
    agreement
        Least share of questions on which a measure has the sign of the model's own choice.
    spread
        SD of item means above which a measure can tell items apart, in the measure's unit.
    ceiling
        Greatest share of items at one end of the measure's range.
    position
        Greatest distance from one half of the share of answers that favour the option named first.
    option_mass
        Least mean probability that the options share.
    scored
        Least share of answers with a score.
    need
        How many measures must pass for the audit to hold.
    on_failure
        Where a hypothesis or claim rests on the audit, its items are asked, sealed and judged before any other item:
        whether an audit that does not hold then ends the generation, or is recorded and gone past.
    """

    model_config = STRICT

    items: Name
    choice: Name
    measures: list[Name] = Field(min_length=1)
    arms: list[Name] = []
    match: list[str] = Field(min_length=1)
    agreement: Limit = None
    spread: Limit = 0.0
    ceiling: Limit = None
    position: Limit = None
    option_mass: Limit = None
    scored: Limit = None
    need: int = Field(default=1, ge=1)
    on_failure: Literal["stop", "go on"] = "stop"

    def limit(self, check: CheckName, measure: str, arm: str) -> float | None:
        """The limit of one check for one measure in one arm; None where it is not judged."""
        if self.arms and arm not in self.arms:
            return None
        found: Limit = getattr(self, check)
        default = 0.0 if check == "spread" else None
        return found.get(measure, default) if isinstance(found, dict) else found

    def named_measures(self) -> Iterator[str]:
        """Every measure that the table names."""
        yield self.choice
        yield from self.measures
        for check in RULES:
            found: Limit = getattr(self, check)
            yield from found if isinstance(found, dict) else ()
