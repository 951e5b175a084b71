"""A file as plain UTF-8 text beside it: decompressed, and decoded, so that every reader sees one kind of file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from seedlock.prereg.errors import BadInput, Finding

COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
ENDINGS = {".gz", ".zst", ".zstd"}
CHUNK = 2**20


@contextmanager
def plain_file(path: Path, encoding: str = "utf-8") -> Iterator[Path]:
    """Give a path to read instead of `path`: itself, or a temporary copy that is neither compressed nor encoded.

    Raises
    ------
    BadInput
        Compressed bytes that are damaged or cut short; text that is not in the encoding.
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
    try:
        with (
            pa.OSFile(str(path)) as packed,
            pa.CompressedInputStream(packed, compression) as stream,
            into.open("wb") as copy,
        ):
            while part := stream.read(CHUNK):
                copy.write(part)
    except (OSError, EOFError, pa.ArrowException) as error:
        found = Finding(where=path.name, found=str(error).splitlines()[0], promised=f"a whole {compression} file")
        raise BadInput(f"{path.name} cannot be decompressed", found, then="copy or export the file again") from error


def _decode(path: Path, into: Path, encoding: str) -> None:
    try:
        with path.open(encoding=encoding, newline="") as text, into.open("w", encoding="utf-8", newline="") as copy:
            while part := text.read(CHUNK):
                copy.write(part)
    except UnicodeError as error:
        found = Finding(where=path.name, found=str(error), promised=f"text in {encoding}, as [import] encoding says")
        raise BadInput(f"{path.name} is not in its encoding", found, then="mend  encoding  in [import]") from error
