"""Where a base model lies: an organism that ships here, a folder, or a hub id, each at the revision the plan pins."""

from __future__ import annotations

import json
from pathlib import Path

from seedlock.prereg.base.canonical import sha256_file, sha256_json
from seedlock.prereg.base.paths import HOME

ORGANISM = "organism:"
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


def model_folder(base: str, root: Path, revision: str | None = None) -> Path | None:
    """Return the folder of a local base model, or None for a hub id.

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
    folder = root / base
    return folder if folder.is_dir() else None
