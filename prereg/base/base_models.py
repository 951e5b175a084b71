"""Where a base model lies: an organism that ships here, a folder, a package's or a GGUF file's copy, or a hub id."""

from __future__ import annotations

import json
import os
from pathlib import Path

from seedlock.prereg.base.canonical import read_json, sha256_file, sha256_json
from seedlock.prereg.base.paths import HOME

ORGANISM = "organism:"
PACKAGE = "pypi:"
GGUF = ".gguf"
WEIGHTS = HOME / "training" / "organisms" / "weights"
AS_IT_STANDS = ("TokenizersBackend", "PreTrainedTokenizerFast")
NOT_LOADED = frozenset({"recipe.json", "README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE", "USE_POLICY.md"})
"""Prose about a model, and how an organism was made; every other file is one that a loader might read."""


def folder_revision(folder: Path) -> str:
    """Digest of every file that loading a model from `folder` might read, names included.

    Weights in any format, shards and their index, tokenizers, templates, configurations and code: whatever is not known
    to be prose counts, in folders below as well, so that no file can change what is loaded and leave the digest.
    """
    below = ((path.relative_to(folder), path) for path in folder.rglob("*") if path.is_file())
    files = {inner.as_posix(): path for inner, path in below if _might_be_loaded(inner)}
    return f"sha256:{sha256_json({name: sha256_file(path) for name, path in files.items()})}"


def _might_be_loaded(inner: Path) -> bool:
    is_hidden = any(part.startswith(".") or part == "__pycache__" for part in inner.parts)
    return not is_hidden and inner.as_posix() not in NOT_LOADED


def keeps_own_tokenizer(base: str) -> bool:
    """Whether a folder says that its tokenizer.json is to be read as it stands.

    Otherwise transformers may put the tokenizer of the model's family in its place: one of words becomes one of bytes
    that knows none of them, and every prompt loses its words in silence.
    """
    file = Path(base) / "tokenizer_config.json"
    return file.is_file() and json.loads(file.read_bytes()).get("tokenizer_class") in AS_IT_STANDS


def lies_in_cache(base: str) -> bool:
    """Whether `seedlock fetch` makes the folder that is loaded: from a package of PyPI, or from a GGUF file."""
    return base.startswith(PACKAGE) or base.lower().endswith(GGUF)


def models_cache() -> Path:
    """Folder outside any repository that holds fetched models: $SEEDLOCK_CACHE, or seedlock in the user's cache."""
    named = os.environ.get("SEEDLOCK_CACHE")
    if named:
        return Path(named).expanduser().absolute() / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "seedlock" / "models"


def cached_record(folder: Path) -> Path:
    """What is known of a fetched model: where it is from, its licence, and the digest of the folder made of it."""
    return folder.with_name(f"{folder.name}.json")


def model_folder(base: str, root: Path, revision: str | None = None) -> Path | None:
    """Return the folder of a local base model, or None for a hub id; that of a fetched model may not be there yet.

    An organism that was rebuilt keeps its earlier weights, for the plans that pin them: of its folders the one of
    `revision` is returned, and the newest where none has it or none is asked for.
    """
    if base.startswith(ORGANISM):
        name = base.removeprefix(ORGANISM)
        newest = WEIGHTS / name
        if revision is None:
            return newest
        kept = (newest, *sorted((WEIGHTS / "earlier").glob(f"{name}-*")))
        return next((folder for folder in kept if folder_revision(folder) == revision), newest)
    if lies_in_cache(base):
        return models_cache() / (revision or "unpinned").removeprefix("sha256:")
    folder = root / base
    return folder if folder.is_dir() else None


def folder_here(base: str, root: Path, revision: str | None = None) -> Path | None:
    """Return the folder of a model that lies on this machine; None for a hub id, and for one not fetched yet."""
    folder = model_folder(base, root, revision)
    return folder if folder is not None and folder.is_dir() else None


def found_revision(base: str, root: Path, folder: Path) -> str:
    """Return the revision of a model as it lies here.

    A fetched model has that of its source, as long as the folder made of it is whole: it is made anew from the source
    anywhere, and its own bytes name the library that made them. A GGUF file that has changed since has its own.
    """
    found = folder_revision(folder)
    if not lies_in_cache(base):
        return found
    source = root / base
    if not base.startswith(PACKAGE) and source.is_file():
        digest = f"sha256:{sha256_file(source)}"
        if digest.removeprefix("sha256:") != folder.name:
            return digest
    record = cached_record(folder)
    known = read_json(record.read_bytes()) if record.is_file() else {}
    return f"sha256:{folder.name}" if known.get("folder") == found else found
