"""What to import: the file, what its columns mean, and the grid the plan expects."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from seedlock.generation.intake.file_parts import FILE_PREFIX, PART, part_names, path_end
from seedlock.generation.intake.records import PLACE
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.imports import Reading
from seedlock.schemas.statuses import STATUSES

Shape = Literal["completions", "counts", "judgements"]
Role = Literal[
    "request",
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
REQUEST_PREFIX = "request."
BINARY_FORMATS = frozenset({"parquet", "hf_dataset", "inspect"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A run the plan expects. A baseline has no seed."""

    run_id: str
    model: str
    arm: str
    seed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsFile:
    """What was asked, where answers carry only an id.

    Parameters
    ----------
    path, format
        The file, and a key of `IMPORTERS`.
    key, answer_key
        The column of the id here, and among the answers.
    """

    path: Path
    format: str
    key: str
    answer_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """One file to bring in.

    Parameters
    ----------
    path, format
        The file, and a key of `IMPORTERS`.
    columns
        Role -> source column; `item` may take several. `k`/`n`/`mean` make it an import of counts.
        `request.NAME` is a column of the file of requests.
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
        Word -> status, for words that say there is no answer ("REFUSAL" -> "refusal"): a label, a word in place of a
        number, or a whole text.
    only
        Source column -> values; other rows are counted as not selected.
    requests
        The file of requests that answers are matched to by id.
    judge
        The judge whose rows these are: an import of judgements. Each names its completion by `request` (its
        request id), or by run, item and draw.
    keeps_cut_off
        Whether an answer that reached the length limit is kept as an answer.
    draws
        Answers that the plan draws of a run and item; rows beyond them were promised by nobody.
    reading
        What text files leave open, and the columns that no file holds.
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
    requests: RequestsFile | None = None
    judge: str | None = None
    keeps_cut_off: bool = False
    draws: int | None = None
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        findings = [*self._bad_roles(), *self._bad_statuses(), *self._bad_reading(), *self._bad_levels(), *self._gaps()]
        if findings:
            raise BadInput("this import does not say enough, or says it twice", *findings)

    @property
    def shape(self) -> Shape:
        """Whether the rows are completions, counts or judgements."""
        if self.judge is not None:
            return "judgements"
        return "counts" if any(role in self.columns for role in COUNT_ROLES[:3]) else "completions"

    @property
    def label(self) -> str:
        """The file as the account names it: by as much of its path as the plan speaks of."""
        return path_end(self.path, self.reading)

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
        """Every source column that must be read, once; those of the requests too."""
        single = [column for column in self.columns.values() if isinstance(column, str)]
        key = () if self.requests is None else (self.requests.answer_key,)
        return tuple(dict.fromkeys((*single, *self.item_attributes, *self.only, *key)))

    @property
    def wanted_of_answers(self) -> tuple[str, ...]:
        """The columns that the file of answers itself must have."""
        if self.requests is None:
            return self.wanted
        return tuple(name for name in self.wanted if not name.startswith(REQUEST_PREFIX))

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
        missing = [status for status in STATUSES if status != "ok"]
        return [
            Finding(where=f"{key}.{word}", found=status, promised=", ".join(allowed))
            for key, words, allowed in (
                ("missing_labels", self.missing_labels, missing),
                ("status_words", self.reading.status_words, STATUSES),
            )
            for word, status in words.items()
            if status not in allowed
        ]

    def _bad_reading(self) -> list[Finding]:
        """Rules of reading that meet nothing: columns of files that no rule gives, rules for a column not mapped."""
        reading, findings = self.reading, []
        parts = part_names(reading)
        for name in self.wanted:
            if name.startswith(FILE_PREFIX) and parts and name.removeprefix(FILE_PREFIX) not in parts:
                there = ", ".join(sorted(f"{FILE_PREFIX}{part}" for part in parts))
                findings.append(Finding(where=name, found="no such part of a file's name", promised=f"one of: {there}"))
        if reading.file_pattern is not None and not PART.search(reading.file_pattern):
            findings.append(Finding(where="file_pattern", found=reading.file_pattern, promised="a {NAME} in it"))
        for key, is_set, format in (
            ("delimiter", reading.delimiter != ",", "csv"),
            ("rows_at", reading.rows_at is not None, "json"),
        ):
            if is_set and self.format != format:
                findings.append(Finding(where=key, found=f"format = {self.format!r}", promised=f"format = {format!r}"))
        if reading.encoding.lower() not in {"utf-8", "utf8"} and self.format in BINARY_FORMATS:
            findings.append(Finding(where="encoding", found=f"format = {self.format!r}", promised="a text format"))
        for key, is_ruled, role in (
            ("status_words", bool(reading.status_words), "status"),
            ("think", reading.think is not None, "text"),
        ):
            if is_ruled and role not in self.columns:
                findings.append(Finding(where=key, found=f"no column of {role}", promised=f"columns.{role}"))
        if self.missing_labels and not {*self.columns, *self.constants} & set(ANSWER_ROLES):
            promised = f"one of columns.{', columns.'.join(ANSWER_ROLES)}"
            findings.append(Finding(where="missing_labels", found="no column it could apply to", promised=promised))
        for name in reading.differences.keys() - {*self.wanted, *reading.keep}:
            findings.append(Finding(where=f"differences.{name}", found="used nowhere", promised="a role mapped to it"))
        if PLACE in self.wanted and not any(f".{PLACE}" in name for name in self._sources):
            findings.append(Finding(where=PLACE, found="no list", promised="a column LIST.* whose elements are rows"))
        return findings

    def _bad_levels(self) -> list[Finding]:
        """Levels of a role that no column has, or named as no planned run is."""
        findings = []
        for role, names in self.reading.levels.items():
            planned = sorted({str(level) for run in self.runs if (level := getattr(run, role)) is not None})
            findings += [
                Finding(where=f"levels.{role}.{word}", found=ours, promised=f"one of: {', '.join(planned)}")
                for word, ours in names.items()
                if ours not in planned
            ]
            if role not in self.columns:
                findings.append(Finding(where=f"levels.{role}", found="no such column", promised=f"columns.{role}"))
        return findings

    @property
    def _sources(self) -> list[str]:
        """The columns of the file that wanted ones are made of."""
        return [source for name in self.wanted for source in self.reading.differences.get(name, [name])]

    def _gaps(self) -> list[Finding]:
        """Roles without which no row means anything."""
        given = {*self.columns, *self.constants}
        findings = []
        is_named = self.shape == "judgements" and "request" in given
        if not self.runs:
            findings.append(Finding(where="runs", found="none", promised="the planned runs"))
        if "item" not in given and not is_named:
            findings.append(Finding(where="item", found="neither column nor constant", promised="one"))
        if self.shape != "counts":
            answers = ANSWER_ROLES if self.shape == "completions" else ANSWER_ROLES[1:]
            if not given & set(answers):
                promised = f"{', '.join(answers[:-1])} or {answers[-1]}"
                findings.append(Finding(where="columns", found="no answer", promised=promised))
            if "draw" not in given and not is_named:
                promised = f'a column, or draw = "0" (one answer an item), or draw = "{ROW_ORDER}"'
                findings.append(Finding(where="draw", found="neither column nor constant", promised=promised))
        elif "measure" not in given:
            findings.append(Finding(where="measure", found="neither column nor constant", promised="one"))
        elif ("k" in given) != ("n" in given):
            findings.append(Finding(where="k and n", found="one of them", promised="both"))
        if self.requests is None and (asked := [name for name in self.wanted if name.startswith(REQUEST_PREFIX)]):
            findings.append(Finding(where=", ".join(asked), found="no file of requests", promised="a table requests"))
        return findings
