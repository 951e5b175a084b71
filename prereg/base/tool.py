"""Which Seedlock this is: version, build commit, and one digest over every file of the package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from seedlock.prereg.base import git
from seedlock.prereg.base.canonical import Sha256, sha256_file, sha256_json
from seedlock.prereg.base.paths import CHECKOUT, HOME

FOLDERS = ("prereg", "schemas", "generation", "training", "analysis")
NO_PART = ("prereg/studies", "prereg/syntheses", "prereg/workflow/scaffold", "training/organisms/weights")
"""Below the folders, and no part of the tool: studies, a template of one, and weights, which plans pin themselves."""
BUILT_FROM = Path(__file__).with_name("build_commit.txt")
"""Written when a wheel is built; a checkout has a commit of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One state of Seedlock; a checkout and a wheel built from it have the same digest.

    Parameters
    ----------
    commit
        The commit that the wheel was built from, or that is checked out; None where neither is known.
    files_sha256
        Digest over every file of the package, what only draws included.
    """

    version: str
    commit: str | None
    files_sha256: Sha256

    def __str__(self) -> str:
        built = f"commit {self.commit[:12]}" if self.commit else "no commit known"
        return f"{self.version} ({built}, files sha256:{self.files_sha256[:12]})"


def tool_version() -> str:
    """This package's version; `uninstalled` where it runs from a folder that nothing installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slower than the rest of `--version`

    try:
        return version("seedlock")
    except PackageNotFoundError:
        return "uninstalled"


@cache
def this_tool() -> Tool:
    """Return the Seedlock that runs, by its bytes."""
    return Tool(version=tool_version(), commit=_commit(), files_sha256=files_digest(HOME))


def files_digest(home: Path) -> Sha256:
    """One digest over every file of the package that lies in `home`, whichever way it is laid out."""
    return sha256_json({name: sha256_file(path) for name, path in sorted(tool_files(home))})


def tool_files(home: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of every file of the package; `src/seedlock` of a checkout is the top of an installed package."""
    top = home / "src" / "seedlock" if (home / "src" / "seedlock").is_dir() else home
    yield "__init__.py", top / "__init__.py"
    places = [(folder, home / folder) for folder in FOLDERS] + [("cli", top / "cli")]
    for name, folder in places:
        for path in folder.rglob("*.*"):
            inside = f"{name}/{path.relative_to(folder).as_posix()}"
            if _is_part(inside) and path.is_file():
                yield inside, path


def _is_part(inside: str) -> bool:
    is_hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.split("/"))
    return not is_hidden and not inside.startswith(NO_PART) and not inside.endswith(BUILT_FROM.name)


def _commit() -> str | None:
    if CHECKOUT is not None:
        return git.head_commit(CHECKOUT)
    return BUILT_FROM.read_text("ascii").strip() or None if BUILT_FROM.is_file() else None
