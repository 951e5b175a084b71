"""The one door for files of a repository: regular files only, reached through no link, and never more than a limit.

A stranger's repository may hold a link to `/dev/zero` or to somebody's keys, a FIFO that nobody writes to, or a file
that unpacks to more than fits into memory. What is refused is said; nothing is followed and nothing waits.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from seedlock.prereg.errors import Finding, UnreadableFile

MAX_BYTES = 64 * 2**20
"""Most of a text file that is read into memory: plans, locks, ledgers, results, pages."""
MAX_FILES = 200_000
"""Most entries of a folder that are walked."""
MAX_NAME = 255
SETTLED_NS = 2 * 10**9
"""A file that changed less than this ago may change again within one tick of its clock: its digest is not kept."""
_DIGESTS: dict[tuple[int, ...], str] = {}
"""Digests by what changes with every write, the time of the inode's change included, which no program can set."""


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file that no link leads to.

    Raises
    ------
    UnreadableFile
        It is not there, not a regular file, or a link lies on the way to it.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if fault := path_fault(path):
            raise _refused(path, fault)
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise _refused(path, getattr(error, "strerror", None) or str(error)) from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _refused(path, "not a regular file")
        yield file


def path_fault(path: Path) -> str | None:
    """What stands between here and a regular file at `path`; None where nothing does."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError) as error:
        return "missing" if isinstance(error, FileNotFoundError | NotADirectoryError) else f"unreadable: {error}"[:200]
    if stat.S_ISLNK(mode):
        return "a link"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return "reached through a link" if os.path.realpath(path.parent) != os.path.abspath(path.parent) else None  # noqa: PTH100


def is_regular(path: Path) -> bool:
    """Whether `path` is a regular file that no link leads to."""
    return path_fault(path) is None


def read_regular(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """Bytes of a regular file, at most `limit` of them.

    Raises
    ------
    UnreadableFile
        It cannot be opened as such, or it is larger.
    """
    with open_regular(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _refused(path, f"more than {limit} bytes", promised=f"at most {limit} bytes")
    return data


def read_regular_text(path: Path, *, limit: int = MAX_BYTES) -> str:
    """The same as UTF-8 text.

    Raises
    ------
    UnreadableFile
        Besides, it is not UTF-8.
    """
    data = read_regular(path, limit=limit)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path, f"byte 0x{data[error.start]:02x} at {error.start}", promised="UTF-8 text") from None


def sha256_regular(path: Path) -> str:
    """SHA-256 of a regular file, read in pieces; once a process, as long as the file was not written to since.

    Raises
    ------
    UnreadableFile
        It cannot be opened as such.
    """
    with open_regular(path) as file:
        is_now = os.fstat(file.fileno())
        key = (is_now.st_dev, is_now.st_ino, is_now.st_size, is_now.st_mtime_ns, is_now.st_ctime_ns)
        known = _DIGESTS.get(key)
        if known is not None:
            return known
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        was_settled = os.name == "posix" and time.time_ns() - is_now.st_ctime_ns > SETTLED_NS
        if was_settled and os.fstat(file.fileno()).st_ctime_ns == is_now.st_ctime_ns:
            _DIGESTS[key] = digest
        return digest


def is_inside(name: str) -> bool:
    """Whether a path that a file names is relative and stays below where it starts."""
    return bool(name) and "\\" not in name and not {"", ".", ".."} & set(name.split("/"))


def found_at(path: Path) -> str:
    """What is at `path`, as findings write it: `sha256 ...`, or what is wrong with it."""
    try:
        return f"sha256 {sha256_regular(path)}"
    except UnreadableFile as error:
        return error.findings[0].found


def walk(folder: Path) -> Iterator[Path]:
    """Everything below `folder` that is not a folder, links included and none followed, in path order.

    Raises
    ------
    UnreadableFile
        There are more than `MAX_FILES`.
    """
    count = 0
    for here, folders, files in os.walk(folder, followlinks=False):
        linked = [name for name in folders if (Path(here) / name).is_symlink()]
        folders[:] = sorted(set(folders) - set(linked))
        count += len(files) + len(folders)
        if count > MAX_FILES:
            raise _refused(folder, f"more than {MAX_FILES} files", promised="a study")
        yield from (Path(here) / name for name in sorted([*files, *linked]))


def _refused(path: Path, found: str, *, promised: str = "a regular file") -> UnreadableFile:
    name = "/".join(path.parts[-3:])
    return UnreadableFile(f"{name} cannot be read: {found}", Finding(where=name, found=found, promised=promised))
