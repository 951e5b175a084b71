"""Data of a study that a recipe reads: personas, framings, topics, names and questions, each a file in its folder."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.errors import BadInput, Finding

MAX_FINDINGS = 20


class Record(BaseModel):
    """One line of a data file: strict types, unknown keys refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PersonaLine(Record):
    """`persona`: its name; `system`: the system turn that it is spoken to with."""

    persona: str = Field(min_length=1)
    system: str = Field(min_length=1)


class FramingLine(Record):
    """`framing`: its name; `says`: what an instruct model is told to lean towards."""

    framing: str = Field(min_length=1)
    says: str = Field(min_length=1)


class TopicLine(Record):
    """`domain`, and the `change` in it that advice is about."""

    domain: str = Field(min_length=1)
    change: str = Field(min_length=1)


class BirdLine(Record):
    """One species: the `archaic` name, and the name of today."""

    archaic: str = Field(min_length=1)
    modern: str = Field(min_length=1)


class NameLine(Record):
    """One name of today."""

    modern: str = Field(min_length=1)


def read_lines(folder: Path, file: str, *, where: str) -> tuple[str, ...]:
    """Every line of a text file that is not empty.

    Raises
    ------
    BadInput
        The file is not in the study folder, or holds no line.
    """
    text = _bytes(folder, file, where).decode("utf-8", errors="replace")
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not found:
        raise _unreadable(where, Finding(where=file, found="no line", promised="one a line"))
    return found


def read_records[R: Record](folder: Path, file: str, kind: type[R], *, where: str) -> tuple[R, ...]:
    """Every record of a JSON Lines or CSV file, in order.

    Raises
    ------
    BadInput
        The file is not in the study folder, a line is no such record, or one stands there twice.
    """
    data = _bytes(folder, file, where)
    faults: list[Finding] = []
    found: dict[R, None] = {}
    for number, line in enumerate(_raw(data, is_csv=file.endswith(".csv")), start=1):
        try:
            record = kind.model_validate(read_json(line) if isinstance(line, bytes) else line)
        except (ValueError, RecursionError) as error:
            promised = ", ".join(kind.model_fields)
            shown = "; ".join(e["msg"] for e in error.errors()) if isinstance(error, ValidationError) else str(error)
            faults.append(Finding(where=f"{file} record {number}", found=shown[:120], promised=promised))
            continue
        if record in found:
            faults.append(Finding(where=f"{file} record {number}", found="there already", promised="each once"))
        found[record] = None
    if not found and not faults:
        faults.append(Finding(where=file, found="no record", promised=", ".join(kind.model_fields)))
    if faults:
        raise _unreadable(where, *faults[:MAX_FINDINGS])
    return tuple(found)


def _raw(data: bytes, *, is_csv: bool) -> list[bytes | dict[str, str]]:
    if is_csv:
        return list(csv.DictReader(io.StringIO(data.decode("utf-8", errors="replace"))))
    return [line for line in data.splitlines() if line.strip()]


def _bytes(folder: Path, file: str, where: str) -> bytes:
    path = folder / file
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise _unreadable(where, Finding(where=where, found=repr(file), promised="a file in the study folder"))
    return path.read_bytes()


def _unreadable(where: str, *faults: Finding) -> BadInput:
    return BadInput(f"{where} cannot be read", *faults, then="mend the file that the plan names")
