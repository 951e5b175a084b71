"""What git can say about a checkout, asked so that a stranger's repository cannot answer with a program of its own.

A repository's configuration can name programs that git then runs: fsmonitor, hooks, filters, pagers, gpg, external
diffs, remote helpers. It is therefore never read. Git works in an empty folder made here, with a configuration written
here; only refs and objects are those of `ROOT/.git`, which must be the root's own. Every question is one of plumbing,
and has the answer None where git cannot tell.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from seedlock.prereg.base.reading import path_fault, read_regular
from seedlock.prereg.errors import UnreadableFile

TIMEOUT_S = 30
MAX_BLOB = 64 * 2**20
MAX_BLOBS = 256 * 2**20
MAX_REFS_FILE = 64 * 2**20
_HEX = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
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
        _view(*_key(root))
    except NotBelieved as error:
        return str(error)
    return None


def forget() -> None:
    """Look again at what a process that lives long has seen of its repositories."""
    for seen in (_view, _commits, _changes, _remote_tips, _files_at):
        seen.cache_clear()
    _HELD.clear()


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


def _key(root: Path) -> tuple[Path, Path, bytes, bytes]:
    """What a view of the repository depends on, beside refs and objects, which it looks up live."""
    own = _own(root)
    try:
        head = read_regular(own.folder / "HEAD", limit=4096)
        shallow = own.common / "shallow"
        return own.folder, own.common, head, read_regular(shallow, limit=MAX_REFS_FILE) if shallow.exists() else b""
    except UnreadableFile as error:
        raise NotBelieved(f".git: {error.findings[0].found}") from None


def _refs(root: Path) -> bytes | None:
    """Where HEAD and every ref point, as their files have it: as long as it is the same, so is what they reach."""
    try:
        own = _own(root)
        _view(*_key(root))
        files = [own.folder / "HEAD", own.common / "packed-refs", *_files_below(own.common / "refs")]
        said = [(file, read_regular(file, limit=MAX_REFS_FILE)) for file in files if file.exists()]
    except (OSError, NotBelieved, UnreadableFile):
        return None
    return b"\0".join(part for file, content in said for part in (os.fsencode(file), content))


def _files_below(folder: Path) -> Iterator[Path]:
    for here, _, files in os.walk(folder):
        yield from (Path(here) / name for name in sorted(files))


@lru_cache(maxsize=16)
def _view(folder: Path, common: Path, head: bytes, shallow: bytes) -> tuple[Path, Mapping[str, str]]:
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


def _git(root: Path, *arguments: str, stdin: bytes = b"", in_work_tree: bool = False) -> bytes | None:
    """Standard output of a git command, or None where it failed, took too long or git is not there."""
    try:
        made, environment = _view(*_key(root))
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


def _line(root: Path, *arguments: str) -> str | None:
    out = _git(root, *arguments)
    return out.decode("utf-8", "replace").strip() or None if out is not None else None


def is_commit_id(text: str) -> bool:
    """Whether `text` is a full commit id: anything else from a lock could be an option, a path or a range."""
    return _HEX.fullmatch(text) is not None


def head_commit(root: Path) -> str | None:
    """The commit checked out, or None outside git or before the first commit."""
    return _line(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")


def is_shallow(root: Path) -> bool:
    """Whether this clone was cut off: older commits are elsewhere."""
    try:
        return bool(_key(root)[3])
    except NotBelieved:
        return False


def is_clean(root: Path) -> bool | None:
    """True when nothing tracked is changed and nothing untracked is there."""
    if (head := head_commit(root)) is None:
        return None if why_not(root) is not None or _git(root, "for-each-ref", "--count=1") is None else False
    staged = _git(root, "diff-index", "--cached", "--no-ext-diff", "--ignore-submodules", head)
    listed = ("ls-files", "--modified", "--deleted", "--others", "--exclude-standard", "--directory")
    changed = _git(root, *listed, "--no-empty-directory", "-z", in_work_tree=True)
    return None if staged is None or changed is None else staged == b"" and changed == b""


def blob(root: Path, commit: str, path: str) -> bytes | None:
    """Bytes of `path` (relative to `root`) at `commit`."""
    return blobs(root, commit, [path])[path]


def blobs(root: Path, commit: str, paths: Iterable[str]) -> dict[str, bytes | None]:
    """Bytes of each path at `commit`; None where it is not there."""
    wanted = list(paths)
    if not is_commit_id(commit):
        return dict.fromkeys(wanted)
    found = objects(root, [f"{commit}:{path}" for path in wanted if "\n" not in path])
    return {path: found.get(f"{commit}:{path}") for path in wanted}


def sizes(root: Path, names: Iterable[str]) -> dict[str, int]:
    """Size of each blob that is there, by the name asked for; one process for all of them."""
    wanted = list(dict.fromkeys(names))
    asked = "".join(f"{name}\n" for name in wanted).encode()
    out = _git(root, "cat-file", "--batch-check", stdin=asked) if wanted else None
    lines = (out or b"").decode("utf-8", "replace").splitlines()
    told = (line.rsplit(" ", 2) for line in lines)
    return {name: int(said[2]) for name, said in zip(wanted, told, strict=False) if said[1:2] == ["blob"]}


def objects(root: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Bytes of each blob that is there, its id checked: none above `MAX_BLOB`, all within `MAX_BLOBS`, first come."""
    here: list[str] = []
    room = MAX_BLOBS
    for name, size in sizes(root, names).items():
        if size <= min(MAX_BLOB, room):
            here.append(name)
            room -= size
    asked = "".join(f"{name}\n" for name in here).encode()
    out = (_git(root, "cat-file", "--batch", stdin=asked) if here else None) or b""
    found: dict[str, bytes] = {}
    at = 0
    for name in here if out else []:
        head_end = out.index(b"\n", at)
        identity, _, length = out[at:head_end].split(b" ")
        at = head_end + 1 + int(length) + 1
        data = out[head_end + 1 : at - 1]
        if blob_id(data, len(identity)) == identity.decode():
            found[name] = data
    return found


