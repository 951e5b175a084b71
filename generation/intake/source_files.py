"""The files behind an import: one file, or every file of a folder, under one digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from seedlock.schemas.seal import sha256_of


def source_files(path: Path) -> list[Path]:
    """Return the file itself, or every file below a folder, by name; nothing where there is neither."""
    if path.is_dir():
        return sorted(inner for inner in path.rglob("*") if inner.is_file())
    return [path] if path.is_file() else []


def source_digest(path: Path) -> str:
    """Return a file's SHA-256, or a folder's: that of its files' digests and names, as `sha256sum` prints them."""
    if not path.is_dir():
        return sha256_of(path)
    lines = [f"{sha256_of(file)}  {file.relative_to(path).as_posix()}\n" for file in source_files(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def source_state(path: Path) -> list[tuple[str, int, int]]:
    """Return name, size and modification time of every file: equal before and after means nothing changed."""
    found = [(file.as_posix(), file.stat()) for file in source_files(path)]
    return [(name, state.st_size, state.st_mtime_ns) for name, state in found]
