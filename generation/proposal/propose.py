"""From files of rows to a proposed plan: look, guess, name what could not be guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seedlock.generation.intake.file_parts import file_parts
from seedlock.generation.proposal.columns import BATCHES, Column, Format, look
from seedlock.generation.proposal.file_names import pattern_of
from seedlock.generation.proposal.grid import read_grid
from seedlock.generation.proposal.plan_text import Prediction, Proposal
from seedlock.generation.proposal.roles import Guessed, guess
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.imports import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the user says beside the files; None or empty where they leave it to the rows."""

    columns: Mapping[Guessed, str]
    count: tuple[str, ...] = ()
    control: str | None = None
    treated: str | None = None
    smallest: float | None = None
    predicted: Prediction | None = None
    file_pattern: str | None = None


def propose(study: str, files: Sequence[Path], said: Said, *, is_copied: bool) -> Proposal:
    """Look at the rows and propose a plan for them.

    Parameters
    ----------
    is_copied
        Whether the one file will lie beside the plan, which then names it.

    Raises
    ------
    BadInput
        A file that cannot be read, or rows that do not say enough, with the options that would.
    """
    format, columns = look(files)
    if format.name in BATCHES:
        _refuse_batch(format)
    guessed = None if format.name == "inspect" else _unambiguous(pattern_of(files), files)  # its names are made up
    pattern = said.file_pattern or guessed
    reading = Reading(file_pattern=pattern)
    columns |= _of_names(files, reading, sum(column.n for column in list(columns.values())[:1]))
    roles = guess(columns, said.columns, said.count)
    if not any(name.startswith("file.") for name in roles.columns.values()):
        pattern, reading = None, Reading()
    grid = read_grid(files, format, roles, reading, control=said.control, treated=said.treated)
    return Proposal(
        study=study,
        files=tuple(file.name for file in files),
        format=format,
        columns=columns,
        roles=roles,
        grid=grid,
        pattern=pattern,
        smallest=said.smallest,
        predicted=said.predicted,
        is_copied=is_copied,
    )


def _unambiguous(pattern: str | None, files: Sequence[Path]) -> str | None:
    """A guessed pattern that every name follows in one way; None otherwise."""
    try:
        for file in files if pattern else ():
            file_parts(file, Reading(file_pattern=pattern))
    except BadInput:
        return None
    return pattern


def _of_names(files: Sequence[Path], reading: Reading, n_rows: int) -> dict[str, Column]:
    """The columns that the files' names make; each row of a file has its value."""
    made: dict[str, Column] = {}
    for file in files if reading.file_pattern else ():
        for name, value in file_parts(file, reading).items():
            column = made.setdefault(name, Column(name=name, n=n_rows))
            if value is not None:
                column.is_number = column.is_whole = column.is_number and value.isdecimal()
                column.levels[value] += max(2, n_rows // len(files))
    return made


def _refuse_batch(format: Format) -> None:
    fault = Finding(where="format", found=format.name, promised="rows with their own arm, seed and item")
    raise BadInput(
        "answers of a batch carry only an id",
        fault,
        then="seedlock init DIR,  and map them to their list of requests: docs/import.md, 'Batches'",
    )
