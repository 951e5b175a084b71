"""What git can say about a checkout, asked through `git_view`: no program that the repository names is run.

Every question is one of plumbing, and has the answer None where git cannot tell.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from seedlock.prereg.base.git_view import NotBelieved, output_of, refs_of, view_key, view_of, why_not

MAX_BLOB = 64 * 2**20
MAX_BLOBS = 256 * 2**20
_HEX = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def forget() -> None:
    """Look again at what a process that lives long has seen of its repositories."""
    for seen in (view_of, _commits, _changes, _remote_tips, _files_at):
        seen.cache_clear()
    _HELD.clear()


def _line(root: Path, *arguments: str) -> str | None:
    out = output_of(root, *arguments)
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
        return bool(view_key(root)[3])
    except NotBelieved:
        return False


def is_clean(root: Path) -> bool | None:
    """True when nothing tracked is changed and nothing untracked is there."""
    if (head := head_commit(root)) is None:
        return None if why_not(root) is not None or output_of(root, "for-each-ref", "--count=1") is None else False
    staged = output_of(root, "diff-index", "--cached", "--no-ext-diff", "--ignore-submodules", head)
    listed = ("ls-files", "--modified", "--deleted", "--others", "--exclude-standard", "--directory")
    changed = output_of(root, *listed, "--no-empty-directory", "-z", in_work_tree=True)
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
    out = output_of(root, "cat-file", "--batch-check", stdin=asked) if wanted else None
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
    out = (output_of(root, "cat-file", "--batch", stdin=asked) if here else None) or b""
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
        is_commit_id(commit) and output_of(root, "cat-file", "-e", f"{commit}^{{commit}}") is not None
    )
    if is_held:
        _HELD.add((root, commit))
    return is_held


def parents_of(root: Path, commits: Iterable[str]) -> tuple[str, ...]:
    """Every parent, once each, of those of the commits that a ref or HEAD reaches."""
    refs = refs_of(root)
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
    refs = refs_of(root)
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
    listed = output_of(root, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *folders) or b""
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
    out = output_of(root, "rev-list", "--objects", "--no-object-names", *which)
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
    refs = refs_of(root)
    return None if refs is None else _changes(root, refs, folders)


@lru_cache(maxsize=8)
def _commits(root: Path, refs: bytes) -> Mapping[str, tuple[str, ...]] | None:  # noqa: ARG001  (refs: cache)
    """Every commit that a ref or HEAD reaches, newest first, with its parents; None where git cannot list them."""
    out = output_of(root, "rev-list", "--parents", "--all", *(["HEAD"] if head_commit(root) else []))
    lines = (line.split() for line in (out or b"").decode("ascii").splitlines())
    return None if out is None else MappingProxyType({commit: tuple(parents) for commit, *parents in lines})


def has_history(root: Path) -> bool:
    """Whether a ref or HEAD reaches any commit."""
    refs = refs_of(root)
    return bool(refs is not None and _commits(root, refs))


@lru_cache(maxsize=8)
def _changes(root: Path, refs: bytes, folders: tuple[str, ...]) -> tuple[Change, ...] | None:
    commits = _commits(root, refs)
    if commits is None:
        return None
    options = ("-r", "-m", "--root", "--no-renames", "--raw", "--no-abbrev", "--no-ext-diff", "--no-textconv", "-z")
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    out = output_of(root, "diff-tree", "--stdin", *options, "--", *folders, stdin=asked)
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
    out = output_of(root, "rev-list", "HEAD")
    return frozenset((out or b"").decode().split())
