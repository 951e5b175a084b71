"""One text put to a judge once, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from seedlock.schemas.statuses import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The other text of a pair.

    Parameters
    ----------
    id, text
        As of a reading.
    is_second
        Whether it is shown after the text that the judge is asked to find.
    """

    id: str
    text: str
    is_second: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One text, or one pair of texts, as a judge is given it.

    Parameters
    ----------
    id
        The completion's request id, or the name of a canary.
    reading
        1, or 2 where the same judge reads the same text again.
    text
        Without the marker, where the plan strips it. Hostile.
    shown
        Item attributes that the judge sees beside the text.
    run_id, group, own_class
        What only the scoring knows: no model is told. None for a canary, and where the plan names none.
    against
        The other text of a pair; the judge is asked which of the two is this one. None where texts are judged alone.
    """

    id: str
    text: str
    reading: Literal[1, 2] = 1
    shown: Mapping[str, str]
    run_id: str | None = None
    group: str | None = None
    own_class: str | None = None
    against: Against | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts in the order in which they are shown."""
        if self.against is None:
            return (self.text,)
        return (self.text, self.against.text) if self.against.is_second else (self.against.text, self.text)

    def again(self) -> Reading:
        """The same for a second judgement; a pair in the other order."""
        against = self.against and replace(self.against, is_second=not self.against.is_second)
        return replace(self, reading=2, against=against)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge said of a reading: a label or a value, or why there is neither."""

    reading: Reading
    status: Status
    label: str | None = None
    value: float | None = None
    reason: str | None = None

    @property
    def said(self) -> str | None:
        """The answer as text; None where there is none."""
        return self.label if self.value is None else f"{self.value:g}"


def no_verdict(reading: Reading, status: Status, reason: str) -> Verdict:
    """Give a reading without a verdict its row."""
    return Verdict(reading=reading, status=status, reason=reason)
