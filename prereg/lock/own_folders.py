"""A study's folders are its repository's own: no stage writes through a link that no check will follow."""

from __future__ import annotations

from pathlib import Path

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Finding


def require_own_folders(paths: StudyPaths) -> None:
    """Refuse before any work where what it would write could not be read again.

    Raises
    ------
    BadInput
        One of the folders that stages write to is a link, or lies behind one.
    """
    linked = [folder for folder in _folders(paths) if folder.is_symlink()]
    if linked:
        here = linked[0]
        raise BadInput(
            f"{paths.name} would be written through a link, which no check follows",
            *(
                Finding(where=paths.relative(folder), found=f"a link to {folder.readlink()}", promised="a folder")
                for folder in linked
            ),
            then=f"rm {here} && mkdir {here} && sudo mount --bind {here.readlink()} {here}  keeps it on that disk; "
            "or clone the repository there",
        )


def _folders(paths: StudyPaths) -> tuple[Path, ...]:
    own = (paths.runs, paths.report, paths.locks)
    return (*(folder for each in own for folder in (each.parent, each)), paths.runs / "sealed")
