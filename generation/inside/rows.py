"""Readings on their way to the store, and the passes through a model that make them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import pyarrow as pa

from seedlock.generation.inside.conditions import Condition
from seedlock.generation.requests.answer import Answer
from seedlock.generation.requests.run_models import RunModel
from seedlock.schemas import TABLES
from seedlock.schemas.statuses import Status

type Kind = Literal["projection", "probe", "lens", "cosine", "effective rank", "alignment"]

NO_NUMBER = "the model gave no finite number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One row of the table `readings`."""

    run_id: str
    item_id: str
    reading: Kind
    condition: str
    value: float | None
    status: Status = "ok"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A piece of work that is stored whole or not at all.

    Parameters
    ----------
    wanted
        What it reads, each on every one of `items`.
    make
        Does the work; called only where a row is missing.
    """

    run: RunModel
    wanted: tuple[tuple[Kind, Condition], ...]
    items: tuple[str, ...]
    make: Callable[[], list[Reading]]

    @property
    def n_rows(self) -> int:
        """Rows that it gives."""
        return len(self.wanted) * len(self.items)

    @property
    def conditions(self) -> Iterable[Condition]:
        """Conditions it reads under."""
        return (condition for _, condition in self.wanted)


def numbers(
    run: RunModel, kind: Kind, condition: Condition, items: Sequence[str], values: Sequence[float]
) -> list[Reading]:
    """Rows of plain numbers; one that is not finite is a failure with its reason."""
    return [
        Reading(run_id=run.run_id, item_id=item, reading=kind, condition=condition.name, value=value)
        if math.isfinite(value)
        else failure(run, kind, condition, item, NO_NUMBER)
        for item, value in zip(items, values, strict=True)
    ]


def failure(run: RunModel, kind: Kind, condition: Condition, item: str, reason: str) -> Reading:
    """The row of a reading that could not be made."""
    return Reading(
        run_id=run.run_id,
        item_id=item,
        reading=kind,
        condition=condition.name,
        value=None,
        status="error",
        reason=reason,
    )


def probed(run: RunModel, condition: Condition, answers: Sequence[Answer]) -> list[Reading]:
    """Rows of scored probes; `value` and status are those of `seedlock generate`."""
    return probed_run(run.run_id, condition, answers)


def probed_run(run_id: str, condition: Condition, answers: Sequence[Answer]) -> list[Reading]:
    """Rows of scored probes of a run known by its id."""
    return [
        Reading(
            run_id=run_id,
            item_id=answer.request.prompt.item_id,
            reading="probe",
            condition=condition.name,
            value=answer.value,
            status=answer.status,
            reason=answer.reason,
        )
        for answer in answers
    ]


def readings_table(rows: Sequence[Reading]) -> pa.Table:
    """Rows of the table `readings`."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=TABLES["readings"].arrow())
