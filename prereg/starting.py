"""Start a research repository: this layout, a filled-in example study, a justfile; nothing is overwritten."""

from __future__ import annotations

import shutil
from pathlib import Path

from prereg.errors import BadInput, Finding

TEMPLATE = Path(__file__).parent / "scaffold"
DOTTED = {"gitattributes": ".gitattributes", "gitignore": ".gitignore"}


def create_repository(folder: Path) -> list[Path]:
    """Copy the scaffold into `folder`.

    Returns
    -------
    list of Path
        The files written, relative to `folder`.

    Raises
    ------
    BadInput
        A file of the scaffold is there already; nothing is written then.
    """
    sources = sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    targets = {source: _target(source.relative_to(TEMPLATE)) for source in sources}
    taken = [target for target in targets.values() if (folder / target).exists()]
    if taken:
        raise BadInput(
            f"{folder} holds files of a repository already",
            *(Finding(where=str(target), found="a file", promised="nothing there yet") for target in taken),
            then="seedlock init NEW_FOLDER",
        )
    for source, target in targets.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / target)
    for shelf in ("lockfiles", "reports"):
        (folder / shelf).mkdir(exist_ok=True)
    return list(targets.values())


def _target(relative: Path) -> Path:
    return relative.with_name(DOTTED.get(relative.name, relative.name))
