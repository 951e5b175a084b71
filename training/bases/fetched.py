"""A base model that is here, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seedlock.prereg.plan.runs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A base model that is here.

    Parameters
    ----------
    folder
        What is loaded.
    licence, quantisation
        What its own files say; the plan's licence where they say nothing, and None for what nobody says.
    was_here
        Nothing had to be brought.
    """

    name: str
    base: str
    revision: str
    folder: str
    licence: str | None
    quantisation: str | None
    was_here: bool

    @classmethod
    def of(cls, name: str, model: Model, folder: Path, known: Mapping[str, Any], *, was_here: bool) -> Fetched:
        """A model of the plan in this folder, with what its own files say of it."""
        return cls(
            name=name,
            base=model.base,
            revision=model.revision,
            folder=str(folder),
            licence=known.get("licence") or model.licence,
            quantisation=known.get("quantisation"),
            was_here=was_here,
        )

    def line(self) -> str:
        """The model, for a person."""
        what = ", ".join(part for part in (self.quantisation, self.licence) if part)
        return (
            f"{self.name}: {self.base}{f', {what}' if what else ''}, {'was here' if self.was_here else 'is here now'}"
        )

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)