def blob_id(data: bytes, digits: int = 40) -> str:
    """The id that git gives to a file of these bytes."""
    algorithm = "sha1" if digits == 40 else "sha256"
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


_HELD: set[tuple[Path, str]] = set()
"""Commits that were found: an object store loses none that a command asked about."""


def has_commit(root: Path, commit: str) -> bool:
    """Whether the object store holds `commit`."""
    is_held = (root, commit) in _HELD or (
        is_commit_id(commit) and _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is not None
    )
    if is_held:
        _HELD.add((root, commit))
    return is_held


def parents_of(root: Path, commits: Iterable[str]) -> tuple[str, ...]:
    """Every parent, once each, of those of the commits that a ref or HEAD reaches."""
    refs = _refs(root)
    known = (None if refs is None else _commits(root, refs)) or {}
    return tuple(dict.fromkeys(parent for commit in commits for parent in known.get(commit, ())))


def was_ever_tracked(root: Path, folder: str) -> bool:
    """Whether any commit reachable from any ref touched `folder`."""
    return _line(root, "rev-list", "--all", "--full-history", "--max-count=1", "HEAD", "--", folder) is not None


def was_tracked_by(root: Path, commits: Iterable[str], *folders: str) -> bool:
    """Whether one of the commits or one before them touched one of `folders`."""
    known = [commit for commit in commits if is_commit_id(commit)]
    asked = ("rev-list", "--full-history", "--max-count=1", *known, "--", *folders)
    return bool(known) and _line(root, *asked) is not None


def remote_tips(root: Path) -> list[tuple[str, str]]:
    """Remote-tracking branches, each with its commit."""
    refs = _refs(root)
    return [] if refs is None else list(_remote_tips(root, refs))


@lru_cache(maxsize=8)
def _remote_tips(root: Path, refs: bytes) -> tuple[tuple[str, str], ...]:  # noqa: ARG001  (refs: cache)
    out = _line(root, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/remotes")
    told = (line.partition(" ") for line in (out or "").splitlines())
    return tuple((name, commit) for commit, _, name in told if not name.endswith("/HEAD"))


def files_at(root: Path, commit: str, *folders: str) -> Mapping[str, tuple[str, str]] | None:
    """Path -> (mode, blob id) of every file below `folders` at `commit`; None where there is no such commit."""
    return _files_at(root, commit, folders) if has_commit(root, commit) else None


@lru_cache(maxsize=32)
def _files_at(root: Path, commit: str, folders: tuple[str, ...]) -> Mapping[str, tuple[str, str]]:
    listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *folders) or b""
    found = {}
    for entry in listed.split(b"\0")[:-1]:
        told, _, path = entry.partition(b"\t")
        mode, kind, identity = told.decode().split(" ")
        if kind == "blob" and not {"..", ".git", ""} & set(os.fsdecode(path).split("/")):
            found[os.fsdecode(path)] = (mode, identity)
    return MappingProxyType(found)


