"""The files a plan names, resolved without leaving the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import is_regular
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.judges import files_of
from seedlock.prereg.plan.plan import Plan


def named_files(plan: Plan) -> Iterator[tuple[str, str]]:
    """Key path and spelled path of every file that the plan names."""
    for name, items in plan.items.items():
        if items.file is not None:
            yield f"items.{name}.file", items.file
    for name, model in plan.models.items():
        if model.chat_template is not None:
            yield f"models.{name}.chat_template", model.chat_template
    for name in plan.corpora:
        yield f"corpora.{name}.file", plan.corpus_file(name)
    for name, judge in plan.judges.items():
        yield from ((f"judges.{name}.{key}", file) for key, file in files_of(judge).items())
    imports = [("import", plan.import_)] if plan.import_ is not None else []
    for where, mapped in [*imports, *((f"judgements.{name}", judged) for name, judged in plan.judgements.items())]:
        if mapped.file is not None:
            yield f"{where}.file", mapped.file
        if mapped.requests is not None:
            yield f"{where}.requests.file", mapped.requests.file


def referenced_files(plan: Plan, paths: StudyPaths) -> list[Path]:
    """Every file the plan names, relative to the study folder.

    Raises
    ------
    BadInput
        A path is absolute, climbs with `..`, is a link, or is not a regular file.
    """
    found: list[Path] = []
    faults: list[Finding] = []
    for where, spelled in named_files(plan):
        fault = _path_fault(spelled, paths.study)
        if fault is None:
            found.append(paths.study / spelled)
        else:
            faults.append(Finding(where=where, found=f"{spelled!r}, {fault}", promised="a regular file in the study"))
    if faults:
        raise BadInput(
            f"{paths.name} names files that cannot be locked",
            *faults,
            then=f"put them into {paths.relative(paths.study)}",
        )
    return found


def _path_fault(spelled: str, folder: Path) -> str | None:
    pure = PurePosixPath(spelled)
    if pure.is_absolute() or "\\" in spelled or (pure.parts and ":" in pure.parts[0]):
        return "an absolute path"
    if ".." in pure.parts:
        return "a path that climbs out"
    path = folder
    for part in pure.parts:
        path /= part
        if path.is_symlink():
            return "a symbolic link"
    return None if is_regular(path) else "not there"
