"""What is done to a run while it is read, and the one name each such condition has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

import pyarrow as pa

from seedlock.generation.inside.vectors import Control, Vector
from seedlock.schemas import TABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition; what does not apply is None. Fields are the columns of the table `conditions`."""

    operation: Literal["none", "add", "ablate", "patch"] = "none"
    layer: int | None = None
    vector: str | None = None
    control: Control | None = None
    dose: float | None = None
    position: str | None = None
    checkpoint: float | None = None
    against: str | None = None

    @property
    def name(self) -> str:
        """Its name: the same fields give the same name, in every study."""
        parts = [
            "as it is" if self.operation == "none" and self.layer is None else self.operation,
            self.vector or "",
            "" if self.layer is None else f"L{self.layer}",
            "" if self.dose is None else f"x{self.dose:+g}",
            "" if self.position is None else f"p{self.position}",
            "" if self.checkpoint is None else f"@{self.checkpoint:g}",
            "" if self.against is None else f"vs {self.against}",
        ]
        return " ".join(part for part in parts if part and part != "none")


AS_IT_IS = Condition()


def at_layer(layer: int, checkpoint: float | None = None, against: str | None = None) -> Condition:
    """Nothing changed; read after a layer."""
    return Condition(layer=layer, checkpoint=checkpoint, against=against)


def added(vector: Vector, layer: int, dose: float) -> Condition:
    """A vector added after a layer, times `dose` x the mean length of the stream there."""
    return Condition(operation="add", layer=layer, vector=vector.name, control=vector.control, dose=dose)


def ablated(vector: Vector, layer: int | None) -> Condition:
    """A vector projected out after one layer, or after all (None)."""
    return Condition(operation="ablate", layer=layer, vector=vector.name, control=vector.control)


def patched(layer: int, position: str) -> Condition:
    """The run's own stream put into the unmodified model."""
    return Condition(operation="patch", layer=layer, position=position)


def along(vector: Vector) -> Condition:
    """Nothing changed; weights read against a vector."""
    return Condition(vector=vector.name, control=vector.control)


def conditions_table(conditions: Iterable[Condition]) -> pa.Table:
    """Conditions as rows, each once."""
    once = {condition.name: condition for condition in conditions}
    rows = [{"condition": name, **asdict(condition)} for name, condition in sorted(once.items())]
    return pa.Table.from_pylist(rows, schema=TABLES["conditions"].arrow())