_SHA256: dict[str, str] = {}
"""Digests by blob id: locks of one repository pin mostly the same files."""


def digests(root: Path, commit: str, paths: Iterable[str]) -> dict[str, str | None]:
    """SHA-256 of each path at `commit`; None where it is not there."""
    there = files_at(root, commit) or {}
    blobs_of = {path: there[path][1] if path in there else None for path in paths}
    for name, data in objects(root, sorted({one for one in blobs_of.values() if one} - _SHA256.keys())).items():
        _SHA256[name] = hashlib.sha256(data).hexdigest()
    return {path: None if one is None else _SHA256.get(one) for path, one in blobs_of.items()}


def objects_of(root: Path, *which: str) -> frozenset[str]:
    """Names of every object that the commits hold which `git rev-list` selects by `which`; empty outside git."""
    out = _git(root, "rev-list", "--objects", "--no-object-names", *which)
    return frozenset(() if out is None else out.decode("ascii", "replace").split())


def write_files(root: Path, commit: str, to: Path, *folders: str) -> bool:
    """Write the regular files and links of `commit` below `to`; no filter and no hook is run. False: none is there."""
    files = files_at(root, commit, *folders) or {}
    found = objects(root, {identity for _, identity in files.values()})
    for path, (mode, identity) in files.items():
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        if mode == "120000":
            (to / path).symlink_to(os.fsdecode(found[identity]))
        else:
            (to / path).write_bytes(found[identity])
    return bool(files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file that differs between a commit and one of its parents, by blob id; None where it was not there."""

    commit: str
    path: str
    before: str | None
    after: str | None


def changes(root: Path, *folders: str) -> tuple[Change, ...] | None:
    """Every change below `folders` along every parent edge of every commit that a ref or HEAD reaches, newest first."""
    refs = _refs(root)
    return None if refs is None else _changes(root, refs, folders)


@lru_cache(maxsize=8)
def _commits(root: Path, refs: bytes) -> Mapping[str, tuple[str, ...]] | None:  # noqa: ARG001  (refs: cache)
    """Every commit that a ref or HEAD reaches, newest first, with its parents; None where git cannot list them."""
    out = _git(root, "rev-list", "--parents", "--all", *(["HEAD"] if head_commit(root) else []))
    lines = (line.split() for line in (out or b"").decode("ascii").splitlines())
    return None if out is None else MappingProxyType({commit: tuple(parents) for commit, *parents in lines})


def has_history(root: Path) -> bool:
    """Whether a ref or HEAD reaches any commit."""
    refs = _refs(root)
    return bool(refs is not None and _commits(root, refs))


@lru_cache(maxsize=8)
def _changes(root: Path, refs: bytes, folders: tuple[str, ...]) -> tuple[Change, ...] | None:
    commits = _commits(root, refs)
    if commits is None:
        return None
    options = ("-r", "-m", "--root", "--no-renames", "--raw", "--no-abbrev", "--no-ext-diff", "--no-textconv", "-z")
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    out = _git(root, "diff-tree", "--stdin", *options, "--", *folders, stdin=asked)
    return None if out is None else tuple(_read_changes(out))


def _read_changes(out: bytes) -> Iterator[Change]:
    commit = ""
    tokens = iter(out.split(b"\0"))
    for token in tokens:
        if token.startswith(b":"):
            _, _, before, after, _ = token.decode().split(" ")
            path = os.fsdecode(next(tokens))
            yield Change(commit=commit, path=path, before=_blob_or_none(before), after=_blob_or_none(after))
        elif token:
            commit = token.decode().strip()


def _blob_or_none(identity: str) -> str | None:
    return identity if identity.strip("0") else None


def reachable_from_head(root: Path) -> frozenset[str]:
    """Every commit that HEAD reaches."""
    out = _git(root, "rev-list", "HEAD")
    return frozenset((out or b"").decode().split())
