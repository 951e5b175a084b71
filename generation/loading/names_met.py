"""Names in a plan that an import's rows do not meet: refused while nothing is sealed and an amendment mends it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from seedlock.generation.intake.request import REQUEST_PREFIX, ImportRequest
from seedlock.generation.loading.load import ImportReport
from seedlock.prereg.english import counted
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.named_values import named_attributes, unmet
from seedlock.prereg.plan.plan import Plan
from seedlock.schemas.store import Store
from seedlock.schemas.table import quoted

LABEL_LISTS = ("positive", "negative", "neither", "missing", "old", "modern", "between")
"""Settings of measures that list labels."""
NEAR = 0.8
NOT_A_NUMBER = "not a number:"


def require_names_met(
    plan: Plan, requests: Sequence[ImportRequest], reports: Sequence[ImportReport], store: Store
) -> None:
    """Refuse an import that leaves a value of `only`, or a name or value of the plan's items, without any row.

    Raises
    ------
    BadInput
        With every such name and the nearest that is there.
    """
    faults = [*_only(requests, reports)]
    if requests[0].judge is None:
        faults += _items(plan, store)
    if requests[0].shape != "counts":
        faults += _labels(plan, store, requests[0])
    if faults:
        then = "mend the name in plan.toml and amend  (seedlock amend --help);  nothing was sealed"
        raise BadInput("the plan names what no row has", *faults, then=then)


def _only(requests: Sequence[ImportRequest], reports: Sequence[ImportReport]) -> Iterator[Finding]:
    """Values that `only` selects by and that stand in no file."""
    table = "import" if requests[0].judge is None else f"judgements.{requests[0].judge}"
    for column, wanted in requests[0].only.items():
        there = sorted({value for report in reports for value in report.only_met.get(column, ())})
        for value in wanted:
            if value not in there:
                near = difflib.get_close_matches(value, there, n=1)
                guess = f"; did you mean {near[0]!r}?" if near else ""
                promised = f"one of: {', '.join(there)}"
                yield Finding(
                    where=f"{table}.only.{column}", found=f"{value!r}, which no row has{guess}", promised=promised
                )


def _labels(plan: Plan, store: Store, request: ImportRequest) -> Iterator[Finding]:
    """Labels that a measure lists and no row has, where an unlisted label of the rows is nearly the same."""
    query = f"SELECT DISTINCT label FROM {request.shape} WHERE label IS NOT NULL"  # noqa: S608 - a table of ours
    if request.judge is not None:
        query += " AND judge = ?"
    there = {str(label) for (label,) in store.con.execute(query, [request.judge] if request.judge else []).fetchall()}
    for name, measure in plan.measures.items():
        if measure.judge != request.judge:
            continue
        lists = {key: measure.params[key] for key in LABEL_LISTS if isinstance(measure.params.get(key), list)}
        unlisted = there - {str(label) for labels in lists.values() for label in labels}
        spelled = {label.casefold(): label for label in sorted(unlisted)}
        for key, labels in lists.items():
            for label in (str(label) for label in labels if str(label) not in there):
                if near := difflib.get_close_matches(label.casefold(), spelled, 1, NEAR):
                    found = f"{label!r}, which no row has, while rows have {spelled[near[0]]!r}, which is not listed"
                    yield Finding(where=f"measures.{name}.{key}", found=found, promised="labels as the rows have them")


def require_numbers(request: ImportRequest, store: Store) -> None:
    """Refuse a column of numbers that holds words alone: percentages, say, or true and false.

    Raises
    ------
    BadInput
        With the first of the words.
    """
    column = request.column("value")
    if column is None:
        return
    query = (
        "SELECT count(value), count(*) FILTER (starts_with(reason, $1)), min(reason) FILTER (starts_with(reason, $1))"  # noqa: S608
        f" FROM {request.shape}" + (" WHERE judge = $2" if request.judge is not None else "")
    )
    bound = [NOT_A_NUMBER, *([request.judge] if request.judge is not None else [])]
    numbers, words, word = store.con.execute(query, bound).fetchall()[0]
    if words and not numbers:
        found = f"{word.removeprefix(NOT_A_NUMBER).strip()!r} and the like in {counted(words, 'row')}, and no number"
        then = f"write them as plain numbers, or map {column} as  label  and name its words; nothing was sealed"
        raise BadInput(
            f"no row has a number in {column}", Finding(where=column, found=found, promised="0.5"), then=then
        )


def _items(plan: Plan, store: Store) -> list[Finding]:
    """Attributes and their values that the plan names and no item of the store has."""
    columns = {"item_id", *store.declared("items")}
    named = [one for one in named_attributes(plan) if not one.attribute.startswith(REQUEST_PREFIX)]
    known = {
        column: _values(store, column) if any(one.attribute == column for one in named) else set() for column in columns
    }
    return unmet(named, known)


def _values(store: Store, column: str) -> set[str]:
    """Every value that an item has of an attribute."""
    query = f"SELECT DISTINCT {quoted(column)} FROM items WHERE {quoted(column)} IS NOT NULL"  # noqa: S608 - quoted
    return {str(value) for (value,) in store.con.execute(query).fetchall()}
