"""What an exporter says of itself, and what every export asks first: that the study verifies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seedlock.prereg.base.canonical import sha256_bytes, write_atomic
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import found_at, is_regular
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.verify.chain import verify_study


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the caller asks for beside the format."""

    license_url: str | None = None
    without_texts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """One format.

    Parameters
    ----------
    run
        Writes the study to a path that the caller names, and returns what it wrote.
    says
        What comes out, in one line.
    to
        Where it goes when nothing is named; `{study}` is the study's name.
    then
        The next command; `{study}` and `{to}` are filled in.
    options
        Options of the command line that this format knows beside `--to`.
    """

    run: Callable[[StudyPaths, Path, Wishes], Path]
    says: str
    to: str
    then: str
    options: frozenset[str] = frozenset()


def require_verified(paths: StudyPaths) -> None:
    """Refuse a study of which a link does not hold: what cannot be verified is not handed on as if it could.

    Raises
    ------
    BadInput
        With what does not hold.
    """
    broken = next((check for check in verify_study(paths).checks if check.state == "fail"), None)
    if broken is not None:
        raise BadInput(
            f"{paths.name} does not verify: {broken.id} {broken.what}",
            *(broken.findings or (Finding(where=broken.link, found="broken", promised=broken.what),)),
            then=f"seedlock verify {paths.name}",
        )


def require_report(paths: StudyPaths) -> None:
    """Refuse a study that has no report yet, or does not verify.

    Raises
    ------
    OutOfOrder
        There is no report.
    BadInput
        A link does not hold.
    """
    if not is_regular(paths.report / "results.json"):
        raise OutOfOrder(f"{paths.name} has no report yet", then=f"seedlock analyze {paths.name}")
    require_verified(paths)


def write_new(to: Path, files: Mapping[str, bytes], *, then: str) -> Path:
    """Write files into the folder `to`; one that is there already must be the same.

    Raises
    ------
    BadInput
        A file is there and says something else; nothing was written.
    """
    faults = [
        Finding(where=str(to / name), found=found, promised=f"none, or sha256 {sha256_bytes(content)}")
        for name, content in files.items()
        if (to / name).exists() and (found := found_at(to.resolve() / name)) != f"sha256 {sha256_bytes(content)}"
    ]
    if faults:
        raise BadInput(f"{to} holds other files under these names", *faults, then=then)
    for name, content in files.items():
        write_atomic(to / name, content)
    return to
