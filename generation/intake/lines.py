"""Look at a text file's bytes before any parser does: empty, another encoding, or a line without end."""

from __future__ import annotations

import codecs
from pathlib import Path

from seedlock.prereg.errors import BadInput, Finding

LINE_LIMIT_BYTES = 64 * 2**20
CHUNK_BYTES = 2**20
EXCEL = "an Excel workbook"
THEN = 'encoding = "..."  in [import], or the format that it is'
OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\xd0\xcf\x11\xe0": EXCEL,
}


def longest_line(path: Path, *, limit_bytes: int = LINE_LIMIT_BYTES) -> int:
    """Return an upper bound on a text file's longest line in bytes, in one pass and constant memory.

    Raises
    ------
    BadInput
        Empty file, a byte-order mark of another encoding, compressed or binary content, or a line longer
        than `limit_bytes` (with its number).
    """
    line, length, longest, is_first = 1, 0, CHUNK_BYTES, True
    with path.open("rb") as stream:
        while chunk := stream.read(min(CHUNK_BYTES, limit_bytes)):
            if is_first:
                _refuse_other_encoding(path, chunk)
                is_first = False
            first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
            carried = length + (first if first >= 0 else len(chunk))
            longest = max(longest, carried)
            if carried > limit_bytes:
                found = Finding(
                    where=f"line {line}",
                    found="a longer line",
                    promised=f"at most {limit_bytes:,} bytes a line",
                )
                raise BadInput(f"{path.name} has a line too long to be a row", found)
            line += chunk.count(b"\n")
            length = length + len(chunk) if last < 0 else len(chunk) - last - 1
    if is_first:
        raise BadInput(f"{path.name} is empty", then="check the path, or export the data again")
    return longest


def _refuse_other_encoding(path: Path, start: bytes) -> None:
    """Name the encoding a file's first bytes give away."""
    for mark, name in OTHER_ENCODINGS.items():
        if start.startswith(mark):
            is_excel = name == EXCEL or (name == "a zip archive" and b"xl/" in start)
            found = Finding(where="first bytes", found=EXCEL if is_excel else name, promised="plain UTF-8 text")
            then = "save the sheet as CSV (UTF-8) and import that" if is_excel else THEN
            raise BadInput(f"{path.name} is not UTF-8 text", found, then=then)
