"""Numbers of an estimate: each says whether it is exact, a bound, a guess, or not known and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

type Certainty = Literal["exact", "at most", "about", "not known"]
type Part = Literal["corpus", "train", "generate", "judge", "inside", "memory", "disk", "time", "cost"]

ORDER: tuple[Certainty, ...] = ("exact", "at most", "about", "not known")
"""From the most certain; a sum is as certain as its least certain part."""
BYTES_A_TOKEN = 3
"""A careful guess before any tokenizer has read a text."""
BY_BYTES = f"{BYTES_A_TOKEN} bytes a token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """One number. `value` is None where it is not known; `note` says why, or where it comes from."""

    value: float | None
    certainty: Certainty
    note: str = ""

    def times(self, factor: float, *, certainty: Certainty = "exact", note: str = "") -> Amount:
        """This number `factor` times, as certain as the less certain of the two."""
        if self.value is None:
            return self
        certainty = least_certain((self.certainty, certainty))
        return Amount(value=self.value * factor, certainty=certainty, note=joined(self.note, note))


def exact(value: float) -> Amount:
    """A number that follows from the plan and its files."""
    return Amount(value=float(value), certainty="exact")


def at_most(value: float, note: str) -> Amount:
    """An upper bound; `note` says of what."""
    return Amount(value=float(value), certainty="at most", note=note)


def about(value: float, note: str) -> Amount:
    """A guess; `note` says by what rule."""
    return Amount(value=float(value), certainty="about", note=note)


def unknown(note: str) -> Amount:
    """No number; `note` says what is missing."""
    return Amount(value=None, certainty="not known", note=note)


def least_certain(found: Iterable[Certainty]) -> Certainty:
    """The least certain of several."""
    return max(found, key=ORDER.index, default="exact")


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum; not known where a part is not, for the first part's reason."""
    parts = list(amounts)
    absent = [part for part in parts if part.value is None]
    if absent:
        return unknown(absent[0].note)
    value = sum(part.value or 0.0 for part in parts)
    certainty = least_certain(part.certainty for part in parts)
    return Amount(value=value, certainty=certainty, note=joined(*(part.note for part in parts)))


def joined(*notes: str) -> str:
    """Notes as one, each said once."""
    return "; ".join(dict.fromkeys(part for note in notes for part in note.split("; ") if part))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an estimate.

    Parameters
    ----------
    of
        Model, corpus or judge that it speaks of; empty for the whole study.
    what, unit
        What is counted, and in what: "tokens", "bytes", "s", a currency; empty for plain counts.
    """

    part: Part
    of: str
    what: str
    amount: Amount
    unit: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        found = {"part": self.part, "of": self.of, "what": self.what, "unit": self.unit, "value": self.amount.value}
        return found | {"certainty": self.amount.certainty, "note": self.amount.note}


def amount_of(lines: Iterable[Line], part: Part, what: str, of: str) -> Amount | None:
    """The amount of one line; None where there is no such line."""
    return next((ln.amount for ln in lines if (ln.part, ln.what, ln.of) == (part, what, of)), None)
