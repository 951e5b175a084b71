"""A git process that a stranger's repository cannot answer with a program of its own.

A repository's configuration can name programs that git then runs: fsmonitor, hooks, filters, pagers, gpg, external
diffs, remote helpers. It is therefore never read. Git works in an empty folder made here, with a configuration written
here; only refs and objects are those of `ROOT/.git`, which must be the root's own.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from seedlock.prereg.base.reading import path_fault, read_regular
from seedlock.prereg.errors import UnreadableFile

TIMEOUT_S = 30
MAX_REFS_FILE = 64 * 2**20
_CONFIG = """[core]
\trepositoryformatversion = {version}
\tfilemode = true
\tfsmonitor = false
\thooksPath = /dev/null
\tcommitGraph = false
\tmultiPackIndex = false
\tattributesFile = /dev/null
{extensions}"""
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}


class NotBelieved(Exception):
    """What lies at `ROOT/.git` is not used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """Where the git folder of a root lies: `folder` holds HEAD and the index, `common` refs and objects."""

    folder: Path
    common: Path


def why_not(root: Path) -> str | None:
    """Why git is not asked about `root`; None where it is."""
    try:
        view_of(*view_key(root))
    except NotBelieved as error:
        return str(error)
    return None


def _own(root: Path) -> _Own:
    """The git folder of `root` itself: never one above it, a bare one inside it, or one that a link or file points to.

    The one file that is believed is a linked work tree's: its git folder names this very root in return.
    """
    dot = root / ".git"
    try:
        mode = dot.lstat().st_mode
    except OSError:
        raise NotBelieved("no git repository of its own (no .git here)") from None
    if stat.S_ISDIR(mode):
        return _Own(folder=dot, common=dot)
    if not stat.S_ISREG(mode):
        raise NotBelieved(".git is a link or a special file, which is not followed")
    try:
        said = _one_line(dot).removeprefix("gitdir: ")
        folder = (root / said).resolve()
        common = (folder / _one_line(folder / "commondir")).resolve()
        back = (folder / _one_line(folder / "gitdir")).resolve()
    except (OSError, UnreadableFile, ValueError):
        raise NotBelieved(".git is a file that points to no work tree of this root") from None
    if back != dot or folder.parent != common / "worktrees":
        raise NotBelieved(".git is a file that points to a repository which does not name this root in return")
    return _Own(folder=folder, common=common)


def _one_line(file: Path) -> str:
    return read_regular(file, limit=4096).decode().strip()


def view_key(root: Path) -> tuple[Path, Path, bytes, bytes]:
    """What a view of the repository depends on, beside refs and objects, which it looks up live."""
    own = _own(root)
    try:
        head = read_regular(own.folder / "HEAD", limit=4096)
        shallow = own.common / "shallow"
        return own.folder, own.common, head, read_regular(shallow, limit=MAX_REFS_FILE) if shallow.exists() else b""
    except UnreadableFile as error:
        raise NotBelieved(f".git: {error.findings[0].found}") from None


def refs_of(root: Path) -> bytes | None:
    """Where HEAD and every ref point, as their files have it: as long as it is the same, so is what they reach."""
    try:
        own = _own(root)
        view_of(*view_key(root))
        files = [own.folder / "HEAD", own.common / "packed-refs", *_files_below(own.common / "refs")]
        said = [(file, read_regular(file, limit=MAX_REFS_FILE)) for file in files if file.exists()]
    except (OSError, NotBelieved, UnreadableFile):
        return None
    return b"\0".join(part for file, content in said for part in (os.fsencode(file), content))


def _files_below(folder: Path) -> Iterator[Path]:
    for here, _, files in os.walk(folder):
        yield from (Path(here) / name for name in sorted(files))


@lru_cache(maxsize=16)
def view_of(folder: Path, common: Path, head: bytes, shallow: bytes) -> tuple[Path, Mapping[str, str]]:
    """A git folder made here, with refs and objects of another; and the environment in which git works in it."""
    if (common / "objects" / "info" / "alternates").exists():
        raise NotBelieved(
            "it borrows objects from elsewhere (.git/objects/info/alternates); git repack -a -d ends that"
        )
    if (common / "reftable").exists():
        raise NotBelieved("its refs are in a reftable, which is not read; git clone --ref-format=files ends that")
    for special in (*_not_regular(common / "refs"), *_not_regular(common / "objects")):
        raise NotBelieved(f"{special.relative_to(common)} in .git is neither a file nor a folder")
    for file in (common / "packed-refs", common / "info" / "exclude", folder / "index"):
        if (fault := path_fault(file)) not in {None, "missing"}:
            raise NotBelieved(f"{file.name} in .git is {fault}")
    made = Path(tempfile.mkdtemp(prefix="seedlock-git-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    is_sha256 = _uses_sha256(common / "config")
    extensions = "[extensions]\n\tobjectFormat = sha256\n" if is_sha256 else ""
    (made / "config").write_text(_CONFIG.format(version=int(is_sha256), extensions=extensions))
    (made / "HEAD").write_bytes(head)
    (made / "refs").symlink_to(common / "refs")
    (made / "packed-refs").symlink_to(common / "packed-refs")
    (made / "info").mkdir()
    (made / "info" / "exclude").symlink_to(common / "info" / "exclude")
    if shallow:
        (made / "shallow").write_bytes(shallow)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    places = {
        "GIT_DIR": str(made),
        "GIT_OBJECT_DIRECTORY": str(common / "objects"),
        "GIT_INDEX_FILE": str(folder / "index"),
    }
    return made, {**inherited, **_ENVIRONMENT, **places}


def _not_regular(folder: Path) -> Iterator[Path]:
    """Links, FIFOs and devices below `folder`: git would follow the first and wait for the others."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def _uses_sha256(config: Path) -> bool:
    try:
        return re.search(rb"(?mi)^\s*objectformat\s*=\s*sha256\s*$", read_regular(config, limit=2**20)) is not None
    except UnreadableFile:
        return False


def output_of(root: Path, *arguments: str, stdin: bytes = b"", in_work_tree: bool = False) -> bytes | None:
    """Standard output of a git command, or None where it failed, took too long or git is not there."""
    try:
        made, environment = view_of(*view_key(root))
        place = {"GIT_WORK_TREE": str(root)} if in_work_tree else {}
        done = subprocess.run(
            ["git", *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
            cwd=root if in_work_tree else made,
            env={**environment, **place},
        )
    except (OSError, NotBelieved, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
