"""How many answers a run owes: counted from the plan and its item files before there are any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from seedlock.prereg.base.canonical import canonical_json, read_json
from seedlock.prereg.base.reading import is_regular, read_regular
from seedlock.prereg.plan.plan import Plan

NO_ATTRIBUTE = frozenset({"item_id", "messages", "user", "system"})
COUNTED = frozenset({"k", "n", "mean"})
"""Roles of an import whose rows are counts made elsewhere."""


class Owed(BaseModel):
    """What each run owes.

    Parameters
    ----------
    answers
        Rows of completions of one run; None where the plan does not say which items there are.
    draws
        Rows of one run and one item that the model answers freely; None where the plan does not say.
    unknown
        Why one of the two is None.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    answers: int | None
    draws: int | None
    unknown: str | None


def owed_by_a_run(plan: Plan, folder: Path) -> Owed:
    """Count what one run of the plan owes; every run owes the same.

    Parameters
    ----------
    folder
        The study's own, where the item files lie.
    """
    draws = plan.decoding.draws if plan.decoding is not None else None
    if plan.import_ is not None:
        if COUNTED & plan.import_.columns.keys():
            return Owed(answers=None, draws=None, unknown="the rows are counts made elsewhere")
        why = "the items are those of the imported file"
        return Owed(answers=None, draws=draws, unknown=why if draws else f"{why}, and the plan has no decoding.draws")
    if draws is None:
        return Owed(answers=None, draws=None, unknown="the plan has no [decoding]")
    asked = dict(_asked(plan, folder))
    if not asked:
        return Owed(answers=None, draws=draws, unknown="no item file that can be read")
    return Owed(answers=sum(1 if is_probe else draws for is_probe in asked.values()), draws=draws, unknown=None)


def _asked(plan: Plan, folder: Path) -> Iterator[tuple[str, bool]]:
    """Key of every item, and whether it is a probe, which is put to a run once; an item in several sets is one."""
    for items in plan.items.values():
        file = folder / items.file if items.file is not None else None
        for line in read_regular(file).splitlines() if file is not None and is_regular(file) else ():
            if line.strip():
                yield _key(line), items.probe


def _key(line: bytes) -> str:
    try:
        row = read_json(line)
    except ValueError:
        return line.decode("utf-8", "replace")
    return _named(row) if isinstance(row, dict) else canonical_json(row).decode()


def _named(row: Mapping[str, Any]) -> str:
    """What tells an item from another: its id, or everything that it says."""
    given = row.get("item_id")
    return str(given) if given else canonical_json(dict(row)).decode()
