"""A file as plain UTF-8 text beside it: decompressed, and decoded, so that every reader sees one kind of file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from seedlock.prereg.errors import BadInput, Finding

COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
ENDINGS = {".gz", ".zst", ".zstd"}
CHUNK = 2**20
MOST_RATIO = 1000
"""A file that grows to more than this is no text of answers: a few kilobytes could fill a disk."""
FREE_FROM = 64 * 2**20
"""Bytes that any file may unpack to."""
LEFT_FREE = 2**30
"""Bytes of the temporary folder's disk that are left to others."""


@contextmanager
def plain_file(path: Path, encoding: str = "utf-8") -> Iterator[Path]:
    """Give a path to read instead of `path`: itself, or a temporary copy that is neither compressed nor encoded.

    Raises
    ------
    BadInput
        Compressed bytes that are damaged, cut short, or unpack to more than `MOST_RATIO` times their size or than the
        temporary folder has room for; text that is not in the encoding.
    """
    compression = _compression(path)
    is_utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8"}
    if path.is_dir() or (compression is None and is_utf8):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="seedlock-") as folder:
        name = path.stem if compression and path.suffix in ENDINGS else path.name
        here = path
        if compression is not None:
            here = Path(folder) / name
            _decompress(path, here, compression)
        if not is_utf8:
            (Path(folder) / "utf-8").mkdir()
            here, encoded = Path(folder) / "utf-8" / name, here
            _decode(encoded, here, encoding)
        yield here


def _compression(path: Path) -> str | None:
    """What a file is compressed with, by its first bytes."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        start = stream.read(4)
    return next((name for mark, name in COMPRESSED.items() if start.startswith(mark)), None)


def _decompress(path: Path, into: Path, compression: str) -> None:
    packed_bytes = path.stat().st_size
    room = max(shutil.disk_usage(into.parent).free - LEFT_FREE, 0)
    limit = min(max(FREE_FROM, MOST_RATIO * packed_bytes), room)
    written = 0
    try:
        with (
            pa.OSFile(str(path)) as packed,
            pa.CompressedInputStream(packed, compression) as stream,
            into.open("wb") as copy,
        ):
            while part := stream.read(CHUNK):
                written += len(part)
                if written > limit:
                    raise _too_large(path, packed_bytes, limit, is_of_disk=limit == room)
                copy.write(part)
    except (OSError, EOFError, pa.ArrowException) as error:
        found = Finding(where=path.name, found=str(error).splitlines()[0], promised=f"a whole {compression} file")
        raise BadInput(f"{path.name} cannot be decompressed", found, then="copy or export the file again") from error


def _too_large(path: Path, packed_bytes: int, limit: int, *, is_of_disk: bool) -> BadInput:
    why = "what the temporary folder has room for" if is_of_disk else f"{MOST_RATIO} times its {packed_bytes:,} bytes"
    found = Finding(where=path.name, found=f"unpacks to more than {limit:,} bytes", promised=f"at most {why}")
    return BadInput(
        f"{path.name} unpacks to too much", found, then="unpack it yourself and import the plain file, if it is yours"
    )


def _decode(path: Path, into: Path, encoding: str) -> None:
    try:
        with path.open(encoding=encoding, newline="") as text, into.open("w", encoding="utf-8", newline="") as copy:
            while part := text.read(CHUNK):
                copy.write(part)
    except UnicodeError as error:
        found = Finding(where=path.name, found=str(error), promised=f"text in {encoding}, as [import] encoding says")
        raise BadInput(f"{path.name} is not in its encoding", found, then="mend  encoding  in [import]") from error
