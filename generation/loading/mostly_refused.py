"""An import of which most rows are refused seals nothing: what stands is no sample of what was meant."""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from seedlock.generation.intake.json_lines import json_objects
from seedlock.generation.intake.plain_file import plain_file
from seedlock.generation.intake.raw import Fault
from seedlock.generation.intake.request import ImportRequest, Role
from seedlock.generation.loading.load import ImportReport
from seedlock.generation.loading.source_rows import source_rows
from seedlock.generation.loading.staging import CONFLICTS
from seedlock.generation.loading.unknown_levels import levels_named, unknown_levels
from seedlock.prereg.english import counted
from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.store import Store

MOST = 0.5
REASONS_SHOWN, VALUES_SHOWN = 8, 8
LOOKED_AT = 50_000
KEY_ROLES: tuple[Role, ...] = ("request", "run", "model", "arm", "seed", "draw", "measure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Separator:
    """A column that the plan does not map and that tells rows apart which contradict each other without it."""

    column: str
    values: tuple[str, ...]

    @property
    def only(self) -> str:
        """The line of the plan that selects one of its values."""
        return f"only = {{ {json.dumps(self.column)} = [{json.dumps(self.values[0])}] }}"


def require_most(requests: Sequence[ImportRequest], reports: Sequence[ImportReport], store: Store) -> None:
    """Refuse an import of which more than half of the selected rows are refused.

    Raises
    ------
    BadInput
        With every reason, the values that are no level of the plan and, where rows contradict each other, the column
        that tells them apart.
    """
    selected = sum(report.read - report.not_selected for report in reports)
    refused = sum(report.quarantined for report in reports)
    if refused <= MOST * selected:
        return
    reasons = sum((Counter(report.reasons) for report in reports), Counter[str]())
    faults = [
        Finding(where=why, found=counted(n, "row"), promised="none") for why, n in reasons.most_common(REASONS_SHOWN)
    ]
    unknown = unknown_levels(requests[0], store)
    faults += levels_named(requests[0], unknown)
    found = separators(requests[0]) if reasons[CONFLICTS] else []
    faults += [
        Finding(
            where=f"column {one.column}",
            found=f"{len(one.values)} values tell the rows apart: {', '.join(one.values[:VALUES_SHOWN])}",
            promised=one.only,
        )
        for one in found
    ]
    what = f"{refused} of {selected} rows do not fit the plan, or contradict each other"
    raise BadInput(what, *faults, then=_remedy(requests[0], found, has_unknown=bool(unknown)))


def _remedy(request: ImportRequest, found: Sequence[Separator], *, has_unknown: bool) -> str:
    table = "[import]" if request.judge is None else f"[judgements.{request.judge}]"
    if found:
        other = "or a table [judgements.NAME] a judge and  import --judge NAME"
        return f"add {found[0].only} to {table}, {other};  then amend; nothing was sealed"
    other = "or select rows with  only = { COLUMN = [...] }"
    if has_unknown:
        other = f"give the file's words for levels in {table[:-1]}.levels], {other}"
    return f"mend the columns of {table}, {other};  then amend; nothing was sealed"


def separators(request: ImportRequest) -> list[Separator]:
    """Columns of a file, unmapped, with which rows of the same run, item and draw are different rows."""
    others = [name for name in _columns(request) if name not in request.wanted]
    if not others or request.requests is not None:
        return []
    mapped = [column for role in KEY_ROLES if (column := request.column(role))]
    key = list(dict.fromkeys([*mapped, *request.item_columns]))
    rows = list(itertools.islice(_rows(request, [*key, *others]), LOOKED_AT))
    repeats = _repeats([row[: len(key)] for row in rows])
    found = []
    for place, name in enumerate(others, start=len(key)):
        left = _repeats([(*row[: len(key)], row[place]) for row in rows])
        values = Counter(row[place] for row in rows)
        if left < repeats / 2 and None not in values and len(values) <= len(rows) / 2:
            found.append((left, Separator(column=name, values=tuple(str(value) for value, _ in values.most_common()))))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], len(pair[1].values)))]


def _repeats(keys: Sequence[tuple[str | None, ...]]) -> int:
    """Rows beyond the first of their key."""
    return len(keys) - len(set(keys))


def _rows(request: ImportRequest, columns: Sequence[str]) -> Iterator[tuple[str | None, ...]]:
    for batch in source_rows(request, columns):
        yield from zip(*(batch.columns[name].to_pylist() for name in columns), strict=True)


def _columns(request: ImportRequest) -> list[str]:
    """Names of a flat file's columns; none for formats that nest."""
    with plain_file(request.path, request.reading.encoding) as path:
        return _flat_columns(path, request.format, request.reading.delimiter)


def _flat_columns(path: Path, format: str, delimiter: str) -> list[str]:
    if format == "parquet":
        return [field.name for field in pq.read_schema(path) if not field.type.num_fields]
    if format == "csv":
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            return next(csv.reader(stream, delimiter=delimiter), [])
    if format == "jsonl":
        first = next((line for line in json_objects(path) if not isinstance(line, Fault)), None)
        return [name for name, value in first[1].items() if not isinstance(value, list | dict)] if first else []
    return []
