"""What to import: the file, what its columns mean, and the grid the plan expects."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from prereg.errors import BadInput, Finding
from schemas.statuses import STATUSES

Shape = Literal["completions", "counts"]
Role = Literal[
    "run",
    "model",
    "arm",
    "seed",
    "item",
    "draw",
    "text",
    "label",
    "value",
    "status",
    "reason",
    "k",
    "n",
    "mean",
    "measure",
]
ROLES: tuple[Role, ...] = get_args(Role)
RUN_ROLES: tuple[Role, ...] = ("model", "arm", "seed")
ANSWER_ROLES: tuple[Role, ...] = ("text", "label", "value")
COUNT_ROLES: tuple[Role, ...] = ("k", "n", "mean", "measure")
ROW_ORDER = "row order"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A run the plan expects. A baseline has no seed."""

    run_id: str
    model: str
    arm: str
    seed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """One file to bring in.

    Parameters
    ----------
    path, format
        The file, and a key of `IMPORTERS`.
    columns
        Role -> source column; `item` may take several. `k`/`n`/`mean` make it an import of counts.
    runs
        Every planned run. Rows of any other run are quarantined; planned runs without a row are reported.
    item_set
        The item set these rows answer.
    name
        What the plan calls this import; quarantined rows carry it, and importing again replaces them.
    items
        The allowed item ids, or None to take the items as they come.
    attributes
        Further source columns that describe an item; the item columns are attributes already.
    constants
        Role -> value for what the file does not say (`measure = "bird"`, `draw = "0"`);
        `draw = "row order"` numbers the answers of a run to an item as they stand in the file.
    missing_labels
        Label -> status, for labels that say there is no answer ("REFUSAL" -> "refusal").
    only
        Source column -> values; other rows are counted as not selected.
    """

    path: Path
    format: str
    columns: Mapping[str, str | Sequence[str]]
    runs: tuple[PlannedRun, ...]
    item_set: str
    name: str = "import"
    items: frozenset[str] | None = None
    attributes: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    missing_labels: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        findings = [*self._bad_roles(), *self._bad_statuses(), *self._gaps()]
        if findings:
            raise BadInput("this import does not say enough, or says it twice", *findings)

    @property
    def shape(self) -> Shape:
        """Whether the rows are completions or counts."""
        return "counts" if any(role in self.columns for role in COUNT_ROLES[:3]) else "completions"

    @property
    def item_columns(self) -> tuple[str, ...]:
        """The source columns whose values name an item."""
        named = self.columns.get("item", ())
        return (named,) if isinstance(named, str) else tuple(named)

    @property
    def item_attributes(self) -> tuple[str, ...]:
        """Every column kept with an item, item columns first."""
        return tuple(dict.fromkeys((*self.item_columns, *self.attributes)))

    @property
    def wanted(self) -> tuple[str, ...]:
        """Every source column that must be read, once."""
        single = [column for column in self.columns.values() if isinstance(column, str)]
        return tuple(dict.fromkeys((*single, *self.item_attributes, *self.only)))

    def column(self, role: Role) -> str | None:
        """Return the source column of a role other than `item`, or None."""
        named = self.columns.get(role)
        return named if isinstance(named, str) else None

    def _bad_roles(self) -> list[Finding]:
        """Roles that do not exist, are given twice, or take one column and got several."""
        findings = []
        for role in (*self.columns, *self.constants):
            if role not in ROLES:
                near = difflib.get_close_matches(role, ROLES, n=1)
                guess = f"; did you mean {near[0]!r}?" if near else ""
                findings.append(Finding(where=f"columns.{role}", found=f"unknown{guess}", promised=", ".join(ROLES)))
        for role, named in self.columns.items():
            if role in self.constants:
                findings.append(Finding(where=role, found="a column and a constant", promised="one of them"))
            if role != "item" and not isinstance(named, str):
                findings.append(Finding(where=f"columns.{role}", found="several columns", promised="one"))
        for name in {"items", "item_id"} & set(self.item_attributes):
            findings.append(Finding(where=f"columns {name}", found="a name the items table uses", promised="another"))
        return findings

    def _bad_statuses(self) -> list[Finding]:
        """Labels mapped to something that is no status of a missing answer."""
        allowed = [status for status in STATUSES if status != "ok"]
        return [
            Finding(where=f"missing_labels.{label}", found=status, promised=", ".join(allowed))
            for label, status in self.missing_labels.items()
            if status not in allowed
        ]

    def _gaps(self) -> list[Finding]:
        """Roles without which no row means anything."""
        given = {*self.columns, *self.constants}
        findings = []
        if not self.runs:
            findings.append(Finding(where="runs", found="none", promised="the planned runs"))
        if "item" not in given:
            findings.append(Finding(where="item", found="neither column nor constant", promised="one"))
        if self.shape == "completions":
            if not given & set(ANSWER_ROLES):
                findings.append(Finding(where="columns", found="no answer", promised="text, label or value"))
            if "draw" not in given:
                promised = f'a column, or draw = "0" (one answer an item), or draw = "{ROW_ORDER}"'
                findings.append(Finding(where="draw", found="neither column nor constant", promised=promised))
        elif "measure" not in given:
            findings.append(Finding(where="measure", found="neither column nor constant", promised="one"))
        elif ("k" in given) != ("n" in given):
            findings.append(Finding(where="k and n", found="one of them", promised="both"))
        return findings
